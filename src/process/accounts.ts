import { readFileSync } from "node:fs";
import { codeOf } from "../errors.ts";
import type { Account } from "../runtime/port.ts";

/** As whom a job runs, and what its environment says of that. */
export interface Runner {
  readonly account: Account;
  /** Null: a number that no user has. */
  readonly user: { readonly name: string; readonly home: string } | null;
}

interface User {
  readonly name: string;
  readonly number: number;
  readonly group: number;
  readonly home: string;
}

const PASSWD = "/etc/passwd";
const GROUP = "/etc/group";

/** By names or numbers; a sentence where there is no such one. */
export function findRunner(user: string | undefined, group: string | undefined): Runner | string {
  const found = user === undefined ? ownUser() : findUser(user);
  if (typeof found === "string") return found;
  const number = group === undefined ? found.group : findGroup(group);
  if (typeof number === "string") return number;
  if (number === null) return `the number ${user} is no user of ${PASSWD}: say its \`group\`, too`;
  return { account: { user: found.number, group: number }, user: found.known && { ...found.known } };
}

interface FoundUser {
  readonly number: number;
  /** Null: nobody says which. */
  readonly group: number | null;
  readonly known: Runner["user"];
}

function findUser(wanted: string): FoundUser | string {
  const number = numberOf(wanted);
  const user = users().find((one) => (number === null ? one.name === wanted : one.number === number));
  if (user) return { number: user.number, group: user.group, known: { name: user.name, home: user.home } };
  return number === null ? `there is no user ${wanted} in ${PASSWD}` : { number, group: null, known: null };
}

function ownUser(): FoundUser {
  return { number: process.getuid?.() ?? -1, group: process.getgid?.() ?? -1, known: null };
}

function findGroup(wanted: string): number | string {
  const number = numberOf(wanted) ?? groups().get(wanted);
  return number ?? `there is no group ${wanted} in ${GROUP}`;
}

const numberOf = (text: string): number | null => (/^\d+$/.test(text) ? Number(text) : null);

/** passwd(5): name, password, user, group, full name, home, shell. */
const users = (): User[] =>
  lines(PASSWD).map(([name = "", , number, group, , home = ""]) => ({
    name,
    number: Number(number),
    group: Number(group),
    home,
  }));

/** group(5): name, password, group, members. */
const groups = (): Map<string, number> => new Map(lines(GROUP).map(([name = "", , number]) => [name, Number(number)]));

/** Lines that end early, as those for other sources of names do, are left out. */
const lines = (path: string): string[][] =>
  textOf(path)
    .split("\n")
    .map((line) => line.split(":"))
    .filter(({ length }) => length >= 4);

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "";
    throw error;
  }
}
