import { join } from "node:path";

/** For jobs of 0.1 to 0.3 s: another time for each of twenty. */
const secondsOf = (index: number): number => (10 + ((index * 7) % 20)) / 100;

/** An SQS-compatible server in a process of its own, so that it does its work beside those that are measured. */
export class LocalSqs implements AsyncDisposable {
  readonly #process: Bun.Subprocess;
  readonly #origin: string;
  #queues = 0;

  private constructor(server: Bun.Subprocess, port: number) {
    this.#process = server;
    this.#origin = `http://127.0.0.1:${port}`;
  }

  /** @param latencyMs by how much each answer is late */
  static async start(latencyMs = 0): Promise<LocalSqs> {
    const listening = Promise.withResolvers<number>();
    const program = join(import.meta.dirname, "yardsticks/sqs-server.ts");
    const server = Bun.spawn([process.execPath, program, String(latencyMs)], {
      stdio: ["ignore", "ignore", "inherit"],
      ipc: (port: number) => listening.resolve(port),
      onExit: (_server, code) => listening.reject(new Error(`the server ended with ${code}`)),
    });
    return new LocalSqs(server, await listening.promise);
  }

  /** Gives the URL of a new queue that has so many messages. */
  async newQueue(messages: number): Promise<string> {
    this.#queues += 1;
    const name = `queue-${this.#queues}`;
    const { QueueUrl } = await this.#ask("CreateQueue", { QueueName: name });
    const url = `${this.#origin}/000000000000/${name}`;
    for (let sent = 0; sent < messages; sent += 10) {
      const Entries = Array.from({ length: Math.min(10, messages - sent) }, (_, index) => ({
        Id: String(index),
        MessageBody: JSON.stringify({ id: sent + index, seconds: secondsOf(sent + index) }),
      }));
      await this.#ask("SendMessageBatch", { QueueUrl, Entries });
    }
    return url;
  }

  /** How many requests for work there were so far: what fills the queues is not counted. */
  async requests(): Promise<number> {
    const counts = Object.entries(await this.#counts());
    return counts.reduce((sum, [action, count]) => (/^(?:Send|Create)/.test(action) ? sum : sum + count), 0);
  }

  /** How many of them were polls. */
  async polls(): Promise<number> {
    return (await this.#counts())["ReceiveMessage"] ?? 0;
  }

  async #counts(): Promise<Readonly<Record<string, number>>> {
    const response = await fetch(`${this.#origin}/_counts`);
    return (await response.json()) as Record<string, number>;
  }

  async #ask(action: string, body: object): Promise<{ readonly QueueUrl?: string }> {
    const response = await fetch(this.#origin, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": `AmazonSQS.${action}`,
        // The server tells its regions apart by it.
        authorization: "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request",
      },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${action}: ${await response.text()}`);
    return (await response.json()) as { QueueUrl?: string };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill();
    await this.#process.exited;
  }
}
