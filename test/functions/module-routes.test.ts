import { expect, test } from "bun:test";
import type { Definition } from "../../src/config/definition.ts";
import { inlineBody } from "../../src/config/message-body.ts";
import type { RouteAnswer, RouteEvent } from "../../src/config/message-route.ts";
import { ConsoleLines } from "../../src/functions/console-lines.ts";
import { ModuleRoutes } from "../../src/functions/module-routes.ts";
import type { Said } from "../../src/functions/route-result.ts";
import type { Partner } from "../../src/process/conversation.ts";
import { definition } from "../config/helpers.ts";
import { FakeClock, takeTurns } from "../support/fake-clock.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const MESSAGE = { id: "m", body: inlineBody(Buffer.from("a body")), attributes: { kind: "x" }, receiveCount: 1 };
const NOTHING: Said = { kind: "nothing" };
const FAILED: Said = { kind: "failed", message: "no database" };
const release = (seconds: number): Said => ({ kind: "release", seconds, reason: "" });
const JOB: Said = { kind: "job", job: "resize", params: [], args: [], name: null };

/** What a process does with a message: answers, ends, or neither. */
type Deed = Said | "ends" | "hangs";

/** Routes of modules whose processes do as they are told, one deed for each message. */
class Stage implements Disposable {
  /** Its files were there before. */
  readonly clock = new FakeClock(Date.now() + 60_000);
  readonly directory = temporaryDirectory();
  readonly deeds: Deed[] = [];
  readonly told: RouteEvent[] = [];
  started = 0;
  ended = 0;

  open(...names: string[]): ModuleRoutes {
    const modules = names.map((name) => ({ file: this.directory.write(name, ""), definitions: [], hasRoute: true }));
    const [first] = modules;
    const own: Partial<Definition> = {
      name: "resize",
      function: { file: first?.file ?? "", name: "resize", exit: [], warm: 0 },
    };
    const definitions = ["resize", "crop"].map((name) => definition({}, name === "resize" ? own : { name }));
    return new ModuleRoutes({
      modules,
      definitions: new Map(definitions.map((one) => [one.name, one])),
      argv: ["reeve"],
      environment: {},
      cwd: this.directory.path,
      limitMs: 1000,
      clock: this.clock,
      converse: (partner) => this.#converse(partner),
      tell: (event) => this.told.push(event),
    });
  }

  #converse({ onLine, onEnd }: Partner) {
    this.started += 1;
    let mark: string | null = null;
    const answer = (what: object): void => onLine(`${mark} ${JSON.stringify(what)}`);
    const say = (line: string): void => {
      if (mark === null) {
        mark = String(JSON.parse(line).mark);
        return answer({ kind: "loaded", files: [] });
      }
      const deed = this.deeds.shift() ?? NOTHING;
      onLine(`${JSON.stringify(JOB)}`);
      if (deed === "ends") onEnd({ code: 3, signal: null, usage: null, failure: null });
      else if (deed !== "hangs") answer(deed);
    };
    return { say, end: () => void (this.ended += 1) };
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

const whyOf = (answer: RouteAnswer): string => ("why" in answer ? answer.why : answer.kind);

test("modules are asked in their order, until one says something", async () => {
  using stage = new Stage();
  const routes = stage.open("a.ts", "b.ts", "c.ts");
  expect(routes.names).toEqual(["`route` of a.ts", "`route` of b.ts", "`route` of c.ts"]);
  stage.deeds.push(NOTHING, JOB);
  expect(await routes.decide(MESSAGE, false)).toMatchObject({ kind: "job", source: "`route` of b.ts" });
  expect(stage.started).toBe(2);
  expect(await routes.decide(MESSAGE, false)).toEqual({ kind: "not ours" });
  expect(stage.started).toBe(3);
});

test("one process answers for all messages, until it ends, hangs, or its file is another", async () => {
  using stage = new Stage();
  const routes = stage.open("a.ts");
  stage.deeds.push(JOB, JOB, "ends", JOB, FAILED, JOB, "hangs");
  await routes.decide(MESSAGE, false);
  await routes.decide(MESSAGE, false);
  expect(whyOf(await routes.decide(MESSAGE, false))).toContain("its process ended when it was asked (exit code 3)");
  expect(stage.started).toBe(1);
  const kinds: string[] = [];
  for (let count = 0; count < 3; count += 1) kinds.push((await routes.decide(MESSAGE, false)).kind);
  expect(kinds).toEqual(["job", "undecided", "job"]);
  expect(stage.started).toBe(2);
  const hangs = routes.decide(MESSAGE, false);
  const after = routes.decide(MESSAGE, false);
  await takeTurns();
  await stage.clock.advance(1000);
  expect(whyOf(await hangs)).toContain("there was no answer within 1 s when it was asked");
  expect((await after).kind).toBe("not ours");
  expect(stage.started).toBe(3);
  stage.directory.write("a.ts", "another");
  await routes.decide(MESSAGE, false);
  expect(stage.started).toBe(4);
  routes.close();
  expect(stage.ended).toBeGreaterThanOrEqual(4);
});

test("many in a row that it cannot say slow the taking down, one that it can ends that", async () => {
  using stage = new Stage();
  const routes = stage.open("a.ts");
  const seen: unknown[] = [];
  const stop = routes.onChange(() => void seen.push([routes.mayTake, routes.trouble]));
  const decide = async (...deeds: readonly Deed[]): Promise<void> => {
    stage.deeds.push(...deeds);
    for (const _ of deeds) await routes.decide(MESSAGE, false);
  };
  await decide(FAILED, FAILED, JOB, FAILED, FAILED);
  expect({ seen, mayTake: routes.mayTake }).toEqual({ seen: [], mayTake: Number.POSITIVE_INFINITY });
  const why = "`route` of a.ts: no database";
  for (let pause = 1000; pause <= 128_000; pause *= 2) {
    // What came together with it makes it no longer.
    await decide(FAILED, FAILED);
    const forMs = Math.min(pause, 60_000);
    expect(stage.told.at(-1)).toEqual({ type: "routing failed", why, forMs });
    await stage.clock.advance(forMs - 1);
    expect(routes.mayTake).toBe(0);
    await stage.clock.advance(1);
    expect(routes.mayTake).toBe(1);
  }
  expect(seen.splice(0)).toEqual(Array.from({ length: 16 }, (_, index) => [index % 2, why]));
  await decide(JOB);
  expect(stage.told.at(-1)).toEqual({ type: "routing healed" });
  expect(seen).toEqual([[Number.POSITIVE_INFINITY, null]]);
  stop();
  await decide(FAILED, FAILED, FAILED);
  expect(stage.told.at(-1)).toMatchObject({ forMs: 1000 });
  expect(seen).toHaveLength(1);
  routes.close();
  expect(stage.clock.waits).toEqual([]);
});

test("what is wrong with the function itself decides nothing", async () => {
  using stage = new Stage();
  const routes = stage.open("a.ts");
  const nameless: Said = { ...JOB, job: null };
  stage.deeds.push(nameless, nameless, { ...JOB, onExit: "sweep" }, { ...JOB, job: "crop", onExit: "sweep" });
  expect(whyOf(await routes.decide(MESSAGE, false))).toContain("names no job, and there is none for all messages");
  expect(await routes.decide(MESSAGE, true)).toMatchObject({ kind: "job", definition: null });
  expect(await routes.decide(MESSAGE, true)).toMatchObject({ kind: "job", onExit: "sweep" });
  expect(whyOf(await routes.decide(MESSAGE, true))).toContain("gives an onExit with the job crop");
});

test("a message is put back for as long as is asked, and never at once again", async () => {
  using stage = new Stage();
  const routes = stage.open("a.ts");
  stage.deeds.push(release(0), release(90));
  const why = "put back by `route` of a.ts";
  expect(await routes.decide(MESSAGE, false)).toEqual({ kind: "put back", why, delayMs: 1000 });
  expect(await routes.decide(MESSAGE, false)).toEqual({ kind: "put back", why, delayMs: 90_000 });
});

test("of what a process writes to the console a log gets so much only", async () => {
  const clock = new FakeClock();
  const lines: string[] = [];
  const console = new ConsoleLines(clock, (line) => lines.push(line));
  const take = (text: string): void => console.take(Buffer.from(text));
  take("one\ntw");
  take("o\n\n");
  take(`${"x".repeat(5000)}\n`);
  expect(lines.splice(0)).toEqual(["one", "two", "x".repeat(1000)]);
  for (let count = 0; count < 1000; count += 1) take("more\n");
  expect(lines.length).toBe(47);
  expect(lines.splice(0).at(-1)).toBe("… what it writes within 10 s beyond this is left out");
  await clock.advance(10_000);
  take("again\n");
  expect(lines).toEqual([`… ${954 * 5} bytes more were left out`, "again"]);
});
