import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkConfiguration } from "../../src/config/check.ts";
import { loadConfiguration } from "../../src/config/configuration.ts";
import type { Configuration } from "../../src/config/definition.ts";
import { DEFAULT_SQS_QUEUE } from "../../src/config/queue-definition.ts";
import { errorOf, temporaryDirectory } from "./helpers.ts";

async function load(toml: string): Promise<Configuration> {
  using directory = temporaryDirectory();
  directory.write("reeve.toml", toml);
  return await loadConfiguration({ flag: undefined, environment: {}, cwd: directory.path });
}

const problems = async (toml: string): Promise<string[]> => (await errorOf(() => load(toml))).message.split("\n");

const SQS = '[queues.q]\nurl = "https://sqs.eu-west-1.amazonaws.com/1234/jobs"\n';
const JOB = '[jobs.resize]\ncommand = ["/bin/true"]\ncwd = "/"\n';

describe("wrong settings of a queue", () => {
  test.each([
    ["weight = 0", "weight must be at least 1"],
    ["weight = 1.5", "weight must be a whole number"],
    ['region = "eu west"', 'region must be a region such as "eu-west-1"'],
    ['endpoint = "localhost:4566"', "endpoint must be a URL"],
    ["visibility = 0", "visibility must be at least 1s"],
    ['visibility = "1500ms"', "visibility must be whole seconds"],
    ['visibility = "13h"', "visibility must be at most 12h00m"],
    ['visibility = "soon"', 'visibility "soon" is not a duration'],
    ["beat = 0", "beat must be longer than 0"],
    ['beat = "1m"', "beat must be shorter than `visibility`, 1m00s"],
    ['visibility = "30s"\nbeat = "30s"', "beat must be shorter than `visibility`, 30s"],
    ["wait = 21", "wait must be at most 20s"],
    ["wait = 0.5", "wait must be whole seconds"],
    ['job = ""', "job must not be empty"],
    ['on_unroutable = "burry"', "did you mean `bury`?"],
    ['on_exhausted = "bury"', 'on_exhausted must be one of "leave", "delete"'],
    ['pointer_buckets = "payloads"', "pointer_buckets must be a list of names of buckets"],
    ['pointer_buckets = ["s3://payloads/a"]', "pointer_buckets.0 must be the name of a bucket"],
    ['pointer_payloads = "delete"', "pointer_payloads means nothing without `pointer_buckets`"],
    ["visiblity = 60", "visiblity is not a known key, did you mean `visibility`?"],
    ['on_unroutabel = "bury"', "did you mean `on_unroutable`?"],
  ])("%s", async (line, sentence) => {
    const [problem, another] = await problems(SQS + line);
    expect(problem).toStartWith("reeve.toml:");
    expect(problem).toContain(`queues.q.`);
    expect(problem).toContain(sentence);
    expect(another).toBeUndefined();
  });

  test("what is for SQS only, each named with its line", async () => {
    expect(await problems('[queues.q]\ntype = "sqlite"\nweight = 2\njob = "resize"\nwait = 20')).toEqual([
      "reeve.toml:4: queues.q.job means nothing for sqlite",
      'reeve.toml:4: queues.q.job names the job "resize", which is not defined',
      "reeve.toml:5: queues.q.wait means nothing for sqlite",
    ]);
  });

  test("a job that is not defined, though more is wrong", async () => {
    expect(await problems(`${SQS}job = "rezise"\n${JOB}timeout = "x"`)).toEqual([
      'reeve.toml:3: queues.q.job names the job "rezise", which is not defined, did you mean `resize`?',
      expect.stringContaining("reeve.toml:7: jobs.resize.timeout"),
    ]);
    expect((await problems(`${SQS}job = "toString"`)).join()).toContain("which is not defined");
  });
});

describe("settings of a queue", () => {
  test("none but the URL", async () => {
    const url = "https://sqs.eu-west-1.amazonaws.com/1234/jobs";
    expect((await load(SQS)).queues.get("q")).toEqual({ ...DEFAULT_SQS_QUEUE, url });
    expect((await load('[queues.q]\ntype = "sqlite"\nweight = 3')).queues.get("q")).toEqual({
      type: "sqlite",
      weight: 3,
    });
  });

  test("all of them", async () => {
    const read = await load(`
      ${JOB}
      [queues.q]
      type = "sqs"
      url = "http://127.0.0.1:4566/000000000000/jobs"
      weight = 3
      region = "eu-west-1"
      endpoint = "http://127.0.0.1:4566"
      visibility = "2m"
      beat = "500ms"
      wait = 0
      job = "resize"
      on_unroutable = "leave"
      on_exhausted = "delete"
      pointer_buckets = ["payloads.example", "b"]
      pointer_payloads = "delete"
    `);
    expect(read.queues.get("q")).toEqual({
      type: "sqs",
      url: "http://127.0.0.1:4566/000000000000/jobs",
      weight: 3,
      region: "eu-west-1",
      endpoint: "http://127.0.0.1:4566",
      visibilityMs: 120_000,
      beatMs: 500,
      waitSeconds: 0,
      job: "resize",
      onUnroutable: "leave",
      onExhausted: "delete",
      pointerBuckets: ["payloads.example", "b"],
      pointerPayloads: "delete",
    });
  });

  test("that cannot keep a lease long enough to end a job are found, for each job", async () => {
    const short = `${SQS}visibility = 15\n${JOB}[jobs.quick]\ncommand = ["/bin/true"]\ncwd = "/"\ngrace = 1\n[jobs.slow]\ncommand = ["/bin/true"]\ncwd = "/"\ngrace = 30`;
    const found = checkConfiguration(await load(short)).map((warning) => warning.split(" With")[0]);
    expect(found).toEqual(["queues.q, for jobs.resize:", "queues.q, for jobs.slow:"]);
    expect(checkConfiguration(await load(SQS + JOB))).toEqual([]);
  });
});

const routes = (...given: string[]) =>
  given.map((route, index) => `[jobs.j${index}]\ncommand = ["/bin/true"]\ncwd = "/"\nroute = ${route}`).join("\n");

describe("routes", () => {
  test.each([
    ["{ equals = 'x' }", "jobs.j0.route needs an `attribute` or a `field`"],
    ["{ field = 'a', attribute = 'b', equals = 'x' }", "jobs.j0.route.field leaves no use for `attribute`"],
    ["{ field = 'a' }", "jobs.j0.route.equals is missing"],
    ["{ field = 'a..b', equals = 'x' }", 'route.field must be a field of a JSON body, such as "type"'],
    ["{ field = 'a b', equals = 'x' }", "route.field must be a field"],
    ["{ field = '', equals = 'x' }", "route.field must be a field"],
    ["{ feild = 'a', equals = 'x' }", "did you mean `field`?"],
    ["{ field = 'a', equals = 5 }", "route.equals must be a text in quotes"],
    ["'kind'", "jobs.j0.route must be a table"],
  ])("%s", async (route, sentence) => {
    expect((await problems(routes(route))).join()).toContain(sentence);
  });

  test("the same for two jobs", async () => {
    const field = "{ field = 'a', equals = 'x' }";
    expect(await problems(routes(field, "{ attribute = 'a', equals = 'x' }", field))).toEqual([
      "reeve.toml:12: jobs.j2.route is that of jobs.j0 as well: such a message would be for both",
    ]);
  });

  test("by a field, by an attribute, by another value", async () => {
    const read = await load(
      routes(
        "{ field = 'detail-type.0', equals = 'x' }",
        "{ attribute = 'a b', equals = '' }",
        "{ field = 'a', equals = 'y' }",
      ),
    );
    expect([...read.definitions.values()].map(({ route }) => route)).toEqual([
      { field: "detail-type.0", equals: "x" },
      { attribute: "a b", equals: "" },
      { field: "a", equals: "y" },
    ]);
    expect(checkConfiguration(read)).toEqual([]);
  });
});

const from = (written: string, more = "") => `${JOB}params.p = { from = ${written}${more} }`;

describe("where a parameter comes from", () => {
  test.each(["'body.'", "'body.a b'", "'{body.a}'", "'image'", "'param.p'", "'attr.'", "'body.a}{body.b'", "''"])(
    "not from %s",
    async (written) => {
      expect((await problems(from(written))).join()).toContain(
        "params.p.from must be a field or an attribute of a message",
      );
    },
  );

  test("no file is named by a message", async () => {
    expect((await problems(from("'body.a'", ", type = 'file'"))).join()).toContain(
      "from means nothing for the type `file`",
    );
    expect((await problems(from("5"))).join()).toContain("params.p.from must be a text");
  });

  test.each([
    ["'body.a.0.b-c'", { from: "body", path: ["a", "0", "b-c"] }],
    ["'body'", { from: "body", path: [] }],
    ["'attr.reeve.x'", { from: "attribute", name: "reeve.x" }],
  ])("from %s", async (written, place) => {
    expect((await load(from(written))).definitions.get("resize")?.parameters.get("p")).toMatchObject({ from: place });
  });
});

test("the README's example is a configuration", async () => {
  const readme = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");
  const examples = [...readme.matchAll(/^```toml\n([^]*?)^```$/gm)].map(([, toml = ""]) => toml);
  expect(examples).not.toBeEmpty();
  for (const example of examples) expect((await load(example)).definitions.size).toBeGreaterThan(0);
});
