import { readFileSync, writeFileSync, writeSync } from "node:fs";
import { basename, dirname } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as after } from "node:timers/promises";
import { codeOf } from "../errors.ts";
import { runtime } from "../runtime/index.ts";
import { importedFiles } from "../runtime/modules.ts";
import type { ImportModule } from "../runtime/port.ts";
import type { Message } from "./context.ts";
import { loadModule } from "./load.ts";
import { explainLoadFailure, type LoadFailure } from "./load-failure.ts";
import { saidOf, verdictOf, type Said } from "./route-result.ts";
import { explain } from "./thrown.ts";
import type { WayOut } from "./work.ts";

/** The first line that a process gets that is to answer for `route`. */
export interface Terms {
  /** What the lines begin with that are answers. */
  readonly mark: string;
  /** Seconds after which it is to die by itself, in case that nobody is there any more to kill it. */
  readonly loadSeconds: number;
  readonly answerSeconds: number;
}

/** Every further one. */
export interface Asked {
  readonly id: string;
  /** Null: it is in the file. */
  readonly body: string | null;
  readonly bodyFile: string | null;
  readonly attributes: Readonly<Record<string, string>>;
  readonly receiveCount: number | null;
}

/** What it answers to the first line. */
export type Loaded =
  /** `files`: of what it has imported, as far as the runtime tells. */
  { readonly kind: "loaded"; readonly files: readonly string[] } | ({ readonly kind: "not loaded" } & LoadFailure);

const ANSWERS = 3;
/** Characters: what says more names no parameters of a job. */
const LONGEST_ANSWER = 1024 * 1024;
/** Of so many files it is seen that they have changed. */
const MOST_FILES = 2000;
/** A little more than the worker's own: of two processes it is this one that memory is taken from. */
const OOM_SCORE = "500";
const AGAIN_MS = 5;

/** A process that is asked whose messages are, until there is nobody any more who asks. */
export async function answerForRoute(file: string, importModule: ImportModule): Promise<WayOut> {
  offerToTheKernel();
  const lines = createInterface({ input: process.stdin });
  const nobodyAsks = new Promise<WayOut>((resolve) => lines.once("close", () => resolve(endGroup())));
  return Promise.race([nobodyAsks, answerAll(lines[Symbol.asyncIterator](), file, importModule)]);
}

/** Nobody is there any more to end what `route` may have started: it is in the group that this process leads. */
function endGroup(): WayOut {
  if (process.pid <= 1) return { code: 0 };
  try {
    process.kill(-process.pid, "SIGKILL");
  } catch (error) {
    if (codeOf(error) !== "ESRCH") throw error;
  }
  return { code: 0 };
}

/** What nobody catches in this process: an exception out of a timer, a rejection. Only the first one counts. */
function uncaught(): Promise<Uncaught> {
  return new Promise((resolve) => {
    // Bun does not look at what a handler has kept promised before something else wakes it.
    const soon = (error: unknown): void => void setImmediate(() => resolve({ error }));
    process.on("uncaughtException", soon);
    process.on("unhandledRejection", soon);
  });
}

interface Uncaught {
  readonly error: unknown;
}

function offerToTheKernel(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", OOM_SCORE);
  } catch (error) {
    // Where there is no such thing, or it is more than that already.
    if (codeOf(error) === undefined) throw error;
  }
}

async function answerAll(lines: AsyncIterator<string>, file: string, importModule: ImportModule): Promise<WayOut> {
  const first = await lines.next();
  if (first.done) return { code: 0 };
  // Our own program wrote it, in this version; so the others.
  const { mark, loadSeconds, answerSeconds } = JSON.parse(first.value) as Terms;
  const libc = runtime.libc();
  libc.alarm(loadSeconds);
  const loaded = await load(file, importModule);
  const uncaughtOne = uncaught();
  await tell(mark, "exports" in loaded ? { kind: "loaded", files: await filesOfModule() } : loaded);
  if (!("exports" in loaded)) return { code: 0 };
  for (;;) {
    libc.alarm(0);
    const line = await Promise.race([lines.next(), uncaughtOne]);
    if ("error" in line) return ended(line, file);
    if (line.done) return { code: 0 };
    libc.alarm(answerSeconds);
    const asked = JSON.parse(line.value) as Asked;
    const said = await Promise.race([answer(asked, loaded.exports, file), uncaughtOne]);
    if ("error" in said) {
      await tell(mark, { ...failed(said.error, file), isOver: true });
      return { code: 1 };
    }
    await tell(mark, said);
  }
}

function ended({ error }: Uncaught, file: string): WayOut {
  failed(error, file);
  return { code: 1 };
}

const filesOfModule = async (): Promise<readonly string[]> => ((await importedFiles()) ?? []).slice(0, MOST_FILES);

type Module = { readonly exports: Readonly<Record<string, unknown>> };

async function load(
  file: string,
  importModule: ImportModule,
): Promise<Module | Extract<Loaded, { kind: "not loaded" }>> {
  try {
    const exports = await loadModule(file, importModule);
    if (typeof exports["route"] === "function") return { exports };
    return { kind: "not loaded", message: `${basename(file)} exports no route any more`, place: null };
  } catch (error) {
    return { kind: "not loaded", ...explainLoadFailure(error, file) };
  }
}

async function answer(asked: Asked, exports: Module["exports"], file: string): Promise<Said> {
  const { route } = exports;
  try {
    if (typeof route !== "function") throw new TypeError("route is no function");
    const given: unknown = await route(messageOf(asked));
    return saidOf(given, exports, file);
  } catch (error) {
    return verdictOf(error) ?? failed(error, file);
  }
}

function failed(error: unknown, file: string): Extract<Said, { kind: "failed" }> {
  const { message, stack } = explain(error, dirname(file));
  console.error(stack);
  return { kind: "failed", message };
}

function messageOf({ id, body, bodyFile, attributes, receiveCount }: Asked): Message {
  let text = body;
  return {
    id,
    get body() {
      text ??= bodyFile === null ? "" : readFileSync(bodyFile, "utf8");
      return text;
    },
    bodyFile,
    attributes,
    receiveCount,
  };
}

async function tell(mark: string, what: Loaded | Said): Promise<void> {
  const text = JSON.stringify(what);
  if (text.length <= LONGEST_ANSWER) return write(Buffer.from(`${mark} ${text}\n`));
  return tell(mark, { kind: "failed", message: `route gives more than ${LONGEST_ANSWER} characters` });
}

/** Whoever reads it may be slow for a moment. */
async function write(bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(ANSWERS, bytes, written);
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") throw error;
      await after(AGAIN_MS);
    }
  }
}
