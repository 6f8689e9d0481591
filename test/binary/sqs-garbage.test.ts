import { afterAll, beforeAll, expect, test } from "bun:test";
import { isLiving } from "../support/processes.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { existing } from "../support/temporary.ts";
import { forEachForm, scaled } from "./forms.ts";
import { reasonOf, SqsPlace } from "./sqs-place.ts";

let server: SqsServer;
beforeAll(async () => void (server = await SqsServer.start()));
afterAll(() => server[Symbol.asyncDispose]());

/** What no `{body.id}` can be had of, with what is said of it. */
const GARBAGE: readonly (readonly [body: string, reason: RegExp])[] = [
  ["{", /not valid JSON/],
  ["hello", /not valid JSON/],
  ["null", /`id` of the message body is missing/],
  ["[]", /`id` of the message body is missing/],
  ['{"id":null}', /`id` of the message body is null/],
  ['{"id":"-rf"}', /begins with `-`/],
  ['{"id":"a\\u0000b"}', /holds a NUL/],
  ["{".repeat(3000), /not valid JSON/],
];
const GOOD = '{"id":"a; touch pwned; $(touch pwned)"}';
const KINDS = [...GARBAGE.map(([body]) => body), GOOD, '{"id":{"a":1}}'];

async function sendAll(queue: string, count: number): Promise<void> {
  const QueueUrl = `${server.origin}/000000000000/${queue}`;
  for (let from = 0; from < count; from += KINDS.length) {
    const Entries = KINDS.map((MessageBody, index) => ({ Id: String(index), MessageBody }));
    await server.ask("SendMessageBatch", { QueueUrl, Entries });
  }
}

forEachForm("a worker on SQS that is sent garbage", (form) => {
  const count = scaled(form, 10_000, 100);

  test.concurrent(
    `${count} messages: none stops it, none is lost, each is done or in the dead letters with a reason`,
    async () => {
      await using place = await SqsPlace.open(form, server);
      const [queue, dead] = await server.createPair();
      await sendAll(queue, count);
      // Straight to the server: there is nothing to be seen on the way, and much that comes by.
      const url = `${server.origin}/000000000000/${queue}`;
      const worker = await place.worker(["--queue", url, "--concurrency", "8", "--", "true", "{body.id}"]);
      await place.emptied(queue, 100_000);
      expect(isLiving(worker.pid)).toBe(true);
      const letters = await server.waiting(dead);
      for (const [body, reason] of GARBAGE) {
        const ofKind = letters.filter((letter) => letter.body === body);
        expect([body, ofKind.length]).toEqual([body, count / KINDS.length]);
        expect(String(reasonOf(existing(ofKind[0])))).toMatch(reason);
      }
      expect(letters).toHaveLength((count / KINDS.length) * GARBAGE.length);
      expect(await place.list("--phase", "COMPLETED")).toHaveLength((count / KINDS.length) * 2);
      expect(place.read("pwned")).toBe("");
    },
  );
});
