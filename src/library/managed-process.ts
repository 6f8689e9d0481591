import { join, resolve } from "node:path";
import { rmSync } from "node:fs";
import { DEFAULT_LIMITS, type Limits } from "../config/definition.ts";
import { inlineBody } from "../config/message-body.ts";
import { readOutputLimit } from "../config/resources.ts";
import { messageOf, usageError } from "../errors.ts";
import { foregroundEnvironment } from "../process/environment.ts";
import type { Launch, RunningTree, Slot, StopOrder } from "../process/port.ts";
import { outputBytes } from "./bytes.ts";
import type { Environment } from "./opening.ts";

export interface StartOptions {
  /** This process's own. */
  readonly cwd?: string | undefined;
  /** All that it has; this process's own, but for what is meant for its runtime. */
  readonly environment?: Environment | undefined;
  /** On its stdin; nothing. */
  readonly body?: string | Uint8Array | undefined;
  /** What is kept of its output, from its beginning and its end: bytes, or a text such as `"10MB"`; all, in memory. */
  readonly outputLimit?: string | number | undefined;
  /** Called in the next {@link ProcessManager.step} after it has ended. */
  readonly onEnd?: ((ended: EndedProcess) => void) | undefined;
}

/** A process that has ended, and nothing of its tree is left. */
export interface EndedProcess {
  readonly pid: number;
  readonly command: readonly string[];
  /** Null: a signal ended it, or how is not known. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** What it wrote to stdout and stderr, in that order in which it came. */
  readonly output: Uint8Array;
  /** What of its tree could not be ended, in words; null: nothing. */
  readonly left: string | null;
}

/** @throws SpawnFailed when there is no process, and nothing is left of its place. */
export function startIn(slot: Slot, launch: Launch): RunningTree {
  try {
    return slot.start(launch);
  } catch (error) {
    remove(slot);
    throw error;
  }
}

/** Its end, when nothing of its tree is left; its place is removed then. */
export async function endOf(slot: Slot, tree: RunningTree, launch: Launch, order: StopOrder): Promise<EndedProcess> {
  const exit = await tree.exited;
  const left = await tree.gone(order);
  const [log] = slot.collect(launch).outputs;
  const output = log ? outputBytes(log) : new Uint8Array();
  remove(slot);
  return { pid: tree.pid, command: launch.argv, exitCode: exit.code, signal: exit.signal, output, left };
}

function remove(slot: Slot): void {
  slot.close();
  rmSync(slot.directory, { recursive: true, force: true });
}

function limitOf(given: string | number): number | null {
  try {
    return readOutputLimit(given);
  } catch (error) {
    throw usageError(`outputLimit ${messageOf(error)}`);
  }
}

/** What names a process, and where its files are. */
interface Place {
  readonly directory: string;
  readonly name: string;
  readonly graceMs: number;
}

export function launchOf(argv: readonly string[], options: StartOptions, { directory, name, graceMs }: Place): Launch {
  const { cwd = ".", environment = process.env, body, outputLimit = "none" } = options;
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : (body ?? null);
  const limits: Limits = { ...DEFAULT_LIMITS, graceMs, outputLimitBytes: limitOf(outputLimit) };
  return {
    job: name,
    attempt: 1,
    role: "job",
    argv,
    cwd: resolve(cwd),
    environment: foregroundEnvironment(environment, {}),
    body: inlineBody(bytes),
    limits,
    jobDirectory: join(directory, "kept"),
  };
}
