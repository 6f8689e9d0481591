import { randomUUID } from "node:crypto";
import { dirname } from "node:path";
import type { Clock } from "../clock.ts";
import { Freshness } from "../process/freshness.ts";
import type { Conversation, Partner } from "../process/conversation.ts";
import { foregroundEnvironment, type Environment } from "../process/environment.ts";
import type { Exit } from "../runtime/port.ts";
import type { Asked, Loaded, Terms } from "./answering.ts";
import { shownPath } from "./places.ts";
import type { Said } from "./route-result.ts";
import { FUNCTION_VERB, type FunctionTask } from "./verb.ts";

export interface RouteProcessOptions {
  /** An absolute path. */
  readonly file: string;
  /** Of this program, for a process that loads the module. */
  readonly argv: readonly string[];
  readonly environment: Environment;
  readonly cwd: string;
  /** Milliseconds for one message. */
  readonly limitMs: number;
  readonly clock: Clock;
  readonly converse: (partner: Partner) => Conversation;
  /** What it writes to the console. */
  readonly onOutput: (bytes: Uint8Array) => void;
}

/** Milliseconds in which the module has to be loaded. */
const LOAD_WITHIN_MS = 20_000;
/** Beyond its time nobody kills it any more who should have. */
const BEYOND_MS = 2000;

/** Something that the process is to say; null: it has ended, or was given up. */
interface Pending {
  readonly resolve: (text: string | null) => void;
}

const secondsOf = (milliseconds: number): number => Math.ceil((milliseconds + BEYOND_MS) / 1000);

/**
 * One process that has loaded a module, and answers for its `route`. It is started when it is first asked; another one
 * when it has ended, was given up, or when one of the files that it has loaded is another.
 */
export class RouteProcess {
  readonly #options: RouteProcessOptions;
  #running: Running | null = null;

  constructor(options: RouteProcessOptions) {
    this.#options = options;
  }

  /** One message at a time. Never rejected. */
  async ask(asked: Asked): Promise<Said> {
    if (this.#running && !this.#running.isOfUse) this.end();
    const running = (this.#running ??= new Running(this.#options));
    const problem = await running.loaded;
    if (problem !== null) return this.#failed(problem);
    const text = await running.ask(lineOf(asked), this.#options.limitMs);
    if (text === null) return this.#failed(running.problem("asked", this.#options.limitMs));
    // Our own program wrote it, in this version.
    const said = JSON.parse(text) as Said;
    if (said.kind === "failed" && said.isOver) this.end();
    return said;
  }

  #failed(message: string): Said {
    this.end();
    return { kind: "failed", message };
  }

  end(): void {
    this.#running?.end();
    this.#running = null;
  }
}

/** What some take for the end of a line is no such end in JSON. */
const lineOf = (asked: Asked): string =>
  JSON.stringify(asked).replaceAll(/[\u2028\u2029]/g, (end) => (end === "\u2028" ? "\\u2028" : "\\u2029"));

class Running {
  /** Kept when the module is loaded: null, or why it is not. */
  readonly loaded: Promise<string | null>;
  readonly #clock: Clock;
  readonly #conversation: Conversation;
  readonly #mark = randomUUID();
  #pending: Pending | null = null;
  #exit: Exit | null = null;
  #isGivenUp = false;
  /** Null: it is not loaded yet. */
  #freshness: Freshness | null = null;

  constructor(options: RouteProcessOptions) {
    const { argv, file, environment, limitMs, converse, onOutput, clock, cwd } = options;
    const task: FunctionTask = "route";
    this.#clock = clock;
    this.#conversation = converse({
      argv: [...argv, FUNCTION_VERB, task, file],
      cwd: dirname(file),
      environment: foregroundEnvironment(environment, {}),
      onLine: (line) => this.#hear(line),
      onOutput,
      onEnd: (exit) => this.#ended(exit),
    });
    const terms: Terms = {
      mark: this.#mark,
      loadSeconds: secondsOf(LOAD_WITHIN_MS),
      answerSeconds: secondsOf(limitMs),
    };
    this.loaded = this.#load(JSON.stringify(terms), file, cwd);
  }

  get isOfUse(): boolean {
    return !this.#isOver && this.#freshness?.isFresh !== false;
  }

  get #isOver(): boolean {
    return this.#exit !== null || this.#isGivenUp;
  }

  async #load(terms: string, file: string, cwd: string): Promise<string | null> {
    const begun = this.#clock.now();
    const text = await this.ask(terms, LOAD_WITHIN_MS);
    if (text === null) return this.problem("loaded", LOAD_WITHIN_MS);
    const loaded = JSON.parse(text) as Loaded;
    if (loaded.kind === "loaded") {
      this.#freshness = new Freshness([...new Set([file, ...loaded.files])], begun);
      return null;
    }
    const { place, message } = loaded;
    return place === null ? message : `${shownPath(place.file, cwd)}:${place.line}: ${message}`;
  }

  /** Gives what it answers to a line; null: nothing, and it is of no more use. */
  async ask(line: string, withinMs: number): Promise<string | null> {
    if (this.#isOver) return null;
    const { promise, resolve } = Promise.withResolvers<string | null>();
    this.#pending = { resolve };
    const cancel = this.#clock.after(withinMs, () => {
      this.#isGivenUp = true;
      resolve(null);
    });
    this.#conversation.say(line);
    const text = await promise;
    cancel();
    this.#pending = null;
    return text;
  }

  /** What others write there is none of its answers. */
  #hear(line: string): void {
    if (line.startsWith(`${this.#mark} `)) this.#pending?.resolve(line.slice(this.#mark.length + 1));
  }

  #ended(exit: Exit): void {
    this.#exit = exit;
    this.#pending?.resolve(null);
  }

  /** Why there was no answer. */
  problem(what: "asked" | "loaded", limitMs: number): string {
    if (this.#exit === null) return `there was no answer within ${limitMs / 1000} s when it was ${what}`;
    const { failure, signal, code } = this.#exit;
    if (failure) return `its process could not be started: ${failure.message}`;
    return `its process ended when it was ${what} (${signal === null ? `exit code ${code}` : `signal ${signal}`})`;
  }

  end(): void {
    this.#isGivenUp = true;
    this.#conversation.end();
    this.#pending?.resolve(null);
  }
}
