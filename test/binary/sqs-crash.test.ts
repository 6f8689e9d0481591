import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually, within } from "../support/eventually.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { existing } from "../support/temporary.ts";
import { forEachForm } from "./forms.ts";
import type { Running } from "./place.ts";
import { definitionOf, reasonOf, SqsPlace, testCompiled } from "./sqs-place.ts";

let server: SqsServer;
beforeAll(async () => void (server = await SqsServer.start()));
afterAll(() => server[Symbol.asyncDispose]());

/** A short lease, so that what a dead worker had is soon there again. */
const shortLease = (place: SqsPlace, queue: string): string =>
  `[worker]\nrecovery_interval = "200ms"\n[queues.main]\nurl = "${place.urlOf(queue)}"\nvisibility = "4s"\nbeat = "500ms"\nwait = "1s"\n`;
const SHORT = 'grace = "100ms"';

const died = async (worker: Running): Promise<void> => {
  expect(await within("the worker is killed", worker.ended)).toMatchObject({ signal: "SIGKILL" });
};

forEachForm("a worker on SQS", (form) => {
  testCompiled(form)(
    "that is killed by a message is followed by others, until that message is given up; all others are done",
    async () => {
      await using place = await SqsPlace.open(form, server);
      const [queue, dead] = await server.createPair({}, 10);
      const definitions = [
        definitionOf("good", 'echo "$REEVE_MESSAGE_ID" >> good; sleep 0.1', SHORT),
        // Its shell's parent is the worker.
        definitionOf("poison", 'echo "$REEVE_RECEIVE_COUNT" >> poison; kill -9 $PPID; exec sleep 100', SHORT),
      ];
      place.write("reeve.toml", `${shortLease(place, queue)}${definitions.join("\n")}`);
      const poison = await place.send(queue, "poison");
      const good: string[] = [];
      for (let index = 0; index < 6; index += 1) good.push(await place.send(queue, "good"));

      for (let round = 0; round < 3; round += 1) await died(await place.worker(["--concurrency", "4"]));
      await place.worker(["--concurrency", "4"]);
      await place.emptied(queue);

      const [letter, ...others] = await server.waiting(dead);
      expect(others).toEqual([]);
      const job = await place.show(poison);
      expect([job.phase, job.jobInfo.lost]).toEqual(["ERROR", 3]);
      expect(reasonOf(existing(letter))).toBe(existing(job.errorSummary).message);
      expect(job.errorSummary?.message).toMatch(/lost/);
      expect(place.lines("poison")).toHaveLength(3);
      for (const id of good) expect(await place.phase(id)).toBe("COMPLETED");
      expect(new Set(place.lines("good"))).toEqual(new Set(good));
    },
  );

  test.concurrent(
    "that is killed between the record of an end and the delete: the message comes again, and is not run again",
    async () => {
      await using place = await SqsPlace.open(form, server);
      const [queue, dead] = await server.createPair();
      const definitions = [
        definitionOf("good", 'echo "$REEVE_MESSAGE_ID" >> good', SHORT),
        definitionOf("bad", 'echo "$REEVE_MESSAGE_ID" >> bad; exit 3', SHORT, "max_attempts = 1"),
      ];
      place.write("reeve.toml", `${shortLease(place, queue)}${definitions.join("\n")}`);
      const ids = [await place.send(queue, "good"), await place.send(queue, "bad")];
      // It may not delete anything, be it that it has been copied before.
      place.proxy.decide = ({ action }) => (action.startsWith("DeleteMessage") ? "hang" : "pass");
      const worker = await place.worker();
      await eventually("both were to be deleted", () => place.proxy.count("DeleteMessageBatch") >= 2);
      worker.signal("SIGKILL");
      await died(worker);
      const ends = [await place.phase(ids[0] ?? ""), await place.phase(ids[1] ?? "")];
      expect(ends).toEqual(["COMPLETED", "ERROR"]);
      expect(await server.size(queue)).toBe(2);

      place.proxy.forget();
      await place.worker();
      await place.emptied(queue);
      expect([place.lines("good"), place.lines("bad")]).toEqual([[ids[0] ?? ""], [ids[1] ?? ""]]);
      expect((await place.show(ids[1] ?? "")).jobInfo.attempts).toHaveLength(1);
      expect((await server.waiting(dead)).map(reasonOf)).toEqual(["exit code 3"]);
    },
  );

  test.concurrent(
    "that is killed owes what its jobs' exit handlers have to do: whoever gets the message does that first",
    async () => {
      await using place = await SqsPlace.open(form, server);
      const [queue] = await server.createPair({}, 10);
      const handler = 'exit_handler = ["sh", "-c", "echo handler $REEVE_CAUSE $REEVE_ATTEMPT >> story"]';
      const script = "echo ran $REEVE_RECEIVE_COUNT >> story; [ -e go ] || exec sleep 1000";
      place.write("reeve.toml", `${shortLease(place, queue)}${definitionOf("job", script, SHORT, handler)}`);
      const id = await place.send(queue, "job");
      const worker = await place.worker();
      await place.file("story");
      worker.signal("SIGKILL");
      await died(worker);
      place.write("go", "");
      await place.worker();
      await eventually("nothing of it runs any more", () => place.jobProcesses().length === 0);
      // Until its message is there again it may be anybody's.
      expect(place.lines("story")).toEqual(["ran 1"]);
      await place.emptied(queue);
      expect(place.lines("story")).toEqual(["ran 1", "handler lost 1", "ran 2"]);
      const { phase, jobInfo } = await place.show(id);
      expect([phase, jobInfo.lost]).toEqual(["COMPLETED", 1]);
    },
  );
});
