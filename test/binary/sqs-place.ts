import type { JobDocument } from "../../src/uws/document.ts";
import { eventually } from "../support/eventually.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { ENVIRONMENT, type HeldMessage, type SqsServer } from "../support/sqs-server.ts";
import type { Form } from "./forms.ts";
import { Place, type Running } from "./place.ts";

/** A message attribute as it is sent. */
export const text = (StringValue: string) => ({ DataType: "String", StringValue });

/**
 * A place whose program asks a server's queues through a proxy of its own, so that what befalls it befalls no other test
 * that runs beside it.
 */
export class SqsPlace extends Place {
  readonly server: SqsServer;
  readonly proxy: FaultProxy;

  private constructor(form: Form, server: SqsServer, proxy: FaultProxy, store?: string) {
    super(form, store);
    this.server = server;
    this.proxy = proxy;
  }

  static async open(form: Form, server: SqsServer, store?: string): Promise<SqsPlace> {
    return new SqsPlace(form, server, await FaultProxy.start(server.origin), store);
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

  /** Null: the store has no such job yet. */
  async seen(id: string): Promise<JobDocument | null> {
    const { code, stdout } = await this.reeve("show", "--json", id);
    // The program wrote it; what of it is looked at, the tests check.
    return code === 0 ? (JSON.parse(stdout) as JobDocument) : null;
  }

  /** Waits until a job is in that phase, and gives what is known of it. */
  async reaches(id: string, phase: string): Promise<JobDocument> {
    return eventually(
      `job ${id} is ${phase}`,
      async () => {
        const job = await this.seen(id);
        return job?.phase === phase ? job : null;
      },
      30_000,
    );
  }

  /** Waits until nobody has anything of the queue any more, and nothing waits in it. */
  async emptied(queue: string, patienceMs = 30_000): Promise<void> {
    await eventually(`${queue} is empty`, async () => (await this.server.size(queue)) === 0, patienceMs);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
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

/** Why a dead letter was given up. */
export const reasonOf = ({ messageAttributes }: HeldMessage): unknown =>
  messageAttributes["reeve.reason"]?.["StringValue"];

/** A definition of `reeve.toml` for messages of the kind of its name, with a shell's script. */
export function definitionOf(name: string, script: string, ...lines: readonly string[]): string {
  const route = `route = { attribute = "kind", equals = "${name}" }`;
  return [`[jobs.${name}]`, `command = ["sh", "-c", ${JSON.stringify(script)}]`, route, ...lines, ""].join("\n");
}
