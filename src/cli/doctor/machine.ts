import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, watch } from "node:fs";
import { availableParallelism, release, tmpdir } from "node:os";
import { join } from "node:path";
import { codeOf } from "../../errors.ts";
import { inheritedOpenFilesLimit, procIsOurs } from "../../process/proc.ts";
import type { Runtime } from "../../runtime/port.ts";
import { versionLine } from "../version.ts";
import { note, ok, wrong, type Check, type Looked } from "./finding.ts";

/** The first versions of the runtimes that have what is needed of them. */
const OLDEST: Readonly<Record<Runtime["name"], readonly [major: number, minor: number]>> = {
  bun: [1, 4],
  deno: [2, 9],
};
const PR_SET_CHILD_SUBREAPER = 36;
/** Descriptors of one running job, and of the worker itself, at most. */
const FILES_OF_A_JOB = 16;
const FILES_OF_A_WORKER = 64;

/** What a worker needs of the system. */
export function machineChecks(runtime: Runtime): Check[] {
  return [
    { name: "program", look: () => lookAtRuntime(runtime) },
    { name: "system", look: lookAtSystem },
    { name: "/proc", look: lookAtProc },
    { name: "subreaper", look: () => lookAtSubreaper(runtime) },
    { name: "inotify", look: lookAtInotify },
    { name: "open files", look: lookAtOpenFiles },
  ];
}

function lookAtRuntime({ name }: Runtime): Looked {
  const version = process.versions[name] ?? "0";
  const what = `${versionLine()}, on ${name} ${version}`;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor, leastMinor] = OLDEST[name];
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return ok(what);
  return wrong(what, `it needs ${name} ${leastMajor}.${leastMinor}`);
}

function lookAtSystem(): Looked {
  const what = `${process.platform} ${release()}, ${process.arch}, ${availableParallelism()} processors`;
  if (process.platform === "linux") return ok(what);
  return note(what, "beside Linux only a job's process group is signalled, and nothing else is looked for");
}

function lookAtProc(): Looked {
  if (procIsOurs()) return ok("shows the processes of this pid namespace");
  const what = "does not show this process: only the process group of a job can be found and ended";
  return wrong(what, "mount proc in this pid namespace");
}

function lookAtSubreaper(runtime: Runtime): Looked {
  if (runtime.libc().prctl(PR_SET_CHILD_SUBREAPER, 1) !== 0) return wrong("orphans cannot be adopted here");
  if (existsSync(`/proc/self/task/${process.pid}/children`)) return ok("what a job orphans is adopted, and found");
  return note("orphans are adopted, but this kernel does not list children: a job's strays are not found by that");
}

function lookAtInotify(): Looked {
  const most = limitOf("max_user_instances");
  const used = inotifyInstances();
  const what = `${used} of ${most ?? "?"} instances of this user are in use`;
  const directory = mkdtempSync(join(tmpdir(), "reeve-doctor-"));
  try {
    watch(directory, () => {}).close();
    return ok(what);
  } catch (error) {
    const why = codeOf(error) ?? String(error);
    return note(`${what}, one more cannot be had (${why}): changes are looked for once a second`, RAISE_INOTIFY);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const RAISE_INOTIFY = "sysctl fs.inotify.max_user_instances=512";

function limitOf(name: string): number | undefined {
  const path = `/proc/sys/fs/inotify/${name}`;
  return existsSync(path) ? Number(readFileSync(path, "utf8")) : undefined;
}

/** Of those processes that this user may look at, which are his own. */
function inotifyInstances(): number {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const links = pids.flatMap((pid) => descriptorsOf(pid).map((name) => linkOf(`/proc/${pid}/fd/${name}`)));
  return links.filter((link) => link === "anon_inode:inotify").length;
}

const descriptorsOf = (pid: string): string[] => unlessHidden(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
const linkOf = (path: string): string => unlessHidden(() => readlinkSync(path)) ?? "";

function unlessHidden<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(codeOf(error) ?? "")) return undefined;
    throw error;
  }
}

function lookAtOpenFiles(): Looked {
  const hard = Number(readFileSync("/proc/self/limits", "utf8").match(/^Max open files +\S+ +(\d+)/m)?.[1] ?? Infinity);
  const most = Math.floor((hard - FILES_OF_A_WORKER) / FILES_OF_A_JOB);
  const what = `a worker may open ${hard}, enough for ${most} jobs at once; jobs get a limit of ${inheritedOpenFilesLimit() ?? "?"}`;
  if (most >= availableParallelism()) return ok(what);
  return wrong(what, "raise the hard limit: `ulimit -Hn 4096`, or LimitNOFILE= of the unit");
}
