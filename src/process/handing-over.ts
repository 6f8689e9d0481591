import { chmodSync, existsSync, lchownSync, lstatSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import type { Account } from "../runtime/port.ts";
import { SpawnFailed, type Launch } from "./port.ts";
import type { ExitRecord } from "./shim.ts";
import type { SlotFiles } from "./slot-files.ts";

/** Whoever knows the name of something in it may go there; only the owner sees what is in it. */
const PASSABLE = 0o711;
const PRIVATE = 0o700;

/** Lends a job of another user what it needs of its slot, until it is taken in. */
export function lendSlot(
  files: SlotFiles,
  launch: Launch,
  records: readonly (ExitRecord | null)[],
  account: Account,
): void {
  const store = commonDirectory(files.directory, launch.jobDirectory);
  const paths = [...lendable(files, launch), ...placesOfJob(launch, store)];
  if (launch.body !== null) paths.push(files.body);
  for (const record of records) if (record) paths.push(record.path);
  files.loan.give(paths, account, store);
}

/** What of a slot belongs to another user, as long as a job runs. */
export class Loan {
  #lent: readonly string[] = [];

  /** @throws SpawnFailed when the user cannot even reach the store. */
  give(paths: readonly string[], account: Account, store: string): void {
    this.#lent = paths;
    handOver(paths, account, store);
  }

  /** So that nobody else reads or changes what is in it by now. `otherwise`: what somebody else may have lent. */
  takeBack(otherwise: readonly string[] = []): void {
    for (const path of this.#lent.length > 0 ? this.#lent : otherwise) takeBack(path);
    this.#lent = [];
  }
}

/** What a job of another user has to have of its slot; nothing for others. */
export function lendable(files: SlotFiles, launch: Pick<Launch, "attempt" | "jobDirectory" | "limits">): string[] {
  const { user, group } = launch.limits.resources;
  if (user === undefined && group === undefined) return [];
  return [files.results, files.workDirectory(launch), files.path("control")];
}

/** An exit handler works where its job did; what its variables may else name is none of ours to give. */
function placesOfJob({ role, environment }: Launch, store: string): string[] {
  if (role === "job") return [];
  const named = [environment["REEVE_WORKDIR"], environment["REEVE_RESULTS"]].filter((path) => path !== undefined);
  return named.filter((path) => isBelow(store, path) && existsSync(path));
}

const isBelow = (directory: string, path: string): boolean =>
  resolve(path) === path && !relative(directory, path).startsWith("..") && path !== directory;

/**
 * Gives files and directories to the user as whom a job runs, and lets that user pass on the way to them: from the
 * store downwards, nothing above it is opened.
 *
 * @throws SpawnFailed when the user cannot even reach the store.
 */
function handOver(paths: readonly string[], { user, group }: Account, store: string): void {
  const closed = ancestors(store).find((directory) => !mayPass(directory, { user, group }));
  if (closed !== undefined) {
    const what = `the user ${user} of the job may not pass ${closed}, on the way to the store`;
    throw new SpawnFailed("ENOTSUP", `it was not started: ${what}; put the store where that user gets`);
  }
  for (const path of paths) {
    lchownSync(path, user, group);
    for (const directory of between(store, path)) openUp(directory);
  }
}

function takeBack(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat) lchownSync(path, process.geteuid?.() ?? stat.uid, process.getegid?.() ?? stat.gid);
  if (stat?.isDirectory()) chmodSync(path, PRIVATE);
}

/** The directory that both are in. */
function commonDirectory(one: string, other: string): string {
  let common = dirname(one);
  while (relative(common, other).startsWith("..")) common = dirname(common);
  return common;
}

function ancestors(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...ancestors(parent), parent];
}

/** The store itself, and the directories from there to `path`. */
function between(store: string, path: string): string[] {
  const names = relative(store, dirname(path)).split("/").filter(Boolean);
  return [store, ...names.map((_, index) => join(store, ...names.slice(0, index + 1)))];
}

function openUp(directory: string): void {
  const mode = lstatSync(directory).mode & 0o777;
  if ((mode & PASSABLE) !== PASSABLE) chmodSync(directory, mode | PASSABLE);
}

function mayPass(directory: string, { user, group }: Account): boolean {
  const { mode, uid, gid } = lstatSync(directory);
  if (uid === user) return (mode & 0o100) !== 0;
  return (mode & (gid === group ? 0o010 : 0o001)) !== 0;
}
