import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { DEFAULT_LIMITS } from "../../src/config/definition.ts";
import { ProcessManager } from "../../src/process/manager.ts";
import type { DeadAttempt, Launch, Remains } from "../../src/process/port.ts";
import { bootId, pidNamespace } from "../../src/process/proc.ts";
import { runtime } from "../../src/runtime/index.ts";
import { PATH } from "./children.ts";
import { eventually, within } from "./eventually.ts";
import { endAll, isLiving, livingWithArgument, newMark, procText } from "./processes.ts";
import { newId, temporaryDirectory, type TemporaryDirectory } from "./temporary.ts";

const FIXTURE = join(import.meta.dir, "..", "fixtures", "supervising.ts");

export interface Place {
  readonly bootId: string;
  readonly pidNamespace: string;
}

export interface Crash extends Disposable {
  /** Where the attempt's files are. */
  readonly slot: string;
  readonly directory: TemporaryDirectory;
  readonly mark: string;
  readonly launch: Launch;
  /** A worker that runs `script`, by itself or under another program. */
  worker(script: string, under?: readonly string[]): Promise<Place & { readonly pid: number }>;
  /** Kills it, and waits until it is gone. */
  killWorker(): Promise<void>;
  recover(fields?: Partial<DeadAttempt>): Promise<Remains>;
  /** The job's own processes that live. */
  living(): number[];
  marked(count: number): Promise<number[]>;
}

const manager = new ProcessManager(runtime, systemClock);

/** An attempt whose worker can be killed. */
export function crash(fields: Partial<Launch> = {}): Crash {
  const directory = temporaryDirectory();
  const mark = newMark();
  const job = newId();
  const outlives = fields.limits?.outlive ?? false;
  const slot = outlives ? directory.of("outlive", `${job}.1`) : directory.of("worker", "slot-1");
  if (!outlives) mkdirSync(slot, { recursive: true });
  const launch: Launch = {
    job,
    attempt: 1,
    argv: [],
    cwd: directory.path,
    environment: { PATH, MARK: mark, REEVE_JOB_ID: job },
    body: null,
    role: "job",
    limits: { ...DEFAULT_LIMITS, graceMs: 300 },
    jobDirectory: directory.of("jobs", job),
    ...fields,
  };
  const workers = (): number[] => livingWithArgument(slot);
  // The worker itself has the mark in what it was told to start.
  const living = (): number[] => {
    const others = new Set(workers());
    return livingWithArgument(mark).filter((pid) => !others.has(pid));
  };
  return {
    slot,
    directory,
    mark,
    launch,
    async worker(script, under = []) {
      const described = JSON.stringify({ ...launch, argv: ["sh", "-c", script] });
      const argv = [...under, process.execPath, FIXTURE, slot, described];
      const child = Bun.spawn(argv, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
      const { value } = await within("the worker says something", child.stdout.getReader().read());
      if (!value) throw new Error(`cannot here: ${argv[0]}: ${await new Response(child.stderr).text()}`);
      // As the fixture prints it.
      return JSON.parse(new TextDecoder().decode(value)) as Place & { pid: number };
    },
    async killWorker() {
      const pids = workers().filter((pid) => livingProgram(pid));
      endAll(pids);
      await eventually("the worker is gone", () => pids.every((pid) => !isLiving(pid)));
    },
    recover: (fields = {}) =>
      within(
        "the recovery is done",
        manager.recover({
          job,
          attempt: launch.attempt,
          directory: slot,
          jobDirectory: launch.jobDirectory,
          role: "job",
          limits: launch.limits,
          mayGoOn: outlives,
          bootId: bootId(),
          pidNamespace: pidNamespace(),
          workerWasInit: false,
          ...fields,
        }),
      ),
    living,
    marked: (count) =>
      eventually(`${count} processes live`, () => {
        const pids = living().filter((pid) => procText(pid, "comm") === "sleep\n");
        return pids.length >= count && pids;
      }),
    [Symbol.dispose]() {
      endAll([...workers(), ...livingWithArgument(mark)]);
      directory[Symbol.dispose]();
    },
  };
}

/** Only the worker itself, not the programs under which it was started. */
const livingProgram = (pid: number): boolean => procText(pid, "cmdline")?.split("\0")[0] === process.execPath;
