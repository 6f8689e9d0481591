import { test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { ENVIRONMENT, type HeldMessage, type SqsServer } from "../support/sqs-server.ts";
import { COMPILED, type Form } from "./forms.ts";
import { Place, type LogLine, type Running } from "./place.ts";

/** Places that are open at the same time. */
const MOST_AT_ONCE = 5;
const PATIENCE_MS = 60_000;
/** All that are before it have ended by then. */
const TURN_MS = 100_000;

/** A message attribute as it is sent. */
export const text = (StringValue: string) => ({ DataType: "String", StringValue });

/**
 * A place whose program asks a server's queues through a proxy of its own, so that what befalls it befalls no other test
 * that runs beside it.
 */
export class SqsPlace extends Place {
  readonly server: SqsServer;
  readonly proxy: FaultProxy;
  static #open = 0;

  private constructor(form: Form, server: SqsServer, proxy: FaultProxy) {
    super(form);
    this.server = server;
    this.proxy = proxy;
  }

  /** Waits for its turn: what many do at once on a busy machine would tell of the machine only. */
  static async open(form: Form, server: SqsServer): Promise<SqsPlace> {
    await eventually("few others are open", () => SqsPlace.#open < MOST_AT_ONCE, TURN_MS);
    SqsPlace.#open += 1;
    return new SqsPlace(form, server, await FaultProxy.start(server.origin));
  }

  override get environment(): Record<string, string> {
    return { ...super.environment, ...ENVIRONMENT };
  }

  urlOf(queue: string): string {
    return `${this.proxy.origin}/000000000000/${queue}`;
  }

  /** Sends a message of a kind, which definitions may ask for by `route`. Gives its id, which is its job's. */
  send(queue: string, kind: string, body = "{}", attributes: object = {}): Promise<string> {
    return this.server.send(queue, body, { MessageAttributes: { ...attributes, kind: text(kind) } });
  }

  /** A worker on one queue, with a command for all of its messages. */
  workOn(queue: string, args: readonly string[], ...command: readonly string[]): Promise<Running> {
    return this.worker(["--queue", this.urlOf(queue), ...args, "--", ...command]);
  }

  /** Waits until nobody has anything of the queue any more, and nothing waits in it. */
  async emptied(queue: string, patienceMs = PATIENCE_MS): Promise<void> {
    await eventually(`${queue} is empty`, async () => (await this.server.size(queue)) === 0, patienceMs);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    SqsPlace.#open -= 1;
    await super[Symbol.asyncDispose]();
    await this.proxy[Symbol.asyncDispose]();
  }
}

/** Another consumer of the same queue, which takes what it can get: gives what it got. */
export class Thief implements AsyncDisposable {
  readonly stolen: unknown[] = [];
  #isOver = false;
  readonly #ended: Promise<void>;

  constructor(server: SqsServer, queue: string) {
    this.#ended = this.#take(server, `${server.origin}/000000000000/${queue}`);
  }

  async #take(server: SqsServer, QueueUrl: string): Promise<void> {
    while (!this.#isOver) {
      const { Messages = [] } = await server.ask("ReceiveMessage", { QueueUrl, WaitTimeSeconds: 1 });
      this.stolen.push(...[Messages].flat());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#ended;
  }
}

/** Waits until a worker has told that an attempt of the job ended so. */
export async function ended(worker: Running, id: string, phase: string): Promise<void> {
  const isIt = (line: LogLine): boolean => line.event === "job ended" && line.job === id && line.phase === phase;
  await eventually(`job ${id} is ${phase}`, () => worker.log().some(isIt), PATIENCE_MS);
}

/** For a test that takes long, and tells of no runtime: of the other forms there is none. */
export const testCompiled = (form: Form) => (name: string, body: () => Promise<void>) => {
  if (form === COMPILED) test.concurrent(name, body);
};

/** Why a dead letter was given up. */
export const reasonOf = ({ messageAttributes }: HeldMessage): unknown =>
  messageAttributes["reeve.reason"]?.["StringValue"];

/** A definition of `reeve.toml` for messages of the kind of its name, with a shell's script. */
export function definitionOf(name: string, script: string, ...lines: readonly string[]): string {
  const route = `route = { attribute = "kind", equals = "${name}" }`;
  return [`[jobs.${name}]`, `command = ["sh", "-c", ${JSON.stringify(script)}]`, route, ...lines, ""].join("\n");
}
