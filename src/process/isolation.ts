import { spawnSync } from "node:child_process";
import type { Account } from "../runtime/port.ts";
import { SpawnFailed } from "./port.ts";
import type { ExitRecord } from "./shim.ts";
import { findTool } from "./tools.ts";

/**
 * unshare(1) stays, as parent of the namespace's init, and mirrors how that ends; when it is killed, the init is, and
 * with that all in the namespace. What is in there sees a /proc of its own.
 */
const NAMESPACE = ["--pid", "--fork", "--kill-child", "--mount-proc"];
/** Without root a user namespace comes first; users and groups in it are what they were. */
const UNPRIVILEGED = ["--user", "--map-current-user"];

/** Longer than this machine can take for it. */
const PATIENCE_MS = 10_000;

/** Programs of ours between the worker and an isolated job: unshare(1), and the init. */
export const ISOLATING_PROGRAMS = 2;

/** Whether and how this worker gives jobs a pid namespace of their own. What can be had is tried once for each user. */
export class Isolation {
  readonly #commands = new Map<string, readonly string[] | string>();
  readonly #findTool: typeof findTool;

  constructor(find = findTool) {
    this.#findTool = find;
  }

  /** A sentence that says why it cannot be had here; null: it can. */
  problem(account: Account | null): string | null {
    const command = this.#command(account);
    return typeof command === "string" ? command : null;
  }

  /**
   * The argv that runs the job's in a namespace of its own. The init is the shell that keeps an end: it waits for the
   * job, reaps what is left to it, and ends with the job.
   *
   * @throws SpawnFailed where that cannot be had.
   */
  isolated(argv: readonly string[], init: ExitRecord, account: Account | null): readonly string[] {
    const command = this.#command(account);
    if (typeof command === "string") throw new SpawnFailed("ENOTSUP", `it was not started: ${command}`);
    return [...command, ...init.keeping(argv)];
  }

  #command(account: Account | null): readonly string[] | string {
    const name = account === null ? "" : `${account.user}:${account.group}`;
    let command = this.#commands.get(name);
    if (command === undefined) this.#commands.set(name, (command = findCommand(this.#findTool("unshare"), account)));
    return command;
  }
}

function findCommand(program: string | null, account: Account | null): readonly string[] | string {
  if (program === null || process.platform !== "linux") return refusal("there is no unshare(1)", "install util-linux");
  const isRoot = (account?.user ?? process.geteuid?.()) === 0;
  const problems: string[] = [];
  for (const more of isRoot ? [NAMESPACE, [...UNPRIVILEGED, ...NAMESPACE]] : [[...UNPRIVILEGED, ...NAMESPACE]]) {
    const problem = problemOf([program, ...more], account);
    if (problem === null) return [program, ...more];
    problems.push(problem);
  }
  return refusal(problems[0] ?? "", "let this user make user namespaces, or run the worker as root");
}

const refusal = (why: string, advice: string): string =>
  `isolate = "pid" cannot be had here: ${why}; ${advice}, or leave it out`;

function problemOf([program = "", ...more]: readonly string[], account: Account | null): string | null {
  const identity = account && { uid: account.user, gid: account.group };
  const { status, stderr, error } = spawnSync(program, [...more, "/bin/sh", "-c", ":"], {
    cwd: "/",
    env: {},
    encoding: "utf8",
    timeout: PATIENCE_MS,
    ...identity,
  });
  if (status === 0) return null;
  return error?.message ?? (stderr.trim().split("\n").at(-1) || "unshare(1) failed and did not say why");
}
