import assert from "node:assert/strict";
import type { SqsConnection } from "../../../src/queue/sqs/connection.ts";
import type { ReceivedMessage } from "../../../src/queue/sqs/message.ts";
import type { Failure } from "../../../src/queue/sqs/outcome.ts";
import { SqsServer } from "../../support/sqs-server.ts";
import type { Case } from "../suite.ts";

/** One server for all cases of a process. */
export class SqsBench implements AsyncDisposable {
  #server: Promise<SqsServer> | null = null;

  server(): Promise<SqsServer> {
    this.#server ??= SqsServer.start();
    return this.#server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#server)?.[Symbol.asyncDispose]();
  }
}

export type SqsCase = Case<SqsBench>;

export function promise(name: string, run: (server: SqsServer) => Promise<void>): SqsCase {
  return {
    name,
    async run(bench) {
      const server = await bench.server();
      server.proxy.forget();
      await run(server);
    },
  };
}

/** What was asked for; anything else fails the case. */
export function valueOf<T>(answer: { readonly kind: "ok"; readonly value: T } | Failure): T {
  if (answer.kind === "ok") return answer.value;
  throw new Error(`${answer.kind}: ${answer.message}`);
}

/** The one message that is there. */
export async function receiveOne(connection: SqsConnection): Promise<ReceivedMessage> {
  const [message, ...more] = valueOf(await connection.receive(1, 5));
  assert.ok(message, "a message is there");
  assert.equal(more.length, 0);
  return message;
}

/** All that is there, and that comes within a second. */
export async function receiveAll(connection: SqsConnection, count: number): Promise<ReceivedMessage[]> {
  const messages: ReceivedMessage[] = [];
  while (messages.length < count) {
    const more = valueOf(await connection.receive(10, 1));
    assert.ok(more.length > 0, `${messages.length} of ${count} messages came`);
    messages.push(...more);
  }
  return messages;
}

/** How it ended, and for a failure which. */
export const endOf = (outcome: { readonly kind: string; readonly name?: string }): string =>
  outcome.name === undefined ? outcome.kind : `${outcome.kind}: ${outcome.name}`;
