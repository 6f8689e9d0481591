import type { AddressInfo } from "node:net";
import { buildApp } from "fauxqs";
import { systemClock } from "../../src/clock.ts";
import {
  connect,
  type ConnectionPorts,
  type ConnectionSettings,
  type SqsConnection,
} from "../../src/queue/sqs/connection.ts";
import { runtime } from "../../src/runtime/index.ts";
import { FaultProxy } from "./fault-proxy.ts";

/** The signature is checked by nobody, but there must be one. */
export const ENVIRONMENT = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" } as const;

/** Undefined: not set. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Gives what these were before. */
export function setEnvironment(wanted: Environment): Environment {
  const before = Object.fromEntries(Object.keys(wanted).map((name) => [name, process.env[name]]));
  for (const [name, value] of Object.entries(wanted)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  return before;
}

/** One queue's own attributes, by the names of SQS. */
type QueueAttributes = Readonly<Record<string, string>>;

/** A message as the server holds it. */
export interface HeldMessage {
  readonly messageId: string;
  readonly body: string;
  readonly messageAttributes: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly messageGroupId?: string;
  readonly messageDeduplicationId?: string;
  readonly approximateReceiveCount: number;
}

interface Inspection {
  readonly messages: {
    readonly ready: readonly HeldMessage[];
    readonly delayed: readonly HeldMessage[];
    readonly inflight: readonly {
      readonly message: HeldMessage;
      readonly receiptHandle: string;
      readonly visibilityDeadline: number;
    }[];
  };
}

/** What is the same in all tests: the machine's clock, and no chance in pauses. */
export const connectFor = (
  settings: Partial<ConnectionSettings> & { url: string },
  ports: Partial<ConnectionPorts> = {},
): Promise<SqsConnection> =>
  connect(
    { environment: {}, callLimitMs: 2000, pollMarginMs: 1000, ...settings },
    { runtime, clock: systemClock, random: () => 0, warn: (message) => console.error(message), ...ports },
  );

/** An SQS-compatible server on loopback, with a proxy before it that all requests of a connection go through. */
export class SqsServer implements AsyncDisposable {
  readonly proxy: FaultProxy;
  /** Past the proxy. */
  readonly origin: string;
  readonly #app: ReturnType<typeof buildApp>;
  readonly #restore: () => void;
  #queues = 0;

  private constructor(app: ReturnType<typeof buildApp>, origin: string, proxy: FaultProxy, restore: () => void) {
    this.#restore = restore;
    this.#app = app;
    this.origin = origin;
    this.proxy = proxy;
  }

  static async start(): Promise<SqsServer> {
    const before = setEnvironment(ENVIRONMENT);
    const app = buildApp({ logger: false });
    await app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = app.server.address() as AddressInfo;
    const origin = `http://127.0.0.1:${port}`;
    return new SqsServer(app, origin, await FaultProxy.start(origin), () => void setEnvironment(before));
  }

  /** Gives the new queue's name; what the proxy did and saw is forgotten. */
  async createQueue(attributes: QueueAttributes = {}): Promise<string> {
    this.#queues += 1;
    const name = `queue-${this.#queues}${attributes["FifoQueue"] === "true" ? ".fifo" : ""}`;
    await this.ask("CreateQueue", { QueueName: name, Attributes: attributes });
    this.proxy.forget();
    return name;
  }

  /** Two queues, the second of which is the first one's dead letter queue; gives their names. */
  async createPair(attributes: QueueAttributes = {}, maxReceiveCount: number | string = 3): Promise<[string, string]> {
    const dead = await this.createQueue("FifoQueue" in attributes ? { FifoQueue: "true" } : {});
    const policy = { deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:${dead}`, maxReceiveCount };
    return [await this.createQueue({ ...attributes, RedrivePolicy: JSON.stringify(policy) }), dead];
  }

  /** A connection to a queue, through the proxy. */
  connect(
    name: string,
    settings: Partial<ConnectionSettings> = {},
    ports: Partial<ConnectionPorts> = {},
  ): Promise<SqsConnection> {
    return connectFor({ url: `${this.proxy.origin}/000000000000/${name}`, ...settings }, ports);
  }

  /** Past the proxy. */
  async ask(action: string, body: object, region = "us-east-1"): Promise<Readonly<Record<string, unknown>>> {
    const response = await fetch(this.origin, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": `AmazonSQS.${action}`,
        // The server tells its regions apart by it.
        authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/${region}/sqs/aws4_request`,
      },
      body: JSON.stringify(body),
    });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`${action}: ${JSON.stringify(answer)}`);
    return Object(answer) as Readonly<Record<string, unknown>>;
  }

  async send(name: string, body: string, fields: object = {}): Promise<string> {
    const url = `${this.origin}/000000000000/${name}`;
    const { MessageId } = await this.ask("SendMessage", { QueueUrl: url, MessageBody: body, ...fields });
    return String(MessageId);
  }

  async #inspect(name: string): Promise<Inspection["messages"]> {
    const response = await fetch(`${this.origin}/_fauxqs/queues/${name}`);
    return ((await response.json()) as Inspection).messages;
  }

  /** What can be received now, and what is held back by a delay. */
  async waiting(name: string): Promise<HeldMessage[]> {
    const { ready, delayed } = await this.#inspect(name);
    return [...ready, ...delayed];
  }

  /** How many there are, whether they can be received now or not. */
  async size(name: string): Promise<number> {
    const QueueUrl = `${this.origin}/000000000000/${name}`;
    const { Attributes } = await this.ask("GetQueueAttributes", { QueueUrl, AttributeNames: ["All"] });
    const counts = Object.entries(Object(Attributes)).filter(([key]) => key.startsWith("ApproximateNumberOfMessages"));
    return counts.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  /** What somebody has received. */
  async inFlight(name: string): Promise<Inspection["messages"]["inflight"]> {
    return (await this.#inspect(name)).inflight;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await this.#app.close();
    this.#restore();
  }
}
