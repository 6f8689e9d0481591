import { messageOf } from "../errors.ts";

/** What a job says of itself, one JSON object a line, on descriptor 3 or in `$REEVE_CONTROL`. */
export interface ControlMessages {
  readonly progress: { readonly fraction: number; readonly message: string | null } | null;
  readonly results: readonly DeclaredResult[];
  readonly error: { readonly message: string; readonly type: "transient" | "fatal" } | null;
  readonly warnings: readonly string[];
  /** Its log lines; absent: none. */
  readonly said?: readonly LogLine[];
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
}

export interface DeclaredResult {
  readonly id: string;
  /** Relative to `$REEVE_RESULTS`. */
  readonly path: string;
  readonly type: string | null;
}

/** Bytes of messages that are read of one attempt; what comes after is dropped, and said so. */
export const CONTROL_QUOTA = 1024 * 1024;
const SHOWN_WARNINGS = 20;
/** Log lines of one attempt that go into the worker's log; its own output is the place for more. */
const SHOWN_LINES = 100;
const LONGEST_LINE = 2000;

const NOTHING: ControlMessages = { progress: null, results: [], error: null, warnings: [] };

/** Nonsense becomes a warning, never an error: a job may write what it likes. */
export function readControl(bytes: Uint8Array, size: number): ControlMessages {
  if (size === 0) return NOTHING;
  const reader = new ControlReader();
  if (size > bytes.length) reader.warn(`only the first ${bytes.length} of ${size} bytes of messages were read`);
  for (const line of new TextDecoder().decode(bytes).split("\n")) if (line.trim() !== "") reader.read(line);
  return reader.messages();
}

class ControlReader {
  #progress: ControlMessages["progress"] = null;
  #error: ControlMessages["error"] = null;
  readonly #results = new Map<string, DeclaredResult>();
  readonly #warnings: string[] = [];
  readonly #said: LogLine[] = [];

  messages(): ControlMessages {
    const results = [...this.#results.values()];
    const said = this.#said.length > 0 && { said: this.#said };
    return { progress: this.#progress, results, error: this.#error, warnings: this.#warnings, ...said };
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
    return "log" in message && this.#takeLog(message["log"]);
  }

  #takeLog(log: unknown): boolean {
    if (!isObject(log) || typeof log["message"] !== "string") return false;
    if (this.#said.length < SHOWN_LINES) {
      this.#said.push({ level: textOrNull(log["level"]) ?? "info", message: log["message"].slice(0, LONGEST_LINE) });
    }
    return true;
  }

  #takeProgress(message: Record<string, unknown>): boolean {
    const fraction = message["progress"];
    if (typeof fraction !== "number" || !(fraction >= 0 && fraction <= 1)) return false;
    this.#progress = { fraction, message: textOrNull(message["message"]) };
    return true;
  }

  #takeResult(result: unknown): boolean {
    if (!isObject(result)) return false;
    const id = textOrNull(result["id"]);
    const path = textOrNull(result["path"]);
    if (id === null || id === "" || path === null || path === "") return false;
    this.#results.set(id, { id, path, type: textOrNull(result["type"]) });
    return true;
  }

  #takeError(error: unknown): boolean {
    if (!isObject(error) || typeof error["message"] !== "string") return false;
    this.#error = { message: error["message"], type: error["type"] === "fatal" ? "fatal" : "transient" };
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

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);
