import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { sqsAnswer, sqsError, type Seen } from "../support/fault-proxy.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { existing } from "../support/temporary.ts";
import { forEachForm } from "./forms.ts";
import { definitionOf, ended, SqsPlace, text } from "./sqs-place.ts";

let server: SqsServer;
beforeAll(async () => void (server = await SqsServer.start()));
afterAll(() => server[Symbol.asyncDispose]());

async function setUp(place: SqsPlace, script: string): Promise<string> {
  const [queue] = await server.createPair({}, 10);
  const lease = 'visibility = "6s"\nbeat = "1s"\nwait = "1s"\n';
  const definition = definitionOf("job", script, 'grace = "100ms"');
  place.write("reeve.toml", `[queues.main]\nurl = "${place.urlOf(queue)}"\n${lease}${definition}`);
  return queue;
}

const WAITS = "echo $REEVE_RECEIVE_COUNT >> begun; while [ ! -e go ]; do sleep 0.02; done; echo ran >> ran";
const unavailable = sqsError("ServiceUnavailable", "later", { status: 503 });

/** Ends the visibility of all that is in flight, as nobody in the world should: gives how many these were. */
async function showAgain(queue: string): Promise<number> {
  const inFlight = await server.inFlight(queue);
  for (const { receiptHandle: ReceiptHandle } of inFlight) {
    const QueueUrl = `${server.origin}/000000000000/${queue}`;
    await server.ask("ChangeMessageVisibility", { QueueUrl, ReceiptHandle, VisibilityTimeout: 0 });
  }
  return inFlight.length;
}

const receivedTwice = (queue: string) => async (): Promise<boolean> =>
  (await server.inFlight(queue)).some(({ message }) => message.approximateReceiveCount === 2);

forEachForm("a message of SQS that comes twice", (form) => {
  const whoElse: readonly (readonly [who: string, workers: readonly string[]])[] = [
    ["the worker that runs it", ["2"]],
    ["another worker of its store", ["1", "1"]],
  ];
  for (const [who, workers] of whoElse) {
    test.concurrent(`to ${who}, is run once, and deleted by its newer receipt`, async () => {
      await using place = await SqsPlace.open(form, server);
      const queue = await setUp(place, WAITS);
      const id = await place.send(queue, "job");
      const worker = await place.worker(["--concurrency", workers[0] ?? "1"]);
      await place.file("begun");
      for (const concurrency of workers.slice(1)) await place.worker(["--concurrency", concurrency]);
      // A beat between would be told that the message is nobody's.
      place.proxy.decide = ({ action }) => (action === "ChangeMessageVisibility" ? sqsAnswer({}) : "pass");
      expect(await showAgain(queue)).toBe(1);
      await eventually("it is received again", receivedTwice(queue));
      place.proxy.decide = () => "pass";
      const [newer] = await server.inFlight(queue);
      // The worker that runs it goes on with the newer receipt.
      const isUsed = ({ action, body }: Seen): boolean =>
        action === "ChangeMessageVisibility" && body["ReceiptHandle"] === newer?.receiptHandle;
      await eventually("the newer one is kept", () => place.proxy.seen.some(isUsed));
      place.write("go", "");
      await ended(worker, id, "COMPLETED");
      await place.emptied(queue);
      expect([place.lines("begun"), place.lines("ran")]).toEqual([["1"], ["ran"]]);
      const { jobInfo } = await place.show(id);
      expect([jobInfo.attempts.length, jobInfo.lost]).toEqual([1, 0]);
      const deleted = place.proxy.seen.filter(({ action }) => action === "DeleteMessageBatch").map(({ body }) => body);
      expect(JSON.stringify(deleted)).toContain(existing(newer).receiptHandle);
      expect(await place.list()).toHaveLength(1);
    });
  }

  test.concurrent("after its end, since no delete came through, is deleted then, and was run once", async () => {
    await using place = await SqsPlace.open(form, server);
    const queue = await setUp(place, "echo ran >> ran");
    place.proxy.decide = ({ action }) => (/^(?:Delete|Change)Message/.test(action) ? unavailable : "pass");
    const id = await place.send(queue, "job");
    const worker = await place.worker();
    await worker.says("could not be told to acknowledge");
    await eventually("it is received again", receivedTwice(queue));
    place.proxy.forget();
    await place.emptied(queue);
    expect(place.lines("ran")).toEqual(["ran"]);
    const { phase, jobInfo } = await place.show(id);
    expect([phase, jobInfo.attempts.length]).toEqual(["COMPLETED", 1]);
  });

  test.concurrent("whose delete was done and not answered, is gone, and was run once", async () => {
    await using place = await SqsPlace.open(form, server);
    const queue = await setUp(place, "echo ran >> ran");
    place.proxy.script("DeleteMessageBatch", "swallow", "reset", "cut");
    const id = await place.send(queue, "job");
    await place.ok("work", "--drain");
    expect([await server.size(queue), place.lines("ran"), await place.phase(id)]).toEqual([0, ["ran"], "COMPLETED"]);
  });

  test.concurrent("under another id, as after a redrive, is a new job that names the old one", async () => {
    await using place = await SqsPlace.open(form, server);
    const queue = await setUp(place, "echo $REEVE_JOB_ID >> ran");
    const attributes = { "reeve.job": text("abcdefgh23456777abcd") };
    const messages = [await place.send(queue, "job", "{}", attributes)];
    await place.ok("work", "--drain");
    messages.push(await place.send(queue, "job", "{}", attributes));
    await place.ok("work", "--drain");
    const [second, first] = await place.list();
    expect(place.lines("ran")).toEqual([existing(first).jobId, existing(second).jobId]);
    expect([first?.jobId, second?.jobId]).toEqual(["abcdefgh23456777abcd", existing(messages[1])]);
    expect([second?.jobInfo.retryOf, first?.jobInfo.retriedAs]).toEqual([
      existing(first).jobId,
      existing(second).jobId,
    ]);
  });
});
