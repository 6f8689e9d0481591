import { readFileSync } from "node:fs";
import type { ResourceLimits } from "../config/definition.ts";
import { codeOf } from "../errors.ts";
import type { Enforcement } from "./resources.ts";
import { findTool } from "./tools.ts";

export const SHELL = "/bin/sh";

/**
 * Sets what only a process can set for itself and what it starts, then becomes the job: getrlimit(2), umask(2), and the
 * control groups in which it was not started. Its words come in pairs until `--`; the rest is the job's argv.
 */
const SCRIPT = `while [ "$1" != -- ]; do
  case $1 in
    group) echo 0 >"$2" ;;
    umask) umask "$2" ;;
    *) ulimit "-$1" "$2" ;;
  esac || exit 125
  shift 2
done
shift
exec "$@"`;

/** The argv that runs the job's under its limits. `entrances` are files by which a process enters a control group. */
export function limited(
  argv: readonly string[],
  { words, niceSteps }: Pick<Enforcement, "words" | "niceSteps">,
  entrances: readonly string[],
): readonly string[] {
  const nicer = niceSteps === 0 ? argv : [findTool("nice") ?? "nice", "-n", String(niceSteps), ...argv];
  const all = [...entrances.flatMap((file) => ["group", file]), ...words];
  return all.length === 0 ? nicer : [SHELL, "-c", SCRIPT, "sh", ...all, "--", ...nicer];
}

/** POSIX has the shell count files in these. */
const BLOCK_BYTES = 512;

/** What the shell is told of a job's limits. A limit that we have ourselves already is not exceeded. */
export function ulimitWords({ cpuSeconds, openFiles, fileSizeBytes, umask }: ResourceLimits): string[] {
  return [
    // The kernel sends XCPU at the soft limit and KILL at the hard one; only the first says what it was.
    ...word("St", cpuSeconds, "Max cpu time"),
    ...word("Ht", cpuSeconds === undefined ? undefined : cpuSeconds + 1, "Max cpu time"),
    ...word("n", openFiles, "Max open files"),
    ...word("f", fileSizeBytes, "Max file size", BLOCK_BYTES),
    ...(umask === undefined ? [] : ["umask", umask.toString(8).padStart(3, "0")]),
  ];
}

function word(option: string, limit: number | undefined, name: string, unit = 1): string[] {
  if (limit === undefined) return [];
  return [option, String(Math.max(1, Math.floor(Math.min(limit, ownHardLimit(name)) / unit)))];
}

/** Of this process; infinite where there is none. */
function ownHardLimit(name: string): number {
  const hard = Number(new RegExp(`^${name} +\\S+ +(\\S+)`, "m").exec(ownLimits())?.[1]);
  return Number.isNaN(hard) ? Number.POSITIVE_INFINITY : hard;
}

function ownLimits(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "";
    throw error;
  }
}
