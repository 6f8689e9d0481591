import { closeSync } from "node:fs";
import type { Exit, Runtime, SpawnedProcess, SpawnOptions } from "../runtime/port.ts";
import type { ControlGroup } from "./control-group.ts";
import { cookieOf, TREE_VARIABLE } from "./environment.ts";
import type { Confined } from "./confinement.ts";
import { lendSlot } from "./handing-over.ts";
import type { Launch } from "./port.ts";
import type { Runner } from "./accounts.ts";
import type { ExitRecord } from "./shim.ts";
import type { SlotFiles } from "./slot-files.ts";
import { explainSpawn, missingProgram } from "./spawn-failures.ts";
import type { Supervision } from "./supervisor.ts";
import { wrapped } from "./wrapping.ts";

/** Where a main process is started. */
export interface StartPlace extends Confined {
  readonly files: SlotFiles;
  /** Where its end is kept for whoever comes later; null: only we learn it. */
  readonly record: ExitRecord | null;
  /** Where the init of its pid namespace keeps its end; null: it has none. */
  readonly init: ExitRecord | null;
}

export interface MainProcess extends SpawnedProcess {
  readonly pid: number;
  /** In which it runs. */
  readonly group: ControlGroup | null;
}

/**
 * Starts the main process with the files of its slot.
 *
 * @throws SpawnFailed when there is no process.
 */
export function spawn(
  launch: Launch,
  place: StartPlace,
  supervision: Supervision,
  onExit: (exit: Exit) => void,
): MainProcess {
  const { files } = place;
  const opened: number[] = [];
  const keep = (descriptor: number): number => {
    opened.push(descriptor);
    return descriptor;
  };
  try {
    const own = launch.role === "job" ? supervision.own : null;
    const withoutBody = own?.stdin ? 0 : supervision.devNull;
    const given = launch.body === null ? withoutBody : keep(files.openBody(launch.body));
    const stdin = launch.waits ? "pipe" : given;
    const [stdout, stderr] = own?.output ? [1, 2] : openOutput(launch, files, keep);
    const control = keep(files.openLocked("control"));
    return spawnWith(launch, place, supervision, [stdin, stdout, stderr, control], onExit);
  } finally {
    // The tree has its own by now; ours would keep the locks.
    for (const descriptor of opened) closeSync(descriptor);
  }
}

function openOutput(
  launch: Launch,
  files: SlotFiles,
  keep: (descriptor: number) => number,
): [stdout: number, stderr: number] {
  const stdout = keep(files.openLocked("output"));
  return [stdout, launch.limits.output === "separate" ? keep(files.openForAppending("errors")) : stdout];
}

function spawnWith(
  launch: Launch,
  place: StartPlace,
  supervision: Supervision,
  descriptors: SpawnOptions["descriptors"],
  onExit: (exit: Exit) => void,
): MainProcess {
  const { files, enforcement } = place;
  const { runner } = enforcement;
  const names = runner === null ? {} : namesOfRunner(runner, launch.environment);
  const environment = { ...launch.environment, ...names, ...ownPlaces(launch, files) };
  const argv = wrapped(launch, place, supervision);
  if (runner) lendSlot(files, launch, [place.record, place.init], runner.account);
  const options = {
    cwd: launch.cwd,
    environment,
    descriptors,
    onExit,
    ...(runner && { account: runner.account }),
  };
  const child = supervision.inheritance.during(() => spawnIn(place, launch, argv, supervision, options));
  const { pid } = child;
  if (pid === undefined) throw explainSpawn(launch, missingProgram(launch));
  return { ...child, pid };
}

/** Where nothing can be started in a group after all, since a sandbox forbids clone3(2), it is started without. */
function spawnIn(
  { group, bounds }: Confined,
  launch: Launch,
  argv: readonly string[],
  { runtime, groups }: Supervision,
  options: SpawnOptions,
): SpawnedProcess & Pick<MainProcess, "group"> {
  // Where the runtime cannot start it there, it enters by itself.
  if (group === null || !runtime.entersGroups) return { ...attemptSpawn(launch, argv, runtime, options), group };
  try {
    return { ...attemptSpawn(launch, argv, runtime, { ...options, group: group.descriptor }), group };
  } catch (error) {
    if (groups?.areForced || bounds !== null) throw error;
    return { ...attemptSpawn(launch, argv, runtime, options), group: null };
  }
}

/** What names our own user would be wrong for the job's. */
function namesOfRunner({ user }: Runner, environment: Launch["environment"]): Record<string, string> {
  const theirs = user === null ? {} : { HOME: user.home, USER: user.name, LOGNAME: user.name };
  const inherited = Object.entries(theirs).filter(([name]) => environment[name] === process.env[name]);
  return Object.fromEntries(inherited.filter(([name]) => environment[name] !== undefined));
}

/** An exit handler has the places of the job that it cleans up after, where these are known. */
function ownPlaces(launch: Launch, files: SlotFiles): Record<string, string> {
  const places = placesOf(launch, files);
  if (launch.role === "job") return places;
  const { REEVE_RESULTS, REEVE_WORKDIR } = launch.environment;
  return { ...places, ...(REEVE_RESULTS && { REEVE_RESULTS }), ...(REEVE_WORKDIR && { REEVE_WORKDIR }) };
}

/** The variables that tell a tree of its files, and by which it is known. */
export function placesOf(launch: Launch, files: SlotFiles): Record<string, string> {
  const places: Record<string, string> = {
    [TREE_VARIABLE]: cookieOf(launch),
    REEVE_CONTROL: files.path("control"),
    REEVE_RESULTS: files.results,
    REEVE_WORKDIR: files.workDirectory(launch),
  };
  if (launch.body !== null) places["REEVE_BODY"] = files.body;
  return places;
}

function attemptSpawn(launch: Launch, argv: readonly string[], runtime: Runtime, options: SpawnOptions) {
  try {
    return runtime.spawn(argv, options);
  } catch (error) {
    throw explainSpawn(launch, error);
  }
}
