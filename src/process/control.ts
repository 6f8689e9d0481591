import { messageOf } from "../errors.ts";
import type { Heard, LogLine, Progress } from "./port.ts";

/** All that a job said of itself, one JSON object a line, on descriptor 3 or in `$REEVE_CONTROL`. */
export interface ControlMessages {
  readonly progress: Progress | null;
  readonly results: readonly DeclaredResult[];
  readonly error: SaidError | null;
  /** Milliseconds after which it wants to be run again, where its exit code puts it back; absent: not said. */
  readonly releaseMs?: number;
  readonly warnings: readonly string[];
  /** Its log lines that were not told before; absent: none. */
  readonly said?: readonly LogLine[];
}

export interface DeclaredResult {
  readonly id: string;
  /** Relative to `$REEVE_RESULTS`. */
  readonly path: string;
  readonly type: string | null;
}

export interface SaidError {
  readonly message: string;
  readonly type: "transient" | "fatal";
  /** What more there is to say, such as a stack; absent: nothing. */
  readonly detail?: string;
}

const SHOWN_WARNINGS = 20;
/** Characters of a text that are kept: of an error it may be a whole stack. */
const LONGEST_TEXT = 2000;
const LONGEST_ERROR = 16_000;
/** PATH_MAX, see limits.h(0p). */
const LONGEST_PATH = 4096;
/** Characters of all the results that one attempt declares. */
const MOST_DECLARED = 4 * 1024 * 1024;
/** Characters of log lines that are passed on at once, and what of them is given back from look to look. */
const LOG_BURST = 2 * 1024 * 1024;
const LOG_REFILL = 1024;
/** What a line of the log has beside the text. */
const LOG_FRAME = 100;
/** Ten years: what is longer is a mistake. */
const LONGEST_DEADLINE_S = 10 * 365 * 24 * 3600;

/**
 * What the messages of one attempt come to, which is bounded whatever it writes. Nonsense becomes a warning, never an
 * error: a job may write what it likes.
 */
export class ControlReader {
  #progress: Progress | null = null;
  #error: SaidError | null = null;
  #releaseMs: number | null = null;
  readonly #results = new Map<string, DeclaredResult>();
  #declared = 0;
  readonly #warnings: string[] = [];
  #said: LogLine[] = [];
  #logLeft = LOG_BURST;
  #unsaid = 0;
  #news: { progress: Progress | null; deadlineSeconds: number | null } = { progress: null, deadlineSeconds: null };

  /** What has come since this was last asked; null: nothing that concerns anybody before the end. */
  news(): Pick<Heard, "progress" | "deadlineSeconds" | "log"> | null {
    const news = { ...this.#news, log: this.#said };
    this.forgetNews();
    return news.progress || news.deadlineSeconds !== null || news.log.length > 0 ? news : null;
  }

  /** Somebody has heard it before. */
  forgetNews(): void {
    this.#news = { progress: null, deadlineSeconds: null };
    this.#said = [];
    this.#logLeft = Math.min(LOG_BURST, this.#logLeft + LOG_REFILL);
  }

  messages(): ControlMessages {
    const unsaid = this.#unsaid > 0 ? [`${this.#unsaid} of its log lines were left out: they were too many`] : [];
    return {
      progress: this.#progress,
      results: [...this.#results.values()],
      error: this.#error,
      warnings: [...this.#warnings, ...unsaid],
      ...(this.#said.length > 0 && { said: this.#said }),
      ...(this.#releaseMs !== null && { releaseMs: this.#releaseMs }),
    };
  }

  /** Messages that come to the same as all that were read, but for log lines and deadlines. */
  summary(): string {
    const { progress, results, error, releaseMs } = this.messages();
    const said = [
      ...results.map((result) => ({ result })),
      ...(error ? [{ error }] : []),
      ...(releaseMs === undefined ? [] : [{ release: releaseMs / 1000 }]),
      ...(progress ? [{ progress: progress.fraction, message: progress.message }] : []),
    ];
    return said.map((one) => `${JSON.stringify(one)}\n`).join("");
  }

  warn(warning: string): void {
    if (this.#warnings.length < SHOWN_WARNINGS) this.#warnings.push(warning);
  }

  read(line: string): void {
    const message = parseObject(line);
    if (typeof message === "string") return this.warn(`not a message (${message}): ${line.slice(0, 200)}`);
    if (!this.#take(message)) this.warn(`not a known message: ${line.slice(0, 200)}`);
  }

  #take(message: Record<string, unknown>): boolean {
    if ("progress" in message) return this.#takeProgress(message);
    if ("result" in message) return this.#takeResult(message["result"]);
    if ("error" in message) return this.#takeError(message["error"]);
    if ("deadline" in message) return this.#takeDeadline(message["deadline"]);
    if ("release" in message) return this.#takeRelease(message["release"]);
    return "log" in message && this.#takeLog(message["log"]);
  }

  #takeLog(log: unknown): boolean {
    if (!isObject(log) || typeof log["message"] !== "string") return false;
    const line = { level: textOf(log["level"], 20) ?? "info", message: log["message"].slice(0, LONGEST_TEXT) };
    const size = LOG_FRAME + line.message.length;
    if (size > this.#logLeft) this.#unsaid += 1;
    else {
      this.#logLeft -= size;
      this.#said.push(line);
    }
    return true;
  }

  #takeRelease(seconds: unknown): boolean {
    if (typeof seconds !== "number" || !(seconds >= 0 && seconds <= LONGEST_DEADLINE_S)) return false;
    this.#releaseMs = Math.round(seconds * 1000);
    return true;
  }

  #takeProgress(message: Record<string, unknown>): boolean {
    const fraction = message["progress"];
    if (typeof fraction !== "number" || !(fraction >= 0 && fraction <= 1)) return false;
    this.#progress = { fraction, message: textOf(message["message"], LONGEST_TEXT) };
    this.#news.progress = this.#progress;
    return true;
  }

  #takeDeadline(seconds: unknown): boolean {
    if (typeof seconds !== "number" || !(seconds > 0 && seconds <= LONGEST_DEADLINE_S)) return false;
    this.#news.deadlineSeconds = seconds;
    return true;
  }

  #takeResult(result: unknown): boolean {
    if (!isObject(result)) return false;
    const id = textOf(result["id"], LONGEST_TEXT);
    const path = textOf(result["path"], LONGEST_PATH);
    if (id === null || id === "" || path === null || path === "") return false;
    this.#declare({ id, path, type: textOf(result["type"], LONGEST_TEXT) });
    return true;
  }

  #declare(result: DeclaredResult): void {
    const before = this.#results.get(result.id);
    const declared = this.#declared + sizeOf(result) - (before ? sizeOf(before) : 0);
    if (declared > MOST_DECLARED)
      return this.warn(`it declares too many results: ${result.id.slice(0, 200)} is left out`);
    this.#declared = declared;
    this.#results.set(result.id, result);
  }

  #takeError(error: unknown): boolean {
    if (!isObject(error) || typeof error["message"] !== "string") return false;
    const type = error["type"] === "fatal" ? "fatal" : "transient";
    const detail = textOf(error["detail"], LONGEST_ERROR);
    this.#error = { message: error["message"].slice(0, LONGEST_ERROR), type, ...(detail !== null && { detail }) };
    return true;
  }
}

/** The object, or why the line is none. */
function parseObject(line: string): Record<string, unknown> | string {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : "not an object";
  } catch (error) {
    return messageOf(error);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const textOf = (value: unknown, longest: number): string | null =>
  typeof value === "string" ? value.slice(0, longest) : null;

/** With what is needed to keep it. */
const sizeOf = ({ id, path, type }: DeclaredResult): number => id.length + path.length + (type?.length ?? 0) + 64;
