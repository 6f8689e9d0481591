import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Runtime } from "../../runtime/port.ts";
import { explain } from "../../store/database.ts";
import { inspect, type DatabaseFacts, type WorkerFacts } from "../../store/inspection.ts";
import { refuseUnsafeFilesystem, type StoreLocation } from "../../store/location.ts";
import { isoTime } from "../../uws/document.ts";
import { isAlive } from "../living-workers.ts";
import { counted } from "../render/text.ts";
import { byteSize } from "../render/times.ts";
import { note, ok, wrong, type Check, type Looked } from "./finding.ts";

/** Below the first nothing works for long, below the second not for ever. */
const NO_ROOM_BYTES = 16 * 1024 * 1024;
const LITTLE_ROOM_BYTES = 512 * 1024 * 1024;
/** A clock that is so much behind what it was has gone back; less is a correction. */
const CLOCK_SLACK_MS = 5000;
/** Before this program was made. */
const LONG_AGO = Date.UTC(2026, 0, 1);

/** Numbers of statfs(2). */
const FILESYSTEMS = new Map([
  [0xef53, "ext4"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x2fc12fc1, "zfs"],
  [0xf2f52010, "f2fs"],
  [0x794c7630, "overlayfs"],
  [0x01021994, "tmpfs"],
]);

/** The store, and what is in it. Nothing is made and nothing is changed. */
export function storeChecks(location: StoreLocation, runtime: Runtime): Check[] {
  let read: DatabaseFacts | null | undefined;
  const facts = (): DatabaseFacts | null => (read ??= readFacts(location, runtime));
  return [
    { name: "store", look: () => lookAtDirectory(location) },
    { name: "database", look: () => lookAtDatabase(facts()) },
    { name: "workers", look: () => lookAtWorkers(facts(), runtime) },
    { name: "clock", look: () => lookAtClock(facts(), Date.now()) },
  ];
}

/** @throws ReeveError when there is one that cannot be read. */
function readFacts({ database: path }: StoreLocation, runtime: Runtime): DatabaseFacts | null {
  if (!existsSync(path)) return null;
  try {
    const database = runtime.openDatabase(path, { create: false });
    try {
      return inspect(database);
    } finally {
      database.close();
    }
  } catch (error) {
    throw explain(error, path);
  }
}

function lookAtDirectory({ directory }: StoreLocation): Looked {
  const there = existingAbove(directory);
  const { type, bavail, bsize } = statfsSync(there);
  refuseUnsafeFilesystem(directory, type, process.env["REEVE_SHARED_FILESYSTEM"] === "1");
  const free = bavail * bsize;
  const absent = there === directory ? "" : ", not there yet: `reeve submit` makes it";
  const kind = FILESYSTEMS.get(type) ?? `filesystem 0x${type.toString(16)}`;
  const what = `${directory} on ${kind}, ${byteSize(free)} free${absent}`;
  if (!mayWrite(there)) return wrong(`${what}; ${there} cannot be written`, "check its owner and permissions");
  if (free < NO_ROOM_BYTES) return wrong(what, "make room: nothing can be recorded");
  if (free < LITTLE_ROOM_BYTES) return note(what, "make room before it is full");
  if (kind === "tmpfs") return note(what, "what is on a tmpfs does not outlast a restart");
  return ok(what);
}

function existingAbove(path: string): string {
  return existsSync(path) ? path : existingAbove(dirname(path));
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return statSync(path).isDirectory();
  } catch {
    // Whatever is in the way, it cannot be written.
    return false;
  }
}

function lookAtDatabase(facts: DatabaseFacts | null): Looked {
  if (facts === null) return ok("not there yet");
  const { version, ownVersion, minReader } = facts;
  const what = `schema ${version}, of this program ${ownVersion}, for programs from ${minReader ?? "?"} on`;
  if (version > ownVersion && (minReader ?? Number.POSITIVE_INFINITY) > ownVersion) {
    return wrong(`${what}: a newer version made it`, "use the newer binary, or another --store");
  }
  if (version > ownVersion) return note(`${what}: a newer version made it, and this one can work on it`);
  if (version < ownVersion) return note(`${what}: the next verb that opens it brings it up to date`);
  return ok(what);
}

function lookAtWorkers(facts: DatabaseFacts | null, runtime: Runtime): Looked {
  const workers = facts?.workers ?? [];
  const alive = workers.filter((worker) => isAlive(worker, runtime.libc()));
  const dead = workers.filter((worker) => !alive.includes(worker));
  const left = dead.reduce((sum, { jobs }) => sum + jobs, 0);
  const names = [named("alive", alive), named("dead", dead)].filter(Boolean).join("; ") || "none";
  if (left > 0 && alive.length === 0) {
    return wrong(`${names}, with ${counted(left, "job")} left behind`, "`reeve work` puts them in order");
  }
  if (left > 0) return note(`${names}, with ${counted(left, "job")} left behind`, "a living worker puts them in order");
  const ill = alive.filter(({ trouble }) => trouble !== null).map(({ id, trouble }) => `${id} is ill: ${trouble}`);
  if (ill.length > 0) return note(`${names}; ${ill.join("; ")}`, "`reeve doctor --queue URL` looks at its queue");
  return alive.length === 0 ? note(names, "`reeve work` runs what is queued") : ok(names);
}

function named(state: string, workers: readonly WorkerFacts[]): string {
  const names = workers.map(({ id, pid, jobs }) => `${id} (pid ${pid}, ${counted(jobs, "job")})`);
  return names.length === 0 ? "" : `${names.length} ${state}: ${names.join(", ")}`;
}

function lookAtClock(facts: DatabaseFacts | null, now: number): Looked {
  const what = `it is ${isoTime(now)}`;
  if (now < LONG_AGO) return wrong(`${what}, before this program was made`, "set the clock");
  const newest = facts?.newestJobAt ?? null;
  if (newest !== null && newest > now + CLOCK_SLACK_MS) {
    return wrong(`${what}, but a job was made at ${isoTime(newest)}`, "set the clock: delays and dates go by it");
  }
  return ok(what);
}
