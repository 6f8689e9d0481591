import { accessSync, closeSync, constants, existsSync, openSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { codeOf, messageOf } from "../errors.ts";
import type { Exit, Runtime, SpawnedProcess, SpawnOptions } from "../runtime/port.ts";
import type { ControlGroup } from "./control-group.ts";
import { cookieOf, TREE_VARIABLE } from "./environment.ts";
import { SpawnFailed, type Launch } from "./port.ts";
import type { ExitRecord } from "./shim.ts";
import type { SlotFiles } from "./slot-files.ts";
import type { Supervision } from "./supervisor.ts";

/** Where a main process is started. */
export interface StartPlace {
  readonly files: SlotFiles;
  readonly group: ControlGroup | null;
  /** Where its end is kept for whoever comes later; null: only we learn it. */
  readonly record: ExitRecord | null;
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
    const stdin = launch.body === null ? withoutBody : keep(openBody(launch.body, files));
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

function openBody(body: Uint8Array, files: SlotFiles): number {
  files.writeBody(body);
  return openSync(files.body, constants.O_RDONLY);
}

function spawnWith(
  launch: Launch,
  { files, record, group }: StartPlace,
  supervision: Supervision,
  descriptors: readonly [number, number, number, number],
  onExit: (exit: Exit) => void,
): MainProcess {
  const environment = { ...launch.environment, ...ownPlaces(launch, files) };
  const options = { cwd: launch.cwd, environment, descriptors, onExit };
  const argv = record === null ? launch.argv : keptArgv(launch, record);
  const child = supervision.inheritance.during(() => spawnIn(group, launch, argv, supervision, options));
  const { pid } = child;
  if (pid === undefined) throw explainSpawn(launch, missingProgram(launch));
  return { pid, group: child.group, unref: () => child.unref() };
}

/** Where nothing can be started in a group after all, since a sandbox forbids clone3(2), it is started without. */
function spawnIn(
  group: ControlGroup | null,
  launch: Launch,
  argv: readonly string[],
  { runtime, groups }: Supervision,
  options: SpawnOptions,
): SpawnedProcess & Pick<MainProcess, "group"> {
  if (group === null) return { ...attemptSpawn(launch, argv, runtime, options), group };
  try {
    return { ...attemptSpawn(launch, argv, runtime, { ...options, group: group.descriptor }), group };
  } catch (error) {
    if (groups?.areForced) throw error;
    return { ...attemptSpawn(launch, argv, runtime, options), group: null };
  }
}

/** The shell between would tell a program that is not there by its exit code only. */
function keptArgv(launch: Launch, record: ExitRecord): readonly string[] {
  const code = unfitCode(launch);
  if (code !== undefined) throw explainSpawn(launch, Object.assign(new Error("it cannot be started"), { code }));
  record.prepare();
  return record.keeping(launch.argv);
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

/** So much the arguments and the environment may always have together: execve(2). */
const ALWAYS_FITS = 128 * 1024;

/** Where the runtime tells the reason only later, what can be seen now is told. */
function missingProgram(launch: Launch): Error {
  return Object.assign(new Error("it did not start"), { code: missingCode(launch) });
}

/** Why the program cannot be started, as far as a look at its file tells. */
function unfitCode({ argv, environment, cwd }: Launch): "ENOENT" | "EACCES" | undefined {
  const program = argv[0] ?? "";
  const places = program.includes("/") ? [cwd] : (environment["PATH"] ?? "").split(":");
  const found = places.map((place) => resolve(cwd, place, program)).filter((path) => existsSync(path));
  if (found.length === 0) return "ENOENT";
  return found.some(isExecutable) ? undefined : "EACCES";
}

function missingCode(launch: Launch): string | undefined {
  const { argv, environment } = launch;
  const unfit = unfitCode(launch);
  if (unfit !== undefined) return unfit;
  const texts = [...argv, ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)];
  return texts.reduce((size, text) => size + Buffer.byteLength(text) + 9, 0) > ALWAYS_FITS ? "E2BIG" : undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch (error) {
    if (codeOf(error) === "EACCES") return false;
    throw error;
  }
}

function explainSpawn(launch: Launch, error: unknown): SpawnFailed {
  const program = JSON.stringify((launch.argv[0] ?? "").slice(0, 200));
  if (!isDirectory(launch.cwd)) {
    return new SpawnFailed("ENOENT", `${program} was not started: its directory ${launch.cwd} is not there`);
  }
  const errno = codeOf(error) ?? "EINVAL";
  return new SpawnFailed(errno, `${program} was not started: ${REASONS[errno] ?? messageOf(error)}`, { cause: error });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such program",
  EACCES: "it is not executable",
  ENOEXEC: "it is not a program (is its first line #!… missing?)",
  E2BIG: "its arguments and environment are too long; large data goes by stdin or file",
  ERR_INVALID_ARG_VALUE: "an argument or variable has a NUL byte in it",
};

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
