import { DEFAULT_LIMITS, type Containment } from "../../src/config/definition.ts";
import { mkdirSync, readFileSync } from "node:fs";
import { systemClock, type Clock } from "../../src/clock.ts";
import { ProcessManager } from "../../src/process/manager.ts";
import type { Launch, RunningTree, Slot, StopOrder, Takings, TreeExit } from "../../src/process/port.ts";
import { runtime } from "../../src/runtime/index.ts";
import type { Runtime } from "../../src/runtime/port.ts";
import type { Content, Output } from "../../src/store/job.ts";
import { PATH } from "./children.ts";
import { eventually, within } from "./eventually.ts";
import { endAll, livingWithArgument, newMark, stateOf } from "./processes.ts";
import { newId, temporaryDirectory, type TemporaryDirectory } from "./temporary.ts";

export const order = (graceMs = 2000, signal: StopOrder["signal"] = "TERM"): StopOrder => ({ signal, graceMs });

export interface Ended {
  readonly exit: TreeExit;
  /** What could not be ended. */
  readonly left: string | null;
  readonly takings: Takings;
}

/** A process manager with one slot, and a mark by which whatever it started is found. */
export interface ProcessPlace extends Disposable {
  readonly manager: ProcessManager;
  readonly slot: Slot;
  readonly directory: TemporaryDirectory;
  readonly mark: string;
  /** What a shell script is started with; the mark is its $MARK. */
  launch(script: string, fields?: Partial<Launch>): Launch;
  start(script: string, fields?: Partial<Launch>): RunningTree;
  /** Starts a script and waits until the tree is gone and taken in. */
  run(script: string, fields?: Partial<Launch>, stop?: StopOrder): Promise<Ended>;
  /** Waits until so many processes with the mark live. */
  marked(count: number): Promise<number[]>;
}

export interface PlaceOptions {
  readonly on?: Runtime;
  /** The directory in which its own is made. */
  readonly below?: string;
  readonly containment?: Containment;
  readonly clock?: Clock;
}

/** On the runtime that this is, in a directory for temporary files, unless told otherwise. */
export function processPlace({
  on = runtime,
  below,
  containment,
  clock = systemClock,
}: PlaceOptions = {}): ProcessPlace {
  const directory = temporaryDirectory(below);
  const manager = new ProcessManager(on, clock, containment);
  const slot = manager.openSlot(makeDirectory(directory.of("slot-1")));
  const mark = newMark();
  const launch = (script: string, fields: Partial<Launch> = {}): Launch => {
    const job = fields.job ?? newId();
    return {
      job,
      attempt: 1,
      argv: ["sh", "-c", script],
      cwd: directory.path,
      environment: { PATH, MARK: mark, REEVE_JOB_ID: job },
      body: null,
      role: "job",
      limits: DEFAULT_LIMITS,
      jobDirectory: directory.of("jobs", job),
      ...fields,
    };
  };
  return {
    manager,
    slot,
    directory,
    mark,
    launch,
    start: (script, fields) => slot.start(launch(script, fields)),
    run: (script, fields, stop = order()) => runOn(slot, launch(script, fields), stop),
    marked: (count) =>
      eventually(`${count} processes live`, () => {
        const living = livingWithArgument(mark);
        return living.length >= count && living;
      }),
    [Symbol.dispose]() {
      endAll(livingWithArgument(mark));
      slot.close();
      directory[Symbol.dispose]();
    },
  };
}

async function runOn(slot: Slot, launch: Launch, stop: StopOrder): Promise<Ended> {
  const tree = slot.start(launch);
  const exit = await within("the main process ends", tree.exited);
  const left = await within("the tree is gone", tree.gone(stop));
  return { exit, left, takings: slot.collect(launch) };
}

export function makeDirectory(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

/** The process has stopped itself, by which fixtures say that they are ready. */
export const stoppedItself = (pid: number): Promise<unknown> =>
  eventually(`${pid} is ready`, () => stateOf(pid) === "T");

export const textOf = (content: Content): string =>
  content.kind === "inline" ? new TextDecoder().decode(content.bytes) : readFileSync(content.path, "utf8");

/** The text of each stream. */
export const textsOf = (outputs: readonly Output[]): Record<string, string> =>
  Object.fromEntries(outputs.map(({ stream, content }) => [stream, textOf(content)]));
