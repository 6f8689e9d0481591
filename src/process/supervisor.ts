import { accessSync, closeSync, constants, existsSync, openSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Clock } from "../clock.ts";
import { codeOf, messageOf } from "../errors.ts";
import type { Exit, ResourceUsage, Runtime } from "../runtime/port.ts";
import { cookieOf } from "./environment.ts";
import type { Inheritance } from "./inheritance.ts";
import type { Orphans } from "./orphans.ts";
import { SpawnFailed, type Launch, type RunningTree, type Slot, type StopOrder, type Takings } from "./port.ts";
import { readStat, type ProcessStat } from "./proc.ts";
import { SlotFiles } from "./slot-files.ts";
import { terminate } from "./terminate.ts";
import { membersOf, signalAll, type TreeMarks } from "./tree.ts";

/** What all running trees of this worker share. */
export interface Supervision {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly orphans: Orphans;
  /** What children inherit and this process itself must not have. */
  readonly inheritance: Inheritance;
  /** The standard input of jobs without a body. */
  readonly devNull: number;
}

/** A slot on the file system, whose jobs are real processes. */
export class FileSlot implements Slot {
  readonly directory: string;
  readonly #files: SlotFiles;
  readonly #supervision: Supervision;

  constructor(directory: string, supervision: Supervision) {
    this.directory = directory;
    this.#files = new SlotFiles(directory, supervision.runtime.libc());
    this.#supervision = supervision;
  }

  start(launch: Launch): RunningTree {
    try {
      this.#files.begin();
      return new ProcessTree(launch, this.#files, this.#supervision);
    } catch (error) {
      const errno = codeOf(error);
      if (errno !== "ENOSPC" && errno !== "EMFILE" && errno !== "ENFILE") throw error;
      throw new SpawnFailed(errno, `the files of the job could not be made: ${messageOf(error)}`, { cause: error });
    }
  }

  collect(launch: Launch): Takings {
    return this.#files.collect(launch, false);
  }

  close(): void {
    this.#files.close();
  }
}

/** No process has this number, and no signal goes to it. */
const NOBODY = { pid: 0, startTime: 0 };

/** One main process and all that comes of it. */
class ProcessTree implements RunningTree {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly #files: SlotFiles;
  readonly #supervision: Supervision;
  readonly #launch: Launch;
  #marks: TreeMarks;
  #exited = false;
  #stopping: Promise<ProcessStat[]> | null = null;

  constructor(launch: Launch, files: SlotFiles, supervision: Supervision) {
    const ended = Promise.withResolvers<Exit>();
    this.#files = files;
    this.#supervision = supervision;
    // Before the spawn: what the tree writes belongs to this attempt, also when we are killed in the middle.
    files.identify(launch, NOBODY);
    this.pid = spawn(launch, files, supervision, (exit) => {
      this.#exited = true;
      supervision.orphans.left(this.pid);
      ended.resolve({ ...exit, usage: exit.usage && withoutOurPeak(exit.usage) });
    });
    supervision.orphans.joined(this.pid);
    this.exited = ended.promise;
    this.#launch = launch;
    this.#marks = { cookie: cookieOf(launch.job), leader: { pid: this.pid, startTime: 0 }, files: files.lockedFiles() };
    files.identify(launch, { pid: this.pid, startTime: 0 });
  }

  remember(): void {
    const leader = { pid: this.pid, startTime: readStat(this.pid)?.startTime ?? 0 };
    this.#marks = { ...this.#marks, leader };
    this.#files.identify(this.#launch, leader);
  }

  stop(order: StopOrder): void {
    // As long as its end was not told, nobody has asked for its status, and its pid is nobody else's.
    if (this.#stopping === null && !this.#exited) this.remember();
    this.#stopping ??= this.#end(order);
  }

  kill(): void {
    this.stop({ signal: "KILL", graceMs: 0 });
    signalAll(membersOf(this.#marks), "SIGKILL");
  }

  async gone(order: StopOrder): Promise<string | null> {
    if (this.#stopping === null && this.#isGone()) return null;
    this.stop(order);
    const left = (await this.#stopping) ?? [];
    if (left.length === 0 && this.#files.areFree()) return null;
    const pids = left.map((member) => `${member.pid} (state ${member.state})`);
    return `processes of the job could not be ended: ${pids.join(", ") || "unknown ones that hold its output open"}`;
  }

  /**
   * The quick look after an ordinary end: nobody has its files open, and this worker, to which all orphans come, has
   * adopted none that is its.
   */
  #isGone(): boolean {
    if (!this.#files.areFree()) return false;
    return this.#supervision.orphans.strangers().length === 0 || membersOf(this.#marks).length === 0;
  }

  #end(order: StopOrder): Promise<ProcessStat[]> {
    const target = { members: () => membersOf(this.#marks), signal: signalAll };
    return terminate(target, order, this.#supervision.clock);
  }
}

/** A child starts with its parent's peak as its own: only a higher one says something of the child. */
function withoutOurPeak(usage: ResourceUsage): ResourceUsage {
  const own = usage.peakBytes === null ? 0 : process.resourceUsage().maxRSS * 1024;
  return usage.peakBytes !== null && usage.peakBytes > own ? usage : { ...usage, peakBytes: null };
}

function spawn(launch: Launch, files: SlotFiles, supervision: Supervision, onExit: (exit: Exit) => void): number {
  const opened: number[] = [];
  const keep = (descriptor: number): number => {
    opened.push(descriptor);
    return descriptor;
  };
  try {
    const stdin = launch.body === null ? supervision.devNull : keep(openBody(launch.body, files));
    const stdout = keep(files.openLocked("output"));
    const stderr = launch.output === "separate" ? keep(files.openForAppending("errors")) : stdout;
    const control = keep(files.openLocked("control"));
    return spawnWith(launch, files, supervision, [stdin, stdout, stderr, control], onExit);
  } finally {
    // The tree has its own by now; ours would keep the locks.
    for (const descriptor of opened) closeSync(descriptor);
  }
}

function openBody(body: Uint8Array, files: SlotFiles): number {
  files.writeBody(body);
  return openSync(files.body, constants.O_RDONLY);
}

function spawnWith(
  launch: Launch,
  files: SlotFiles,
  supervision: Supervision,
  descriptors: readonly [number, number, number, number],
  onExit: (exit: Exit) => void,
): number {
  const environment = { ...launch.environment, ...placesOf(launch, files) };
  const options = { cwd: launch.cwd, environment, descriptors, onExit };
  const { pid } = supervision.inheritance.during(() => attemptSpawn(launch, supervision.runtime, options));
  if (pid === undefined) throw explainSpawn(launch, missingProgram(launch));
  return pid;
}

function placesOf(launch: Launch, files: SlotFiles): Record<string, string> {
  const places: Record<string, string> = {
    REEVE_CONTROL: files.path("control"),
    REEVE_RESULTS: files.results,
    REEVE_WORKDIR: files.workDirectory(launch),
  };
  if (launch.body !== null) places["REEVE_BODY"] = files.body;
  return places;
}

function attemptSpawn(launch: Launch, runtime: Runtime, options: Parameters<Runtime["spawn"]>[1]) {
  try {
    return runtime.spawn(launch.argv, options);
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

function missingCode({ argv, environment, cwd }: Launch): string | undefined {
  const program = argv[0] ?? "";
  const places = program.includes("/") ? [cwd] : (environment["PATH"] ?? "").split(":");
  const found = places.map((place) => resolve(cwd, place, program)).filter((path) => existsSync(path));
  if (found.length === 0) return "ENOENT";
  if (!found.some(isExecutable)) return "EACCES";
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
