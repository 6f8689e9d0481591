import { afterAll, beforeAll, expect, test } from "bun:test";
import { EXTRAS, jobsIn, sendLetter, sendLetters, urlOf, ASKING } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { existing } from "../support/temporary.ts";
import { COMPILED, forEachForm } from "./forms.ts";
import { Place } from "./place.ts";

let server: SqsServer;
beforeAll(async () => void (server = await SqsServer.start()));
afterAll(() => server[Symbol.asyncDispose]());

forEachForm("dead letters of SQS", (form) => {
  test("they are listed and stay as they were; those that are meant go back as they were sent", async () => {
    await using place = new Place(form);
    const [queue, dead] = await server.createPair();
    const run = async (...args: string[]) => {
      const done = await place.run(["dead", ...args, "--queue", urlOf(server, queue)], ASKING);
      expect({ code: done.code, stderr: done.stderr }).toMatchObject({ code: 0 });
      return done.stdout;
    };
    const jobs = await sendLetters(server, dead, 12);
    await sendLetter(server, dead, { job: "another-job", definition: "thumbnail", reason: "timeout" });

    const listed = JSON.parse(await run("list", "--json", "--limit", "13")) as Readonly<Record<string, unknown>>[];
    expect(listed.map(({ id }) => id).toSorted()).toEqual([...jobs, "another-job"].toSorted());
    expect(listed.find(({ id }) => id === "another-job")).toMatchObject({ definition: "thumbnail", reason: "timeout" });
    expect([(await server.waiting(dead)).length, await server.inFlight(dead)]).toEqual([13, []]);

    const back = (await run("retry", "--all", "--job", "resize")).trim().split("\n");
    expect(back.toSorted()).toEqual(jobs.toSorted());
    expect(await jobsIn(server, queue)).toEqual(jobs.toSorted());
    for (const { body, messageAttributes } of await server.waiting(queue)) {
      const id = existing(messageAttributes["reeve.job"]);
      expect(messageAttributes).toEqual({ ...EXTRAS, "reeve.job": id });
      expect(JSON.parse(body)).toEqual({ job: "resize", params: { job: id["StringValue"] } });
    }
    expect([await jobsIn(server, dead), await server.inFlight(dead)]).toEqual([["another-job"], []]);

    expect(await run("purge", "another-job")).toBe("another-job\n");
    expect([await server.waiting(dead), await server.inFlight(dead)]).toEqual([[], []]);
  });

  test("a signal ends it between two letters, by itself; all that was not done is there for the next", async () => {
    await using place = new Place(form);
    const [queue, dead] = await server.createPair();
    // The first that come are not meant, and held.
    for (const job of ["another-1", "another-2"]) await sendLetter(server, dead, { job, definition: "thumbnail" });
    const jobs = await sendLetters(server, dead, 12);
    const args = ["dead", "retry", "--all", "--job", "resize", "--rate", "2", "--queue", urlOf(server, queue)];
    const retry = place.start(args, ASKING);
    await eventually("some went back", () => retry.stdout().split("\n").length > 2);
    retry.signal("SIGINT");
    const { code, signal, stdout, stderr } = await retry.ended;
    expect({ code, signal }).toEqual({ code: null, signal: "SIGINT" });
    const back = stdout.trim().split("\n");
    expect(stderr).toContain(`stopped: ${back.length} letters sent back`);
    expect(await jobsIn(server, queue)).toEqual(back.toSorted());
    const left = ["another-1", "another-2", ...jobs].filter((job) => !back.includes(job));
    expect(await jobsIn(server, dead)).toEqual(left.toSorted());
    expect(await server.inFlight(dead)).toEqual([]);
  });
});

test("a second signal breaks off what does not answer; nothing was sent or deleted", async () => {
  await using place = new Place(COMPILED);
  const [queue, dead] = await server.createPair();
  await sendLetters(server, dead, 1);
  server.proxy.decide = ({ action }) => (action === "SendMessageBatch" ? "hang" : "pass");
  const retry = place.start(["dead", "retry", "--all", "--queue", urlOf(server, queue)], ASKING);
  await eventually("it waits for an answer", () => server.proxy.count("SendMessageBatch") > 0);
  const begun = performance.now();
  retry.signal("SIGTERM");
  const again = setInterval(() => retry.signal("SIGTERM"), 500);
  try {
    const { signal, stdout, stderr } = await retry.ended;
    expect({ signal, stdout }).toEqual({ signal: "SIGTERM", stdout: "" });
    expect(stderr).toMatch(/job-of-letter-1 .* stays, but a copy may have been sent[^]*stopped: 0 letters sent back/);
  } finally {
    clearInterval(again);
  }
  // By itself it would have gone on asking for ten seconds.
  expect(performance.now() - begun).toBeLessThan(9000);
  expect(server.proxy.count("DeleteMessageBatch")).toBe(0);
  expect((await server.waiting(dead)).length + (await server.inFlight(dead)).length).toBe(1);
});

test("a job that was given up is run again, as another job, when its letter has been sent back", async () => {
  await using place = new Place(COMPILED);
  server.proxy.forget();
  const [queue, dead] = await server.createPair();
  place.write(
    "reeve.toml",
    `[queues.main]
url = "${urlOf(server, queue)}"
[jobs.resize]
command = ["sh", "-c", "test -e mended || exit 7"]
reject = [7]
params.image = { type = "string" }
`,
  );
  const run = (...args: string[]) => place.run([...args, "--queue", "main"], ASKING);
  const id = (await run("submit", "resize", "--param", "image=a.png")).stdout.trim();
  expect((await run("work", "--once")).code).toBe(1);
  expect((await run("dead", "list", "--limit", "1")).stdout).toMatch(/ exit code 7 +resize\n$/);
  place.write("mended", "");
  expect(await run("dead", "retry", id)).toMatchObject({ code: 0, stdout: `${id}\n` });
  expect((await run("work", "--once")).code).toBe(0);
  const jobs = await place.list();
  expect(jobs.map(({ jobId, phase }) => [jobId === id, phase]).toSorted()).toEqual([
    [false, "COMPLETED"],
    [true, "ERROR"],
  ]);
  expect([await server.waiting(queue), await server.waiting(dead), await server.inFlight(queue)]).toEqual([[], [], []]);
});
