import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, renameSync } from "node:fs";
import type { JobDocument } from "../../src/uws/document.ts";
import { eventually } from "../support/eventually.ts";
import { isLiving } from "../support/processes.ts";
import { S3Server } from "../support/s3-server.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { forEachForm, type Form } from "./forms.ts";
import type { Running } from "./place.ts";
import { ended, reasonOf, SqsPlace, testCompiled } from "./sqs-place.ts";

let sqs: SqsServer;
beforeAll(async () => {
  sqs = await SqsServer.start();
});
afterAll(async () => {
  await sqs[Symbol.asyncDispose]();
});

/** A stop waits for the poll that is under way. */
const SHORT_POLLS = { ReceiveMessageWaitTimeSeconds: "1" };

/** What `route` makes of a message of a kind, and what the job gets. */
const FORMS_OF_ANSWERS: Readonly<Record<string, { readonly gives: string; readonly gets: Record<string, unknown> }>> = {
  named: { gives: "{ job: resize, params: { image: message.body, width: 5 } }", gets: { image: "BODY", width: "5" } },
  byName: { gives: '{ job: "resize", params: { image: "b" } }', gets: { image: "b" } },
  oneValue: { gives: "{ job: resize, params: message.body }", gets: { image: "BODY" } },
  list: { gives: '{ job: resize, args: ["d", 7] }', gets: { image: "d", width: "7" } },
  listAndNamed: { gives: '{ job: resize, args: ["e"], params: { width: 8 } }', gets: { image: "e", width: "8" } },
  tags: { gives: '{ job: resize, params: { image: "f", tags: ["x", "y"] } }', gets: { image: "f", tags: ["x", "y"] } },
  large: { gives: "{ job: resize, params: String(message.body.length) }", gets: { image: "900000" } },
  later: {
    gives: 'after(10, { job: resize, params: { image: "g" } })',
    gets: { image: "g" },
  },
  facts: {
    gives: `{ job: resize, params: [[message.id, message.attributes.kind, message.receiveCount,
      message.attributes.ApproximateReceiveCount].join(" ")] }`,
    gets: { image: "ID facts 1 1" },
  },
};

/** What it makes of others, and why they are dead letters then. */
const REJECTED: Readonly<Record<string, { readonly gives: string; readonly because: string }>> = {
  rejects: { gives: 'new Reject("no such order")', because: "no such order" },
  throwsReject: { gives: '(() => { throw new Reject("nor this"); })()', because: "nor this" },
  wrongName: {
    gives: '{ job: resize, params: { image: "a", widht: 1 } }',
    because: 'The job resize has no parameter "widht", did you mean `width`?',
  },
  wrongValue: {
    gives: '{ job: resize, params: { image: "a", width: "wide" } }',
    because: "The parameter `width` must be an integer",
  },
  noPlainValue: {
    gives: '{ job: resize, params: { image: { name: "a" } } }',
    because: "must be a text, a number, true, false or a list of these",
  },
  missing: { gives: "resize", because: "The parameter `image` is required" },
  twice: {
    gives: '{ job: resize, args: ["a"], params: { image: "b" } }',
    because:
      'The parameter "image" is given twice: by `args` of `route` of jobs.ts and by `params` of `route` of jobs.ts.',
  },
  twiceByParam: {
    gives: '{ job: resize, params: { image: "a", size: "s" } }',
    because:
      'The parameter "size" is given twice: by `params` of `route` of jobs.ts and by --param of the command line.',
  },
  tooMany: {
    gives: "{ job: resize, args: [1, 2, 3, 4, 5] }",
    because: "`route` of jobs.ts gives 5 `args`, and the job resize has 4 parameters.",
  },
  noSuchJob: { gives: '{ job: "resiez" }', because: 'names the job "resiez", which is not defined here, did you mean' },
  notOurs: { gives: "undefined", because: "The message is for no job" },
};

const JOBS = (cases: string, more = "") => `
import { defineJob, Reject, Release } from "reeve";
import { appendFileSync, existsSync, writeSync } from "node:fs";
import { setTimeout as after } from "node:timers/promises";
export const resize = defineJob({
  params: {
    image: "string",
    width: { type: "integer", default: 800 },
    tags: { type: "strings" },
    size: { type: "string" },
  },
  async run({ params, message }) { return { params, body: message.body }; },
});
${more}
export const route = (message) => {
  switch (message.attributes.kind) {
    ${cases}
  }
};`;

const casesOf = (kinds: Readonly<Record<string, { readonly gives: string }>>): string =>
  Object.entries(kinds)
    .map(([kind, { gives }]) => `case "${kind}": return ${gives};`)
    .join("\n");

/** The processes that answer for `route`. */
const routers = (place: SqsPlace): number[] =>
  place.processes().filter((pid) => {
    const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return argv.includes("_function") && argv.includes("route") && isLiving(pid);
  });

const valuesOf = ({ parameters }: JobDocument): Record<string, unknown> =>
  Object.fromEntries(parameters.map(({ id, value }) => [id, value]));

async function stop(worker: Running, place: SqsPlace): Promise<void> {
  worker.signal("SIGTERM");
  expect((await worker.ended).signal).toBe("SIGTERM");
  expect(routers(place)).toEqual([]);
}

const events = (worker: Running, event: string): string[] =>
  worker
    .log()
    .filter((line) => line.event === event)
    .map(({ message }) => message);

forEachForm("a module's route", (form: Form) => {
  test.concurrent("says whose messages are, in one of several forms", async () => {
    await using place = await SqsPlace.open(form, sqs);
    const [queue, dead] = await sqs.createPair(SHORT_POLLS);
    place.write("jobs.ts", JOBS(casesOf({ ...FORMS_OF_ANSWERS, ...REJECTED })));
    const ids = new Map<string, string>();
    for (const kind of Object.keys({ ...FORMS_OF_ANSWERS, ...REJECTED })) {
      ids.set(kind, await place.send(queue, kind, kind === "large" ? "x".repeat(900_000) : "some \u2028 body"));
    }
    const jobs = ["--jobs", "jobs.ts", "--queue", place.urlOf(queue), "--concurrency", "4"];
    const worker = await place.worker([...jobs, "--param", "size=large"]);
    await place.emptied(queue);

    for (const [kind, { gets }] of Object.entries(FORMS_OF_ANSWERS)) {
      const id = ids.get(kind) ?? "";
      await ended(worker, id, "COMPLETED");
      const filled = JSON.parse(JSON.stringify(gets).replace("BODY", "some \u2028 body").replace("ID", id));
      expect([kind, valuesOf(await place.show(id))]).toEqual([kind, { ...filled, size: "large" }]);
    }
    const letters = new Map(
      (await sqs.waiting(dead)).map((letter) => [letter.messageAttributes["kind"]?.["StringValue"], letter]),
    );
    for (const [kind, { because }] of Object.entries(REJECTED)) {
      const letter = letters.get(kind);
      expect([kind, letter && reasonOf(letter)]).toEqual([kind, expect.stringContaining(because)]);
    }
    await stop(worker, place);
  });

  test.concurrent("chooses who cleans up after a job, and the job's label", async () => {
    await using place = await SqsPlace.open(form, sqs);
    const [queue] = await sqs.createPair(SHORT_POLLS);
    const cases = {
      function: { gives: '{ job: sleeper, onExit: sweep, name: "nightly" }' },
      another: { gives: "{ job: sleeper, onExit: other }" },
      none: { gives: "{ job: sleeper, onExit: null }" },
      own: { gives: "sleeper" },
    };
    const more = `
      const note = (what) => appendFileSync("swept", what + "\\n");
      export const sweep = ({ message, cause }) => note("function of " + message.attributes.kind + ", " + cause);
      export const other = defineJob({ run() {}, onExit: ({ message }) => note("other of " + message.attributes.kind) });
      export const sleeper = defineJob({
        timeout: "100ms", grace: "100ms",
        async run() { await new Promise(() => {}); },
        onExit: ({ message }) => note("own of " + message.attributes.kind),
      });`;
    place.write("jobs.ts", JOBS(casesOf(cases), more));
    const kinds = Object.keys(cases);
    const ids = await Promise.all(kinds.map((kind) => place.send(queue, kind)));
    const worker = await place.worker(["--jobs", "jobs.ts", "--queue", place.urlOf(queue), "--concurrency", "4"]);
    for (const id of ids) await ended(worker, id, "QUEUED");
    expect(place.lines("swept").toSorted()).toEqual([
      "function of function, timeout",
      "other of another",
      "own of own",
    ]);
    expect((await Promise.all(ids.map((id) => place.show(id)))).map(({ runId }) => runId)).toEqual([
      "nightly",
      null,
      null,
      null,
    ]);
    await stop(worker, place);
  });

  test.concurrent("that cannot say it has the message put back, whatever it does, and the others go on", async () => {
    await using place = await SqsPlace.open(form, sqs);
    const [queue, dead] = await sqs.createPair(SHORT_POLLS, 10);
    const good = "{ job: resize, params: message.body }";
    const bad = {
      throws: 'throw new TypeError("no kind")',
      rejectsLater: 'return after(5).then(() => { throw new Error("later"); })',
      exits: "process.exit(3)",
      dies: 'process.kill(process.pid, "SIGKILL"); for (;;);',
      loops: "for (;;);",
      waits: "return new Promise(() => {})",
      throwsOutside: 'process.nextTick(() => { throw new Error("outside"); }); return new Promise(() => {})',
      releases: "return new Release(7200, 'not before noon')",
      noKey: "return { job: resize, parms: {} }",
      noJob: "return { params: { image: 'a' } }",
      notExported: "return { job: defineJob({ run() {} }) }",
    };
    const cases = Object.entries(bad).map(([kind, body]) => `case "${kind}": ${body};`);
    const floods = `case "floods":
      for (let i = 0; i < 300; i += 1) console.log("x".repeat(10_000));
      console.error('{"kind":"job","job":"resize","args":[["forged"]],"params":[],"name":null}');
      writeSync(3, '{"kind":"job","job":"resize","args":[["forged"]],"params":[],"name":null}\\n');
      return ${good};`;
    place.write(
      "jobs.ts",
      JOBS(
        `case "good": return ${good}; ${cases.join("\n")} ${floods}`,
        "export const another = defineJob({ run() {} });",
      ),
    );
    place.write("reeve.toml", '[worker]\nroute_timeout = "2s"\n');
    const ids = new Map<string, string>();
    for (const kind of Object.keys(bad)) {
      ids.set(kind, await place.send(queue, kind));
      ids.set(`${kind}.good`, await place.send(queue, "good", kind));
    }
    ids.set("floods", await place.send(queue, "floods", "told"));
    const worker = await place.worker(["--jobs", "jobs.ts", "--queue", place.urlOf(queue), "--concurrency", "2"]);
    const idOf = (kind: string): string => ids.get(kind) ?? "";
    const putBack = (kind: string): string | undefined =>
      events(worker, "warning").find((message) => message.startsWith(`message ${idOf(kind)} `));
    for (const kind of Object.keys(bad)) {
      await ended(worker, idOf(`${kind}.good`), "COMPLETED");
      await eventually(`${kind} is put back`, () => putBack(kind));
    }
    await ended(worker, idOf("floods"), "COMPLETED");
    expect(valuesOf(await place.show(idOf("floods")))).toEqual({ image: "told" });
    expect(putBack("throws")).toMatch(/is put back: `route` of jobs\.ts: TypeError: no kind \(jobs\.ts:\d+\)$/);
    expect(putBack("rejectsLater")).toMatch(/: Error: later \(jobs\.ts:\d+\)$/);
    expect(putBack("exits")).toEndWith("its process ended when it was asked (exit code 3)");
    expect(putBack("dies")).toEndWith("its process ended when it was asked (signal SIGKILL)");
    expect(putBack("loops")).toEndWith("there was no answer within 2 s when it was asked");
    expect(putBack("waits")).toEndWith("there was no answer within 2 s when it was asked");
    expect(putBack("throwsOutside")).toMatch(/: Error: outside \(jobs\.ts:\d+\)$/);
    expect(putBack("releases")).toEndWith("is put back: not before noon");
    expect(putBack("noKey")).toContain('route gives the key "parms": it may give job, params, args, onExit, name');
    expect(putBack("noJob")).toContain("names no job, and there is none for all messages");
    expect(putBack("notExported")).toContain(
      "gives a job that is neither one that jobs.ts exports, nor the name of one",
    );
    expect(await sqs.size(dead)).toBe(0);
    // Of the 3 MB that it writes a log has no more than it can bear.
    expect(worker.stderr().length).toBeLessThan(1_000_000);
    expect(worker.stderr()).toContain("within 10 s beyond this is left out");
    expect(routers(place).length).toBeLessThanOrEqual(1);
    await stop(worker, place);
  });

  test.concurrent("that fails for many in a row slows the taking down, until the module is another", async () => {
    await using place = await SqsPlace.open(form, sqs);
    const [queue, dead] = await sqs.createPair(SHORT_POLLS, 10);
    place.write("jobs.ts", JOBS("default: throw new Error('no database');"));
    for (let count = 0; count < 12; count += 1) await place.send(queue, "any", "old");
    const args = ["--jobs", "jobs.ts", "--queue", place.urlOf(queue), "--concurrency", "2"];
    const worker = await place.worker(args);
    await eventually("it slows down twice", () => events(worker, "routing failed").length >= 2);
    expect(events(worker, "routing failed")[1]).toMatch(/^no message is taken for 2 s, and then one: .*no database/);
    // What came with the third failure, and one for each pause.
    const failed = events(worker, "warning").filter((message) => message.includes("is put back"));
    expect(failed.length).toBeLessThanOrEqual(8);
    const trouble = async (): Promise<unknown> => JSON.parse(await place.ok("top", "--json")).workers[0].trouble;
    await eventually("it says that it is ill", async () => /no database/.test(String(await trouble())));

    place.write("next.ts", JOBS("default: return resize && { job: resize, args: [message.body] };"));
    renameSync(place.of("next.ts"), place.of("jobs.ts"));
    const id = await place.send(queue, "any", "new");
    await ended(worker, id, "COMPLETED");
    expect(events(worker, "routing healed")).toHaveLength(1);
    await eventually("it says that it is well", async () => (await trouble()) === null);
    expect(await sqs.size(dead)).toBe(0);
    await stop(worker, place);
  });

  test.concurrent("that hangs stops neither beats nor a stop, and ends with its worker however that ends", async () => {
    await using place = await SqsPlace.open(form, sqs);
    const [queue, dead] = await sqs.createPair(SHORT_POLLS, 10);
    const long = `export const long = defineJob({ grace: "100ms",
      async run() { for (; !existsSync("go"); ) await after(50); },
    });`;
    place.write(
      "jobs.ts",
      JOBS('case "long": return long; case "loops": appendFileSync("asked", "x\\n"); for (;;);', long).replace(
        "params:",
        'grace: "100ms", params:',
      ),
    );
    const settings = (limit: string): string =>
      `[worker]\nroute_timeout = "${limit}"\n[queues.main]\nurl = "${place.urlOf(queue)}"\nvisibility = "30s"\nbeat = "500ms"\n`;
    place.write("reeve.toml", settings("4s"));
    const id = await place.send(queue, "long");
    const worker = await place.worker(["--jobs", "jobs.ts", "--concurrency", "2"]);
    await eventually("it runs", async () => (await place.list("--phase", "EXECUTING")).length === 1);
    const loops = await place.send(queue, "loops");
    await eventually("it hangs", () => place.lines("asked").length === 1);
    // Both are kept from others all the while: the one that runs, and the one that is asked about.
    const deadlines = async (): Promise<Map<string, number>> =>
      new Map(
        (await sqs.inFlight(queue)).map(({ message, visibilityDeadline }) => [message.messageId, visibilityDeadline]),
      );
    const before = await deadlines();
    expect([...before.keys()].toSorted()).toEqual([id, loops].toSorted());
    await eventually("there were beats", async () =>
      [...(await deadlines())].every(
        ([message, deadline]) => deadline > (before.get(message) ?? Number.POSITIVE_INFINITY),
      ),
    );
    const givenUp = (): boolean => events(worker, "warning").some((message) => message.includes(loops));
    expect(givenUp()).toBe(false);
    await eventually("it was given up", givenUp);
    place.write("go", "");
    await ended(worker, id, "COMPLETED");

    await place.send(queue, "loops");
    await eventually("it hangs again", () => place.lines("asked").length === 2);
    const begun = performance.now();
    worker.signal("SIGTERM");
    expect((await worker.ended).signal).toBe("SIGTERM");
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(routers(place)).toEqual([]);

    place.write("reeve.toml", settings("2s"));
    const other = await place.worker(["--jobs", "jobs.ts"]);
    await place.send(queue, "loops");
    await eventually("it hangs once more", () => place.lines("asked").length === 3);
    expect(routers(place)).toHaveLength(1);
    other.signal("SIGKILL");
    await other.ended;
    await eventually("what hangs ends by itself", () => routers(place).length === 0);
    expect(await sqs.size(dead)).toBe(0);
  });

  testCompiled(form)("whose message would not come again says why among the dead letters", async () => {
    await using place = await SqsPlace.open(form, sqs);
    const [queue, dead] = await sqs.createPair(SHORT_POLLS, 1);
    place.write("jobs.ts", JOBS("default: throw new Error('no database');"));
    const id = await place.send(queue, "any");
    const worker = await place.worker(["--jobs", "jobs.ts", "--queue", place.urlOf(queue)]);
    await ended(worker, id, "ERROR");
    await place.emptied(queue);
    expect((await sqs.waiting(dead)).map(reasonOf)).toEqual([
      expect.stringMatching(/no database \(jobs\.ts:\d+\); delivery 1 was the last that its queue allows$/),
    ]);
    await stop(worker, place);
  });

  testCompiled(form)("is loaded anew when a file that it imports is another", async () => {
    await using place = await SqsPlace.open(form, sqs);
    const [queue] = await sqs.createPair(SHORT_POLLS);
    place.write("how.ts", 'export const how = "old";');
    place.write("jobs.ts", `import { how } from "./how.ts";\n${JOBS("default: return how;")}`);
    const first = await place.send(queue, "any");
    const worker = await place.worker(["--jobs", "jobs.ts", "--queue", place.urlOf(queue)]);
    await ended(worker, first, "COMPLETED");
    const [before] = routers(place);
    const same = await place.send(queue, "any");
    await ended(worker, same, "COMPLETED");
    expect(routers(place)).toEqual([before ?? 0]);
    place.write("next.ts", 'export const how = "new";');
    renameSync(place.of("next.ts"), place.of("how.ts"));
    const second = await place.send(queue, "any");
    await ended(worker, second, "COMPLETED");
    const shown = await Promise.all([first, same, second].map((id) => place.show(id)));
    expect(shown.map(valuesOf)).toEqual([{ image: "old" }, { image: "old" }, { image: "new" }]);
    await stop(worker, place);
  });

  testCompiled(form)("is given a body of S3 as text and as a file", async () => {
    await using place = await SqsPlace.open(form, sqs);
    await using s3 = await S3Server.start();
    const [queue] = await sqs.createPair(SHORT_POLLS);
    s3.put("bodies/large", "0123456789".repeat(200_000));
    const sizes = "message.body.length + ' ' + (message.bodyFile ? statSync(message.bodyFile).size : 'none')";
    place.write("jobs.ts", JOBS(`default: return ${sizes};`).replace("existsSync,", "existsSync, statSync,"));
    place.write("reeve.toml", `[queues.main]\nurl = "${place.urlOf(queue)}"\npointer_buckets = ["bodies"]\n`);
    const pointer = { s3BucketName: "bodies", s3Key: "large" };
    const body = JSON.stringify(["software.amazon.payloadoffloading.PayloadS3Pointer", pointer]);
    const id = await sqs.send(queue, body, {
      MessageAttributes: { ExtendedPayloadSize: { DataType: "Number", StringValue: "2000000" } },
    });
    const worker = await place.worker(["--jobs", "jobs.ts"], { environment: { AWS_ENDPOINT_URL_S3: s3.origin } });
    await ended(worker, id, "COMPLETED");
    expect(valuesOf(await place.show(id))).toEqual({ image: "2000000 2000000" });
    await stop(worker, place);
  });

  testCompiled(form)(
    "keeps the order of a group, whose next message waits until it can say whose the first is",
    async () => {
      await using place = await SqsPlace.open(form, sqs);
      const [queue] = await sqs.createPair({ ...SHORT_POLLS, FifoQueue: "true" }, 10);
      const note = `export const note = defineJob({ run: ({ message }) => appendFileSync("ran", message.body + "\\n") });`;
      place.write(
        "jobs.ts",
        JOBS(
          `default:
      if (message.body === "one" && message.receiveCount === 1) throw new Error("not yet");
      return note;`,
          note,
        ),
      );
      const ids: string[] = [];
      for (const body of ["one", "two", "three"]) {
        ids.push(await sqs.send(queue, body, { MessageGroupId: "group", MessageDeduplicationId: body }));
      }
      const worker = await place.worker(["--jobs", "jobs.ts", "--queue", place.urlOf(queue), "--concurrency", "3"]);
      for (const id of ids) await ended(worker, id, "COMPLETED");
      expect(place.lines("ran")).toEqual(["one", "two", "three"]);
      expect(events(worker, "warning").filter((message) => message.includes("not yet"))).toHaveLength(1);
      await stop(worker, place);
    },
  );

  test.concurrent("may leave the job to the command line; what was submitted by name is that", async () => {
    await using place = await SqsPlace.open(form, sqs);
    const [queue] = await sqs.createPair(SHORT_POLLS);
    const more = "export const other = defineJob({ params: { image: 'string' }, run() {} });";
    const cases = 'case "value": return message.body; case "list": return ["b", 3]; case "none": return undefined;';
    place.write("jobs.ts", JOBS(cases, more).replace('image: "string",', 'image: { default: "plain" },'));
    const [value, list, none] = await Promise.all(
      ["value", "list", "none"].map((kind) => place.send(queue, kind, "a")),
    );
    const url = place.urlOf(queue);
    const byName = await place.submit(
      "--jobs",
      "jobs.ts",
      "--queue",
      url,
      "--attribute",
      "kind=value",
      "other",
      "--param",
      "image=c",
    );
    const worker = await place.worker(["resize", "--jobs", "jobs.ts", "--queue", url]);
    const gets = { [value ?? ""]: { image: "a" }, [list ?? ""]: { image: "b", width: "3" }, [none ?? ""]: {} };
    for (const [id, values] of Object.entries({ ...gets, [byName]: { image: "c" } })) {
      await ended(worker, id, "COMPLETED");
      expect(valuesOf(await place.show(id))).toEqual(values);
    }
    const definitions = await Promise.all([none ?? "", byName].map((id) => place.show(id)));
    expect(definitions.map(({ jobInfo }) => jobInfo.definition)).toEqual(["resize", "other"]);
    await stop(worker, place);
  });

  test.concurrent("and what else says the same are found before any message is taken", async () => {
    await using place = await SqsPlace.open(form, sqs);
    const [queue] = await sqs.createPair(SHORT_POLLS);
    await place.send(queue, "any");
    place.write(
      "jobs.ts",
      JOBS("default: return resize;").replace('size: { type: "string" }', 'size: { from: "attr.size" }'),
    );
    const work = ["work", "--jobs", "jobs.ts", "--queue", place.urlOf(queue)];
    expect(await place.reeve(...work, "--param", "size=1")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("the job resize takes it from attr.size of each message"),
    });
    expect(await place.reeve(...work, "resiez")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no job "resiez", did you mean `resize`?'),
    });
    place.write("more.ts", JOBS("default: return resize;"));
    expect(await place.reeve(...work, "--jobs", "more.ts")).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/more\.ts:\d+: resize has a name that is taken/),
    });
    const [message] = await sqs.waiting(queue);
    expect(message?.approximateReceiveCount).toBe(0);
  });
});
