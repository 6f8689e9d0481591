import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/free-port.ts";
import { ENVIRONMENT, SqsServer } from "../support/sqs-server.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { blocksOf, withoutChance, type Block } from "./blocks.ts";

const ROOT = join(import.meta.dirname, "../..");
const DIST = join(ROOT, "dist");
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const BLOCKS = blocksOf(README);

/** Stands for Amazon, with the queue that the examples name. */
let sqs: SqsServer;

/** The port of the examples, which here somebody else may have. */
const PORT = /\b8080\b/g;

/** Runs a block as a reader would, in a place where nothing is yet. */
async function run(block: Block): Promise<{ code: number; stdout: string; stderr: string }> {
  using directory = temporaryDirectory();
  const commands = block.commands.replaceAll(PORT, String(await freePort()));
  mkdirSync(directory.of("here"));
  const child = Bun.spawn(["sh", "-eu", "-c", commands], {
    cwd: directory.of("here"),
    env: {
      PATH: `${DIST}:${process.env["PATH"] ?? ""}`,
      HOME: directory.path,
      XDG_STATE_HOME: directory.of("state"),
      // Root's default place is not a temporary one.
      REEVE_STORE: directory.of("store"),
      REEVE_SHARED_FILESYSTEM: "1",
      AWS_ENDPOINT_URL: sqs.origin,
      ...ENVIRONMENT,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, stdout, stderr };
}

describe("the README", () => {
  beforeAll(async () => {
    if (!existsSync(join(DIST, "reeve"))) throw new Error("dist/reeve is not there: `bun run build` makes it");
    sqs = await SqsServer.start();
    for (const QueueName of ["jobs", "orders-dead"]) await sqs.ask("CreateQueue", { QueueName }, "eu-west-1");
    const deadLetterTargetArn = "arn:aws:sqs:eu-west-1:000000000000:orders-dead";
    const Attributes = { RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 5 }) };
    await sqs.ask("CreateQueue", { QueueName: "orders", Attributes }, "eu-west-1");
  });
  afterAll(() => sqs[Symbol.asyncDispose]());

  for (const block of BLOCKS.filter((one) => one.run)) {
    test.concurrent(`line ${block.line}: the commands work`, async () => {
      const { code, stdout, stderr } = await run(block);
      expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
      if (block.output !== null) expect(withoutChance(stdout)).toBe(withoutChance(block.output));
    });
  }

  test("leaves out only npm's commands and those that do not end", () => {
    const left = BLOCKS.filter((one) => !one.run).map(({ commands }) => commands.trim());
    expect(left.filter((commands) => !/^(npm |reeve work$)/.test(commands))).toEqual([]);
  });

  test("names only options that the verbs have", async () => {
    const { VERBS, GLOBAL_OPTIONS } = await import("../../src/cli/verbs.ts");
    const all = [...GLOBAL_OPTIONS, ...VERBS.flatMap(({ options }) => options)].map(([flags]) => flags).join(" ");
    const known = new Set([...all.matchAll(/--[a-z-]+/g)].map(([flag]) => flag).concat(OTHERS));
    expect(flagsIn(README).filter((flag) => !known.has(flag))).toEqual([]);
    const missing = [...known].filter((flag) => !flagsIn(README).includes(flag));
    expect(missing).toEqual([]);
  });

  test("has no link to a file that is not there", () => {
    const links = [...README.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path = ""]) => path);
    expect(links.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});

/** Of the program itself, of `bun run bench`, and of curl. */
const OTHERS = ["--quick", "--only", "--help", "--version", "--retry", "--retry-connrefused"];
function flagsIn(text: string): string[] {
  return [...new Set([...text.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map(([flag]) => flag))];
}

describe("what is told apart in outputs", () => {
  test("ids, times and durations are not, words are", () => {
    const one = withoutChance("r7ouijzs5e  COMPLETED  208ms ago  10ms  true\n");
    expect(one).toBe(withoutChance("aaaaaaaaaa COMPLETED 1.2s ago 3m05s true"));
    expect(one).not.toBe(withoutChance("aaaaaaaaaa ERROR 1.2s ago 3m05s true"));
  });

  test("a block knows its line, its tag and its output", () => {
    const markdown = "# A\n\n```sh\ntrue\n```\n\n```text\nout\n```\n\n```sh no-run\nnpm test\n```\n";
    expect(blocksOf(markdown)).toEqual([
      { line: 3, commands: "true\n", run: true, output: "out\n" },
      { line: 11, commands: "npm test\n", run: false, output: null },
    ]);
  });
});
