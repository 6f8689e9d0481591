import { basename } from "node:path";
import type { Clock } from "../clock.ts";
import type { Definition } from "../config/definition.ts";
import type { AskedMessage, MessageRoutes, RouteAnswer, RouteEvent } from "../config/message-route.ts";
import type { Asked } from "./answering.ts";
import { ConsoleLines } from "./console-lines.ts";
import type { FunctionModule } from "./definitions.ts";
import { RouteProcess, type RouteProcessOptions } from "./route-process.ts";
import type { Said, SaidJob } from "./route-result.ts";

export interface ModuleRoutesOptions extends Omit<RouteProcessOptions, "file" | "onOutput"> {
  readonly clock: Clock;
  /** Those of them that have a `route` are asked, in this order. */
  readonly modules: readonly FunctionModule[];
  readonly definitions: ReadonlyMap<string, Definition>;
  readonly tell: (event: RouteEvent) => void;
}

interface Asking {
  readonly file: string;
  readonly source: string;
  readonly process: RouteProcess;
}

/** So many in a row are not those messages' fault. */
const MANY = 3;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** Milliseconds: `Release(0)` would have the message come again and again at once. */
const SOONEST_MS = 1000;

/** The `route` functions of modules of jobs, each in a process of its own. */
export class ModuleRoutes implements MessageRoutes {
  readonly #options: ModuleRoutesOptions;
  readonly #modules: readonly Asking[];
  readonly #listeners = new Set<() => void>();
  #last: Promise<unknown> = Promise.resolve();
  /** How many in a row were not decided. */
  #undecided = 0;
  #pauses = 0;
  #resume: (() => void) | null = null;
  #isClosed = false;
  trouble: string | null = null;

  constructor(options: ModuleRoutesOptions) {
    this.#options = options;
    this.#modules = options.modules.filter(({ hasRoute }) => hasRoute).map(({ file }) => this.#open(file));
  }

  #open(file: string): Asking {
    const { tell, clock } = this.#options;
    const module = basename(file);
    const lines = new ConsoleLines(clock, (said) => tell({ type: "module said", module, said }));
    const onOutput = (bytes: Uint8Array): void => lines.take(bytes);
    return {
      file,
      source: `\`route\` of ${module}`,
      process: new RouteProcess({ ...this.#options, file, onOutput }),
    };
  }

  get names(): readonly string[] {
    return this.#modules.map(({ source }) => source);
  }

  get mayTake(): number {
    if (this.trouble === null) return Number.POSITIVE_INFINITY;
    return this.#resume === null ? 1 : 0;
  }

  onChange(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => void this.#listeners.delete(changed);
  }

  decide(message: AskedMessage, hasDefault: boolean): Promise<RouteAnswer> {
    const deciding = this.#last.then(() => this.#decide(message, hasDefault));
    this.#last = deciding.catch(() => {});
    return deciding;
  }

  async #decide(message: AskedMessage, hasDefault: boolean): Promise<RouteAnswer> {
    const asked = askedOf(message);
    let answer: RouteAnswer = { kind: "not ours" };
    for (const module of this.#modules) {
      if (this.#isClosed) return { kind: "undecided", why: "the worker stops" };
      answer = this.#answerOf(await module.process.ask(asked), module, hasDefault);
      if (answer.kind !== "not ours") break;
    }
    if (answer.kind === "undecided") this.#failed(answer.why);
    else this.#decided();
    return answer;
  }

  #answerOf(said: Said, { source, file }: Asking, hasDefault: boolean): RouteAnswer {
    switch (said.kind) {
      case "nothing":
        return { kind: "not ours" };
      case "reject":
        return { kind: "rejected", reason: said.reason };
      case "release": {
        const why = said.reason || `put back by ${source}`;
        return { kind: "put back", why, delayMs: Math.max(SOONEST_MS, said.seconds * 1000) };
      }
      case "failed":
        return { kind: "undecided", why: `${source}: ${said.message}` };
      case "job": {
        const problem = this.#problemOf(said, file, hasDefault);
        if (problem !== null) return { kind: "undecided", why: `${source} ${problem}` };
        const { job, params, args, onExit, name } = said;
        return { kind: "job", source, definition: job, params, args, onExit, label: name };
      }
      default:
        return said satisfies never;
    }
  }

  /** What is wrong with the function, and no message's fault. */
  #problemOf({ job, onExit }: SaidJob, file: string, hasDefault: boolean): string | null {
    if (job === null && !hasDefault) return "names no job, and there is none for all messages";
    const definition = job === null ? undefined : this.#options.definitions.get(job);
    if (typeof onExit !== "string" || (definition && definition.function?.file === file)) return null;
    return `gives an onExit with ${job === null ? "no job" : `the job ${job}`}: it is for jobs of its own module`;
  }

  #decided(): void {
    this.#undecided = 0;
    this.#pauses = 0;
    if (this.trouble === null) return;
    this.trouble = null;
    this.#options.tell({ type: "routing healed" });
    this.#changed();
  }

  /** One message more does not make it better while it is known. */
  #failed(why: string): void {
    this.#undecided += 1;
    if (this.#undecided < MANY || this.#resume !== null || this.#isClosed) return;
    const forMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#pauses);
    this.#pauses += 1;
    this.trouble = why;
    this.#resume = this.#options.clock.after(forMs, () => {
      this.#resume = null;
      this.#changed();
    });
    this.#options.tell({ type: "routing failed", why, forMs });
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Ends the processes, whatever they do. */
  close(): void {
    this.#isClosed = true;
    this.#resume?.();
    for (const { process } of this.#modules) process.end();
  }
}

function askedOf({ id, body, attributes, receiveCount }: AskedMessage): Asked {
  const bodyFile = body?.kind === "file" ? body.path : null;
  const text = body?.kind === "inline" ? textOf(body.bytes) : null;
  return { id, body: text, bodyFile, attributes, receiveCount };
}

const textOf = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
