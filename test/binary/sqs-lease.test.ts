import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually, stays, within } from "../support/eventually.ts";
import { sqsError } from "../support/fault-proxy.ts";
import { stateOf } from "../support/processes.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { existing } from "../support/temporary.ts";
import { forEachForm } from "./forms.ts";
import { definitionOf, ended, SqsPlace, testCompiled, Thief } from "./sqs-place.ts";

let server: SqsServer;
beforeAll(async () => void (server = await SqsServer.start()));
afterAll(() => server[Symbol.asyncDispose]());

const SETTINGS = 'visibility = "8s"\nbeat = "1s"\nwait = "1s"\n';
const LIMITS = ['grace = "100ms"', 'backoff = "100ms"', 'exit_handler = ["sh", "-c", "echo $REEVE_CAUSE >> cleaned"]'];

async function setUp(place: SqsPlace, script: string): Promise<string> {
  const [queue] = await server.createPair({}, 10);
  const url = `[queues.main]\nurl = "${place.urlOf(queue)}"\n${SETTINGS}`;
  place.write("reeve.toml", `${url}${definitionOf("job", script, ...LIMITS)}`);
  return queue;
}

/** Each run notes itself, its pid and its message's receive count. */
const BEGUN = 'echo "$REEVE_RECEIVE_COUNT" >> begun; echo $$ > pid';

forEachForm("the lease of a message", (form) => {
  testCompiled(form)("is kept for as long as its job runs, and while its delete is refused", async () => {
    await using place = await SqsPlace.open(form, server);
    const queue = await setUp(place, `${BEGUN}; sleep 10`);
    const id = await place.send(queue, "job");
    const worker = await place.worker();
    await place.file("begun");
    await using thief = new Thief(server, queue);
    let refusals = 0;
    place.proxy.decide = ({ action }) =>
      action === "DeleteMessageBatch" && (refusals += 1) <= 4
        ? sqsError("ServiceUnavailable", "later", { status: 503 })
        : "pass";
    await ended(worker, id, "COMPLETED");
    await place.emptied(queue);
    expect([place.lines("begun"), thief.stolen]).toEqual([["1"], []]);
    expect(refusals).toBeGreaterThan(4);
    // About one a second, and not many more.
    expect(place.proxy.count("ChangeMessageVisibility")).toBeWithin(7, 20);
    expect(place.read("cleaned")).toBe("");
  });

  testCompiled(form)("is kept while its job stands still", async () => {
    await using place = await SqsPlace.open(form, server);
    const queue = await setUp(place, `${BEGUN}; sleep 2`);
    const id = await place.send(queue, "job");
    const worker = await place.worker();
    const pid = Number(await place.file("pid"));
    await place.ok("suspend", id);
    await using thief = new Thief(server, queue);
    await stays("it stands still", () => stateOf(pid) === "T", 9000);
    await place.ok("resume", id);
    await ended(worker, id, "COMPLETED");
    await place.emptied(queue);
    expect([place.lines("begun"), thief.stolen]).toEqual([["1"], []]);
  });

  test.concurrent(
    "that cannot be extended: the job is dead before it is over, and is run again when it comes back",
    async () => {
      await using place = await SqsPlace.open(form, server);
      const queue = await setUp(
        place,
        `${BEGUN}; [ "$REEVE_RECEIVE_COUNT" -gt 1 ] || { setsid sleep 1000 & sleep 1000; }`,
      );
      const id = await place.send(queue, "job");
      place.proxy.decide = ({ action }) =>
        action === "ChangeMessageVisibility" ? sqsError("InternalError", "not today", { status: 500 }) : "pass";
      const worker = await place.worker();
      await place.file("pid");
      const received = existing((await server.inFlight(queue))[0]).visibilityDeadline;
      await ended(worker, id, "UNKNOWN");
      expect(place.jobProcesses()).toEqual([]);
      expect(received - Date.now()).toBeGreaterThan(0);
      expect(await server.inFlight(queue)).toHaveLength(1);
      expect(worker.log().filter(({ event, job }) => event === "lease lost" && job === id)).toHaveLength(1);
      expect(place.proxy.count("DeleteMessageBatch")).toBe(0);

      place.proxy.forget();
      await ended(worker, id, "COMPLETED");
      await place.emptied(queue);
      expect([place.lines("begun"), place.read("cleaned")]).toEqual([["1", "2"], ""]);
    },
  );

  test.concurrent(
    "that ran out while the worker stood still: its job is killed at once, and nothing is deleted",
    async () => {
      await using place = await SqsPlace.open(form, server);
      // It would be done with, were it not killed.
      const queue = await setUp(place, `${BEGUN}; trap "" TERM; while [ ! -e go ]; do sleep 0.05; done`);
      const id = await place.send(queue, "job");
      const worker = await place.worker();
      await place.file("pid");
      worker.signal("SIGSTOP");
      const { visibilityDeadline } = existing((await server.inFlight(queue))[0]);
      const seen = await eventually("it is another's", async () => {
        const { Messages } = await server.ask("ReceiveMessage", {
          QueueUrl: `${server.origin}/000000000000/${queue}`,
          WaitTimeSeconds: 2,
          VisibilityTimeout: 60,
        });
        return Messages;
      });
      expect([seen].flat()).toHaveLength(1);
      expect(Date.now()).toBeGreaterThanOrEqual(visibilityDeadline);
      worker.signal("SIGCONT");
      await within(
        "its tree is killed, with no grace",
        eventually("gone", () => place.jobProcesses().length === 0),
        5000,
      );
      place.write("go", "");
      await ended(worker, id, "UNKNOWN");
      expect(await server.inFlight(queue)).toHaveLength(1);
      expect([place.proxy.count("DeleteMessageBatch"), place.read("cleaned")]).toEqual([0, ""]);
      expect(place.lines("begun")).toEqual(["1"]);
      worker.signal("SIGTERM");
      expect(await within("the worker ends", worker.ended)).toMatchObject({ signal: "SIGTERM" });
      expect(await server.inFlight(queue)).toHaveLength(1);
    },
  );
});
