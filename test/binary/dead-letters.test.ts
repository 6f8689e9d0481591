import { afterAll, beforeAll, expect, test } from "bun:test";
import { EXTRAS, jobsIn, sendLetter, sendLetters, urlOf, ASKING } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { existing } from "../support/temporary.ts";
import { forEachForm } from "./forms.ts";
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
