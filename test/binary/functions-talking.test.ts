import { afterAll, beforeAll, expect, test } from "bun:test";
import { SqsServer } from "../support/sqs-server.ts";
import { COMPILED, forEachForm } from "./forms.ts";
import { Place } from "./place.ts";
import { SqsPlace, text } from "./sqs-place.ts";

const MANY = 10_000;

const MODULE = `import { writeFileSync } from "node:fs";
import { defineJob, file } from "reeve";

export const floods = defineJob({
  run({ log, progress }) {
    for (let n = 0; n < ${MANY}; n++) {
      void log("line " + n);
      void progress(n / ${MANY});
    }
    process.exit(0);
  },
});
export const tells = defineJob({
  async run({ progress, result, log, error, jobId, attempt }) {
    console.log("to the output");
    await progress(0.5, "half way");
    await result("numbers", [1, 2]);
    await result("numbers", { a: [1, 2, 3] });
    await result("bytes/of it", new Uint8Array([1, 2, 3]));
    writeFileSync("map.png", "a picture");
    await result("map", file("map.png"));
    await result("chart", file("map.png", { type: "image/x-chart" }));
    writeFileSync("map.png", "another");
    await log("a word", "warn");
    await error("nothing much");
    return { jobId, attempt };
  },
});
export const draws = defineJob({
  run() {
    writeFileSync("chart.csv", "a,b\\n");
    return file("chart.csv");
  },
});
export const losesIt = defineJob({
  async run({ result }) {
    await result("bytes", new Uint8Array([1, 2]).buffer);
    await result("plain", {});
    return new Map([["a", 1]]);
  },
});
export const returnsNothing = defineJob({ run() {} });
`;

forEachForm("a function that tells of itself", (form) => {
  test("is heard to its last word, also when it ends at once", async () => {
    await using place = new Place(form);
    place.write("jobs.ts", MODULE);
    const id = await place.submit("--jobs", "jobs.ts", "floods");
    const { stderr } = await place.drain("--jobs", "jobs.ts", "--json");
    const said = stderr
      .split("\n")
      .flatMap((line) => /"event":"job said","message":"job \w+: line (\d+)"/.exec(line)?.[1] ?? []);
    expect(said).toEqual(Array.from({ length: MANY }, (_, n) => String(n)));
    const { phase, jobInfo } = await place.show(id);
    expect({ phase, progress: jobInfo.progress?.fraction }).toEqual({
      phase: "COMPLETED",
      progress: (MANY - 1) / MANY,
    });
  });

  test("has results of each kind, with progress, a warning, and what it returns", async () => {
    await using place = new Place(form);
    place.write("jobs.ts", MODULE);
    const ids = [];
    for (const name of ["tells", "draws", "returnsNothing", "losesIt"])
      ids.push(await place.submit("--jobs", "jobs.ts", name));
    const [tells = "", draws = "", nothing = "", losesIt = ""] = ids;
    const { stderr } = await place.drain("--jobs", "jobs.ts", "--json");
    const { results, jobInfo, phase } = await place.show(tells);
    expect({ phase, progress: jobInfo.progress }).toEqual({
      phase: "COMPLETED",
      progress: { fraction: 0.5, message: "half way" },
    });
    const types = Object.fromEntries(results.map(({ id, mimeType }) => [id, mimeType]));
    expect(types).toMatchObject({
      numbers: "application/json",
      "bytes/of it": "application/octet-stream",
      map: "image/png",
      chart: "image/x-chart",
      result: "application/json",
    });
    expect(JSON.parse(await place.ok("result", tells, "numbers"))).toEqual({ a: [1, 2, 3] });
    expect(await place.ok("result", tells, "map")).toBe("a picture");
    expect(JSON.parse(await place.ok("result", tells, "result"))).toEqual({ jobId: tells, attempt: 1 });
    expect(await place.ok("logs", tells)).toBe("to the output\n");
    expect(await place.ok("why", tells)).toContain("it exited with 0 and said: nothing much");
    expect(stderr).toMatch(/"level":"warn".*a word/);
    const sizes = (await place.show(losesIt)).results.map(({ id, size }) => `${id} ${size}`);
    expect(sizes).toEqual(["bytes 2", "plain 3", "result 3"]);
    const story = await place.ok("why", losesIt);
    expect(story).toContain('the result "result" is {}, since JSON keeps nothing of what it is (Map)');
    expect(story).not.toContain('"plain"');
    expect((await place.show(draws)).results.map(({ id, mimeType }) => [id, mimeType])).toContainEqual([
      "result",
      "text/csv",
    ]);
    expect(await place.ok("result", draws, "result")).toBe("a,b\n");
    expect((await place.show(nothing)).results.map(({ id }) => id)).not.toContain("result");
  });
});

let server: SqsServer;
beforeAll(async () => void (server = await SqsServer.start()));
afterAll(() => server[Symbol.asyncDispose]());

forEachForm("a function for messages of SQS", (form) => {
  if (form !== COMPILED) return;

  test("gets the whole message, and puts it back or away as it says", async () => {
    await using place = await SqsPlace.open(form, server);
    const [queue, dead] = await server.createPair();
    place.write("reeve.toml", `[queues.main]\nurl = "${place.urlOf(queue)}"\nwait = "1s"\n`);
    place.write(
      "jobs.ts",
      `import { defineJob, Reject, Release } from "reeve";
export const order = defineJob({
  params: { n: { type: "integer", from: "body.n", required: true } },
  route: { attribute: "kind", equals: "order" },
  run({ params, message: { id, body, attributes, receiveCount } }) {
    if (receiveCount === 1) return new Release(0);
    return { n: params.n, id, body, tenant: attributes["Tenant.Name"], kind: attributes.kind, receiveCount };
  },
});
export const refuses = defineJob({ route: { attribute: "kind", equals: "refuse" }, run: () => new Reject("not ours") });
`,
    );
    const id = await place.send(queue, "order", '{"n":7}', { "Tenant.Name": text("née") });
    const refused = await place.send(queue, "refuse");
    await place.drain("--jobs", "jobs.ts");
    expect(await place.phase(id)).toBe("COMPLETED");
    const { id: messageId, ...rest } = JSON.parse(await place.ok("result", id));
    expect(rest).toEqual({ n: 7, body: '{"n":7}', tenant: "née", kind: "order", receiveCount: 2 });
    expect(messageId).toBe((await place.show(id)).jobInfo.messageId);
    expect((await place.show(refused)).errorSummary).toMatchObject({
      type: "fatal",
      message: expect.stringContaining("not ours"),
    });
    expect(await server.size(queue)).toBe(0);
    expect(await server.size(dead)).toBe(1);
  });
});
