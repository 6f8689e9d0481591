import { createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** A request as it came by. */
export interface Seen {
  /** `ReceiveMessage`, `DeleteMessageBatch`, …; empty where the request is none of SQS. */
  readonly action: string;
  readonly method: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
  /** The body as JSON; an empty object where it is none. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer>;
  /** The length that it claims to have, in bytes; absent: its own. */
  readonly claims?: number;
  /** It is not given before this. */
  readonly after?: Promise<void>;
  /** Half of the body, and then: the end of the connection, a reset, nothing, or one that is chunked and never ends. */
  readonly breaks?: "cut" | "reset" | "stall" | "endless";
}

/** What happens to a request on its way. */
export type Fate =
  /** It gets through, and so does its answer. */
  | "pass"
  /** The connection is closed, or reset, before the server sees it. */
  | "close"
  | "reset"
  /** The server acts, and the answer stops in its middle, or is not there at all. */
  | "cut"
  | "swallow"
  /** Nothing comes: before the server sees it, after it has acted, or in the middle of the answer. */
  | "hang"
  | "swallow and hang"
  | "stall"
  /** This instead of what a server would answer. */
  | HttpAnswer
  /** It gets through after so many milliseconds. */
  | { readonly delayMs: number };

const END_OF_HEAD = "\r\n\r\n";

/**
 * Stands on loopback between a client and a server, and does to each request what `decide` says. Without a server
 * behind it, it is one itself that gives the answers of `decide`.
 */
export class FaultProxy implements AsyncDisposable {
  readonly seen: Seen[] = [];
  decide: (request: Seen) => Fate = () => "pass";
  readonly #upstream: string | null;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Of connections opened so far. */
  connections = 0;

  private constructor(upstream: string | null) {
    this.#upstream = upstream;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  static async start(upstream: string | null = null): Promise<FaultProxy> {
    const proxy = new FaultProxy(upstream);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    // A server that listens on TCP has an address that is no string.
    return (this.#server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Nothing was seen, and all passes. */
  forget(): void {
    this.seen.length = 0;
    this.decide = () => "pass";
  }

  /** How often this was asked so far. */
  count(action: string): number {
    return this.seen.filter((request) => request.action === action).length;
  }

  /** Each of these befalls one request of this kind, in order; then all pass. */
  script(action: string, ...fates: readonly Fate[]): void {
    const left = [...fates];
    this.decide = (request) => (request.action === action ? (left.shift() ?? "pass") : "pass");
  }

  #accept(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    let pending: Buffer<ArrayBufferLike> = Buffer.alloc(0);
    let busy = Promise.resolve();
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      for (let taken = takeRequest(pending); taken; taken = takeRequest(pending)) {
        const { request } = taken;
        pending = taken.rest;
        busy = busy.then(() => this.#handle(socket, request)).catch(() => void socket.destroy());
      }
    });
  }

  async #handle(socket: Socket, request: Seen): Promise<void> {
    this.seen.push(request);
    const fate = this.decide(request);
    if (typeof fate === "object") {
      if ("status" in fate) return void (await answerWith(socket, fate));
      await new Promise((resolve) => setTimeout(resolve, fate.delayMs));
      return write(socket, await this.#forward(request));
    }
    switch (fate) {
      case "pass":
        return write(socket, await this.#forward(request));
      case "close":
        return void socket.end();
      case "reset":
        return void socket.resetAndDestroy();
      case "hang":
        return undefined;
      case "swallow":
        await this.#forward(request);
        return void socket.end();
      case "swallow and hang":
        return void (await this.#forward(request));
      case "cut":
        return void socket.end(half(await this.#forward(request)));
      case "stall":
        return void socket.write(half(await this.#forward(request)));
      default:
        return fate satisfies never;
    }
  }

  async #forward(request: Seen): Promise<HttpAnswer> {
    if (this.#upstream === null) return { status: 404, body: "nobody is here" };
    const headers = new Headers(
      [...request.headers].filter(([name]) => !/^(?:host|connection|content-length)$/.test(name)),
    );
    const { method, text } = request;
    const response = await fetch(`${this.#upstream}${request.path}`, { method, headers, body: text });
    return {
      status: response.status,
      headers: Object.fromEntries([...response.headers].filter(([name]) => /^(?:content-type|date|x-)/.test(name))),
      body: new Uint8Array(await response.arrayBuffer()),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

function takeRequest(bytes: Buffer): { request: Seen; rest: Buffer } | null {
  const headEnd = bytes.indexOf(END_OF_HEAD);
  if (headEnd < 0) return null;
  const [first = "", ...lines] = bytes.subarray(0, headEnd).toString("latin1").split("\r\n");
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const start = headEnd + END_OF_HEAD.length;
  const end = start + Number(headers.get("content-length") ?? 0);
  if (bytes.length < end) return null;
  const text = bytes.subarray(start, end).toString("utf8");
  const [method = "", path = ""] = first.split(" ");
  const action = headers.get("x-amz-target")?.replace("AmazonSQS.", "") ?? "";
  return { request: { action, method, path, headers, text, body: parse(text) }, rest: bytes.subarray(end) };
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function write(socket: Socket, answer: HttpAnswer): void {
  const { head, body } = encode(answer);
  socket.write(Buffer.concat([head, body]));
}

async function answerWith(socket: Socket, answer: HttpAnswer): Promise<void> {
  await answer.after;
  switch (answer.breaks) {
    case undefined:
      return write(socket, answer);
    case "cut":
      return void socket.end(half(answer));
    case "stall":
      return void socket.write(half(answer));
    case "reset":
      await new Promise((resolve) => socket.write(half(answer), resolve));
      return void socket.resetAndDestroy();
    case "endless":
      return await writeForEver(socket, answer);
    default:
      return answer.breaks satisfies never;
  }
}

/** Until nobody listens any more. */
async function writeForEver(socket: Socket, { status, headers = {} }: HttpAnswer): Promise<void> {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 ${status} -\r\n${lines.join("")}transfer-encoding: chunked\r\n\r\n`);
  const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
  while (!socket.destroyed) await new Promise<void>((resolve) => socket.write(chunk, () => resolve()));
}

/** Promises all of the answer, and has half of it. */
function half(answer: HttpAnswer): Uint8Array {
  const { head, body } = encode(answer);
  return Buffer.concat([head, body.subarray(0, Math.floor(body.length / 2))]);
}

function encode({ status, headers = {}, body, claims }: HttpAnswer): { head: Buffer; body: Buffer } {
  const bytes = Buffer.from(body);
  const all = { ...headers, "content-length": String(claims ?? bytes.length) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return { head: Buffer.from(`HTTP/1.1 ${status} -\r\n${lines.join("")}\r\n`), body: bytes };
}

const JSON_TYPE = { "content-type": "application/x-amz-json-1.0" };

/** An answer as SQS gives it. */
export const sqsAnswer = (value: unknown): HttpAnswer => ({
  status: 200,
  headers: JSON_TYPE,
  body: JSON.stringify(value),
});

/**
 * An error as SQS tells it, with its older name in a header
 * (https://smithy.io/2.0/aws/protocols/aws-query-compatible-trait.html).
 */
export function sqsError(name: string, message: string, { status = 400, olderName = name } = {}): HttpAnswer {
  const fault = status < 500 ? "Sender" : "Receiver";
  return {
    status,
    headers: { ...JSON_TYPE, "x-amzn-query-error": `${olderName};${fault}`, "x-amzn-requestid": "request-1" },
    body: JSON.stringify({ __type: `com.amazonaws.sqs#${name}`, message }),
  };
}
