import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually, stays, within } from "../support/eventually.ts";
import { isLiving } from "../support/processes.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { forEachForm } from "./forms.ts";
import type { Done, Running } from "./place.ts";
import { definitionOf, SqsPlace, testCompiled, Thief } from "./sqs-place.ts";

let server: SqsServer;
beforeAll(async () => void (server = await SqsServer.start()));
afterAll(() => server[Symbol.asyncDispose]());

const VISIBILITY_SECONDS = 8;

interface SetUp {
  readonly budget: string;
  readonly wait: string;
  readonly script: string;
  readonly limits?: readonly string[];
}

async function setUp(place: SqsPlace, { budget, wait, script, limits = [] }: SetUp): Promise<string> {
  const [queue] = await server.createPair({}, 10);
  const lease = `visibility = "${VISIBILITY_SECONDS}s"\nbeat = "1s"\nwait = "${wait}"\n`;
  const settings = `[worker]\nstop_budget = "${budget}"\n[queues.main]\nurl = "${place.urlOf(queue)}"\n${lease}`;
  place.write("reeve.toml", `${settings}${definitionOf("job", script, 'grace = "300ms"', ...limits)}`);
  return queue;
}

const polls = (place: SqsPlace): number => place.proxy.count("ReceiveMessage");

/** The seconds for which messages were to stay invisible, but for the beats. */
const putBackFor = (place: SqsPlace): unknown[] =>
  place.proxy.seen
    .filter(({ action }) => action === "ChangeMessageVisibility")
    .map(({ body }) => body["VisibilityTimeout"])
    .filter((seconds) => seconds !== VISIBILITY_SECONDS);

/** The milliseconds that it took. */
async function diesBy(worker: Running, signal: NodeJS.Signals): Promise<Done & { readonly tookMs: number }> {
  const begun = performance.now();
  const done = await within(`the worker ends by ${signal}`, worker.ended);
  expect(done).toMatchObject({ code: null, signal });
  return { ...done, tookMs: performance.now() - begun };
}

forEachForm("a stop of a worker on SQS", (form) => {
  test.concurrent(
    "puts back what runs, for when no other that stops would catch it; the next worker runs it",
    async () => {
      await using place = await SqsPlace.open(form, server);
      const script = "[ -e go ] && exit; echo begun >> begun; sleep 1000";
      const queue = await setUp(place, { budget: "6s", wait: "1s", script });
      const ids = [await place.send(queue, "job"), await place.send(queue, "job")];
      const worker = await place.worker(["--concurrency", "2"]);
      await eventually("both run", () => place.lines("begun").length === 2);
      worker.signal("SIGTERM");
      const { tookMs } = await diesBy(worker, "SIGTERM");
      expect(tookMs).toBeLessThan(6000);
      expect(place.processes()).toEqual([]);
      expect([putBackFor(place), await server.size(queue)]).toEqual([[2, 2], 2]);
      for (const id of ids) {
        const { phase, jobInfo } = await place.show(id);
        expect([phase, jobInfo.failures, jobInfo.lost]).toEqual(["QUEUED", 0, 0]);
      }
      place.write("go", "");
      await place.worker();
      await place.emptied(queue);
      for (const id of ids) expect(await place.phase(id)).toBe("COMPLETED");
    },
  );

  test.concurrent("keeps the lease while an exit handler runs, and puts the message back only then", async () => {
    await using place = await SqsPlace.open(form, server);
    const limits = [
      'exit_handler = ["sh", "-c", "echo begun >> handler; sleep 9; echo ended $REEVE_CAUSE >> handler"]',
    ];
    const script = "echo begun >> begun; sleep 1000";
    const queue = await setUp(place, { budget: "20s", wait: "1s", script, limits });
    const id = await place.send(queue, "job");
    const worker = await place.worker();
    await place.file("begun");
    await using thief = new Thief(server, queue);
    worker.signal("SIGTERM");
    await diesBy(worker, "SIGTERM");
    // Longer than the message is ours without a beat.
    expect([place.lines("handler"), thief.stolen]).toEqual([["begun", "ended stop"], []]);
    expect([await server.inFlight(queue), await place.phase(id)]).toMatchObject([[{}], "QUEUED"]);
  });

  testCompiled(form)(
    "that is told again after a while is over at once; the clean-up is owed, and comes first next time",
    async () => {
      await using place = await SqsPlace.open(form, server);
      const limits = [
        'exit_handler = ["sh", "-c", "echo handler $REEVE_CAUSE >> story; [ -e go ] || exec sleep 1000"]',
      ];
      const script = "echo ran >> story; [ -e go ] || exec sleep 1000";
      const queue = await setUp(place, { budget: "25s", wait: "1s", script, limits });
      const id = await place.send(queue, "job");
      const worker = await place.worker();
      await place.file("story");
      worker.signal("SIGTERM");
      await eventually("its handler runs", () => place.lines("story").length === 2);
      await stays("it cleans up", () => isLiving(worker.pid), 2100);
      worker.signal("SIGTERM");
      const { tookMs } = await diesBy(worker, "SIGTERM");
      expect(tookMs).toBeLessThan(5000);
      expect(place.processes()).toEqual([]);
      expect([await place.phase(id), putBackFor(place)]).toEqual(["QUEUED", [2]]);
      place.write("go", "");
      await place.worker();
      await place.emptied(queue);
      expect(place.lines("story")).toEqual(["ran", "handler stop", "handler stop", "ran"]);
      expect(await place.phase(id)).toBe("COMPLETED");
    },
  );

  test.concurrent("lets a poll end, and what it brings is put back unrun", async () => {
    await using place = await SqsPlace.open(form, server);
    const queue = await setUp(place, { budget: "12s", wait: "4s", script: "echo ran >> ran" });
    const worker = await place.worker();
    await eventually("it polls", () => polls(place) > 0);
    worker.signal("SIGINT");
    await worker.says('"worker stopping"');
    await place.send(queue, "job");
    const { tookMs } = await diesBy(worker, "SIGINT");
    expect(tookMs).toBeLessThan(4000);
    expect([place.read("ran"), polls(place), await place.list()]).toEqual(["", 1, []]);
    expect([putBackFor(place), await server.size(queue)]).toEqual([[5], 1]);
  });

  testCompiled(form)("waits for an empty poll; a later signal breaks it off, and says so", async () => {
    await using place = await SqsPlace.open(form, server);
    await setUp(place, { budget: "25s", wait: "18s", script: "true" });
    const worker = await place.worker();
    await eventually("it polls", () => polls(place) > 0);
    worker.signal("SIGTERM");
    await stays("it waits for its poll", () => isLiving(worker.pid), 2100);
    worker.signal("SIGTERM");
    const { stderr, tookMs } = await diesBy(worker, "SIGTERM");
    expect(tookMs).toBeLessThan(4000);
    expect(stderr).toContain("a poll had to be broken off");
  });

  test.concurrent("by USR1 lets what runs end, and takes no more", async () => {
    await using place = await SqsPlace.open(form, server);
    const script = "echo begun >> begun; while [ ! -e go ]; do sleep 0.02; done; echo ran >> ran";
    const queue = await setUp(place, { budget: "6s", wait: "1s", script });
    await place.send(queue, "job");
    const worker = await place.worker(["--concurrency", "1"]);
    await place.file("begun");
    await place.send(queue, "job");
    worker.signal("SIGUSR1");
    await worker.says('"worker stopping"');
    place.write("go", "");
    expect(await within("the worker ends", worker.ended)).toMatchObject({ code: 0, signal: null });
    expect([place.lines("ran"), await server.size(queue)]).toEqual([["ran"], 1]);
  });
});
