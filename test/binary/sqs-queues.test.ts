import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { existing } from "../support/temporary.ts";
import { FORMS, forEachForm, type Form } from "./forms.ts";
import { Place, sh } from "./place.ts";
import { SqsPlace, testCompiled, text } from "./sqs-place.ts";

const ROOT = join(import.meta.dirname, "../..");

let server: SqsServer;
beforeAll(async () => void (server = await SqsServer.start()));
afterAll(() => server[Symbol.asyncDispose]());

/** How many ran at once at most, as lines tell that begin with `+` and `-`. */
function mostAtOnce(lines: readonly string[]): number {
  let running = 0;
  return Math.max(...lines.map((line) => (running += line.startsWith("+") ? 1 : -1)));
}

/** The five lines of a group's jobs: number, receive count, group. `first`: how often its head was received. */
const ofGroup = (group: string, first: number): string[] =>
  [0, 1, 2, 3, 4].map((n) => `${n} ${n === 0 ? first : 1} group-${group}`);

const jobOf = (name: string, ...lines: string[]): string => `[jobs.${name}]\n${lines.join("\n")}\ngrace = "500ms"\n`;
const handler = (name: string): string =>
  `exit_handler = ["sh", "-c", "echo ${name} $REEVE_CAUSE {body.n} >> cleaned"]`;
const note = (name: string): string => `command = ["sh", "-c", "echo ${name} {body.n} >> ran; sleep 0.02"]`;

forEachForm("queues of SQS", (form) => {
  test.concurrent("that are FIFO: a group waits for its head to succeed, and other groups do not", async () => {
    await using place = await SqsPlace.open(form, server);
    const [queue] = await server.createPair({ FifoQueue: "true" }, 5);
    const script = `echo "+$1" >> all; sleep 0.1; echo "-$1" >> all
      [ "$1$2" != b0 ] || [ "$REEVE_ATTEMPT" -gt 2 ] || exit 1
      echo "$2 $REEVE_RECEIVE_COUNT $REEVE_ATTR_MESSAGEGROUPID" >> "ran-$1"`;
    const command = JSON.stringify(["sh", "-c", script, "sh", "{body.group}", "{body.n}"]);
    const settings = `[queues.main]\nurl = "${place.urlOf(queue)}"\nwait = "1s"\n`;
    place.write("reeve.toml", `${settings}[jobs.step]\ncommand = ${command}\nbackoff = "100ms"\n`);
    const groups = ["a", "b", "c"];
    for (let n = 0; n < 5; n += 1) {
      for (const group of groups) {
        const fields = { MessageGroupId: `group-${group}`, MessageDeduplicationId: `${group}-${n}` };
        await server.send(queue, JSON.stringify({ group, n }), fields);
      }
    }
    await place.worker(["--concurrency", "4"]);
    await place.emptied(queue, 60_000);
    expect(groups.map((group) => place.lines(`ran-${group}`))).toEqual([
      ofGroup("a", 1),
      ofGroup("b", 3),
      ofGroup("c", 1),
    ]);
    const all = place.lines("all");
    expect(mostAtOnce(all)).toBeWithin(2, 4);
    for (const group of groups) expect(mostAtOnce(all.filter((line) => line.endsWith(group)))).toBe(1);
    // The head of a group that fails keeps no other group waiting.
    const last = (group: string): number => all.lastIndexOf(`-${group}`);
    expect(Math.max(last("a"), last("c"))).toBeLessThan(last("b"));
  });

  testCompiled(form)(
    "beside each other and the store's own have their shares, their jobs and their exit handlers",
    async () => {
      await using place = await SqsPlace.open(form, server);
      const [[often], [seldom]] = [await server.createPair(), await server.createPair()];
      const queueOf = (queue: string, weight: number): string =>
        `[queues.${queue}]\nurl = "${place.urlOf(queue)}"\nweight = ${weight}\nwait = "1s"\n`;
      const waits = 'command = ["sh", "-c", "echo {body.n} >> waits; exec sleep 1000"]';
      place.write(
        "reeve.toml",
        [
          queueOf(often, 3),
          queueOf(seldom, 1),
          '[queues.own]\ntype = "sqlite"\n',
          jobOf("resize", note("resize"), 'route = { attribute = "kind", equals = "resize" }', handler("resize")),
          jobOf("forget", note("forget"), 'route = { field = "detail.type", equals = "forget" }', handler("forget")),
          jobOf("slow", waits, 'route = { attribute = "kind", equals = "slow" }', handler("slow")),
          jobOf("slow-too", waits, 'route = { field = "detail.type", equals = "slow" }', handler("slow-too")),
          jobOf("local", 'command = ["sh", "-c", "echo local >> local"]'),
        ].join(""),
      );
      const count = 40;
      for (let n = 0; n < count; n += 1) {
        await server.send(often, JSON.stringify({ n }), { MessageAttributes: { kind: text("resize") } });
        await server.send(seldom, JSON.stringify({ n, detail: { type: "forget" } }));
      }
      await place.submit("--queue", "own", "local");
      const worker = await place.worker(["--concurrency", "4"]);
      await place.file("local");
      await Promise.all([place.emptied(often), place.emptied(seldom)]);
      const ran = place.lines("ran");
      expect(new Set(ran).size).toBe(2 * count);
      // When the one that has three quarters of the slots is done, about a third of the other one's is.
      const lastOfOften = ran.findLastIndex((line) => line.startsWith("resize"));
      expect(ran.slice(0, lastOfOften).filter((line) => line.startsWith("forget")).length).toBeWithin(4, count - 8);

      await server.send(often, '{"n":1}', { MessageAttributes: { kind: text("slow") } });
      await server.send(seldom, '{"n":2,"detail":{"type":"slow"}}');
      await eventually("both run", () => place.lines("waits").length === 2);
      worker.signal("SIGTERM");
      expect(await worker.ended).toMatchObject({ signal: "SIGTERM" });
      expect(place.lines("cleaned").toSorted()).toEqual(["slow stop 1", "slow-too stop 2"]);
      expect([await server.size(often), await server.size(seldom)]).toEqual([1, 1]);
    },
  );
});

/** The source in a directory where the packages are that it stands on, but not Amazon's. */
function withoutSdk(place: Place): Form {
  const packages = join(ROOT, "node_modules");
  cpSync(join(ROOT, "src"), place.of("program", "src"), { recursive: true });
  cpSync(join(ROOT, "package.json"), place.of("program", "package.json"));
  mkdirSync(place.of("program", "node_modules"));
  for (const name of readdirSync(packages).filter((one) => !/^(?:\.|@aws-sdk$|@smithy$)/.test(one))) {
    symlinkSync(join(packages, name), place.of("program", "node_modules", name));
  }
  return { ...place.form, argv: [process.execPath, "--no-install", place.of("program", "src", "main.ts")] };
}

test("where no queue is of SQS, nothing of Amazon's is loaded", async () => {
  const [, bun] = FORMS;
  await using source = new Place(existing(bun));
  await using place = await SqsPlace.open(withoutSdk(source), server);
  const id = await place.submit(...sh("echo ran >> ran"));
  expect(await place.drain()).toMatchObject({ code: 0 });
  expect([await place.phase(id), place.lines("ran")]).toEqual(["COMPLETED", ["ran"]]);
  // There it would be needed.
  const queue = await server.createQueue();
  const done = await place.reeve("work", "--drain", "--queue", place.urlOf(queue), "--", "true");
  expect([done.code === 0, done.stderr]).toEqual([false, expect.stringContaining("@aws-sdk/client-sqs")]);
});
