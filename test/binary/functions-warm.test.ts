import { expect, test } from "bun:test";
import { globSync } from "node:fs";
import { eventually } from "../support/eventually.ts";
import { descriptorsOf, filesOf, idsOf, isLiving, livingWithArgument, newMark } from "../support/processes.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { existing } from "../support/temporary.ts";
import { forEachForm } from "./forms.ts";
import { Place, type Running } from "./place.ts";
import { SqsPlace } from "./sqs-place.ts";

const ARGS = ["--jobs", "jobs.ts"] as const;

/** `WORD` comes of a file beside it. */
const TELLING = `
import { spawn } from "node:child_process";
import { once } from "node:events";
import { defineJob } from "reeve";
import { word } from "./word.ts";
console.log("loaded by", process.pid, process.env.REEVE_JOB_ID ?? "nobody");
export const tell = defineJob({
  warm: 2, params: { n: "integer" }, env: { MINE: "{param.n}" },
  async run({ params, message, attempt, jobId }) {
    console.log("run by", process.pid);
    const child = spawn("sh", ["-c", 'echo "$MINE $REEVE_JOB_ID $REEVE_TREE ${"${REEVE_SPARE:-none}"}"'], { stdio: ["ignore", "pipe", 2] });
    let said = "";
    child.stdout.on("data", (data) => { said += data; });
    await once(child, "close");
    const { MINE, REEVE_JOB_ID, REEVE_SPARE = "none" } = process.env;
    return { pid: process.pid, word, n: params.n, body: message.body, attempt, jobId, own: [MINE, REEVE_JOB_ID, REEVE_SPARE], child: said.trim(), cwd: process.cwd() };
  },
});`;

interface Told {
  readonly pid: number;
  readonly word: string;
  readonly n: number;
  readonly jobId: string;
  readonly body: string;
}

/** The processes that wait for a job: children of the worker that have loaded the module. */
const waiting = (place: Place, worker: Running): number[] =>
  globSync(`${place.store}/workers/*/warm-*/loaded`).flatMap((list) => {
    const output = list.replace(/loaded$/, "output");
    return livingWithArgument("_function").filter(
      (pid) => idsOf(pid)?.parent === worker.pid && filesOf(pid).includes(output),
    );
  });

const ready = (place: Place, worker: Running, count: number): Promise<number[]> =>
  eventually(`${count} wait for a job`, () => {
    const pids = waiting(place, worker);
    return pids.length === count ? pids : null;
  });

async function told(place: Place, id: string): Promise<Told> {
  await place.ok("wait", id);
  // The module wrote it.
  return JSON.parse(await place.ok("result", id)) as Told;
}

async function stopped(worker: Running): Promise<void> {
  worker.signal("SIGTERM");
  expect((await worker.ended).signal).toBe("SIGTERM");
}

forEachForm("processes that wait for jobs", (form) => {
  test("run one each, and output, results, environment and directory are that job's", async () => {
    await using place = new Place(form);
    place.write("jobs.ts", TELLING);
    place.write("word.ts", 'export const word = "first";');
    const worker = await place.worker([...ARGS, "--concurrency", "2"]);
    const pids = new Set<number>();
    for (let n = 1; n <= 3; n += 1) {
      const before = form.name === "deno" ? [] : await ready(place, worker, 2);
      const id = await place.submit(...ARGS, "tell", "--param", `n=${n}`, "--body", `body ${n}`);
      const result = await told(place, id);
      expect(result).toEqual({
        pid: result.pid,
        word: "first",
        n,
        body: `body ${n}`,
        attempt: 1,
        jobId: id,
        own: [String(n), id, "none"],
        child: `${n} ${id} ${id}.1 none`,
        cwd: place.of(),
      } as Told);
      expect(await place.ok("logs", id)).toBe(
        `loaded by ${result.pid} ${form.name === "deno" ? id : "nobody"}\nrun by ${result.pid}\n`,
      );
      if (form.name !== "deno") expect(before).toContain(result.pid);
      expect((await place.show(id)).jobInfo.attempts).toMatchObject([{ pid: result.pid, exitCode: 0 }]);
      pids.add(result.pid);
    }
    expect(pids.size).toBe(3);
    await stopped(worker);
    expect(place.processes()).toEqual([]);
  });

  // Deno does not tell what a module has imported, so that nothing waits there.
  if (form.name === "deno") return;

  test("run messages of SQS, too", async () => {
    await using sqs = await SqsServer.start();
    await using place = await SqsPlace.open(form, sqs);
    // A stop waits for the poll that is under way.
    const [queue] = await sqs.createPair({ ReceiveMessageWaitTimeSeconds: "1" });
    place.write("jobs.ts", TELLING);
    place.write("word.ts", 'export const word = "first";');
    const worker = await place.worker([...ARGS, "--queue", place.urlOf(queue)]);
    const before = await ready(place, worker, 2);
    const bodies = [1, 2, 3].map((n) => JSON.stringify({ job: "tell", params: { n } }));
    const ids = await Promise.all(bodies.map((body) => sqs.send(queue, body)));
    await place.emptied(queue);
    const results = await Promise.all(ids.map((id) => told(place, id)));
    expect(results.map(({ n, jobId, body }) => ({ n, jobId, body }))).toEqual(
      ids.map((jobId, index) => ({ n: index + 1, jobId, body: existing(bodies[index]) })),
    );
    expect(new Set(results.map(({ pid }) => pid)).size).toBe(3);
    expect(results.some(({ pid }) => before.includes(pid))).toBe(true);
    await stopped(worker);
    expect(place.processes()).toEqual([]);
  });

  test("are replaced when a file that they have loaded has changed, before a job gets one", async () => {
    await using place = new Place(form);
    place.write("jobs.ts", TELLING);
    place.write("word.ts", 'export const word = "first";');
    const worker = await place.worker(ARGS);
    const before = await ready(place, worker, 2);
    place.write("word.ts", 'export const word = "second";');
    const one = await told(place, await place.submit(...ARGS, "tell", "--param", "n=1"));
    expect(one.word).toBe("second");
    const after = await eventually("others wait", () => {
      const pids = waiting(place, worker);
      return pids.length === 2 && pids.every((pid) => !before.includes(pid)) ? pids : null;
    });
    const other = await told(place, await place.submit(...ARGS, "tell", "--param", "n=2"));
    expect(other.word).toBe("second");
    expect(after).toContain(other.pid);
    await stopped(worker);
  });

  test("are replaced when they end; what ends while it is loaded is told once, and not tried again and again", async () => {
    await using place = new Place(form);
    place.write("jobs.ts", TELLING);
    place.write("word.ts", 'export const word = "first";');
    place.write(
      "bad.ts",
      `import { appendFileSync } from "node:fs";
import { defineJob } from "reeve";
if (process.env.REEVE_SPARE) { appendFileSync("tried", process.pid + "\\n"); throw new Error("not like this"); }
export const bad = defineJob({ warm: 1, run: () => "all the same" });`,
    );
    const args = [...ARGS, "--jobs", "bad.ts"];
    const worker = await place.worker(args);
    const [first = 0, second = 0] = await ready(place, worker, 2);
    process.kill(first, "SIGKILL");
    await eventually("there is another", () => {
      const pids = waiting(place, worker);
      return pids.length === 2 && pids.includes(second) && !pids.includes(first);
    });
    await eventually("it is tried again", () => place.lines("tried").length > 1);
    expect(JSON.parse(await place.ok("result", await completed(place, args, "bad")))).toBe("all the same");
    const troubles = worker.log().filter(({ message }) => message.includes("jobs of bad"));
    expect(troubles).toHaveLength(1);
    expect(troubles[0]?.message).toMatch(
      /exit code 1, and wrote last: "the module cannot be loaded: bad\.ts:3: not like this"/,
    );
    expect(place.lines("tried").length).toBeLessThan(6);
    await stopped(worker);
    expect(place.processes()).toEqual([]);
  });

  test("have nothing of a job open, and end with their worker, however that ends", async () => {
    await using place = new Place(form);
    place.write(
      "jobs.ts",
      `import { defineJob } from "reeve";
setInterval(() => {}, 1000);
export const wait = defineJob({ warm: 2, async run({ signal }) { console.log("begun"); await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))); } });`,
    );
    place.write(
      "hang.ts",
      `import { appendFileSync } from "node:fs";
import { defineJob } from "reeve";
if (process.env.REEVE_SPARE) { appendFileSync("hung", process.pid + "\\n"); for (;;); }
export const hang = defineJob({ warm: 1, run() {} });`,
    );
    const worker = await place.worker([...ARGS, "--jobs", "hang.ts"]);
    await ready(place, worker, 2);
    const hung = Number(await place.file("hung"));
    const id = await place.submit(...ARGS, "wait");
    await eventually("it runs", async () => (await place.ok("logs", id)).includes("begun"));
    const pids = await ready(place, worker, 3);
    for (const pid of pids) {
      const own = new Set(filesOf(pid).filter((file) => file.startsWith(`${place.store}/workers/`)));
      expect(new Set([...own].map((file) => file.replace(/[^/]+$/, ""))).size).toBe(1);
    }
    const running = await eventually("its pid is known", async () => (await place.show(id)).jobInfo.attempts[0]?.pid);
    worker.signal("SIGKILL");
    await worker.ended;
    await eventually("none waits", () => [...pids, hung].every((pid) => pid === running || !isLiving(pid)));
    const next = await place.worker(ARGS);
    await eventually("it was recovered", async () => (await place.show(id)).jobInfo.attempts.length === 2);
    expect(isLiving(running)).toBe(false);
    await stopped(next);
    expect(place.processes()).toEqual([]);
  });

  test("become the whole tree of a job, which an abort ends, and have its limits", async () => {
    await using place = new Place(form);
    const mark = newMark();
    place.write(
      "jobs.ts",
      `import { spawn } from "node:child_process";
import { defineJob } from "reeve";
export const wait = defineJob({ grace: "200ms", limits: { openFiles: 123 }, async run() {
  spawn("setsid", ["sh", "-c", "ulimit -n; exec sleep ${mark}"], { stdio: "inherit" });
  await new Promise(() => {});
} });`,
    );
    const worker = await place.worker([...ARGS, "--warm", "1"]);
    const [pid = 0] = await ready(place, worker, 1);
    const id = await place.submit(...ARGS, "wait");
    const [child = 0] = await eventually("its child runs", () => {
      const found = livingWithArgument(mark).filter((one) => idsOf(one)?.session === one);
      return found.length === 1 ? found : null;
    });
    expect(idsOf(pid)?.session).toBe(pid);
    expect(descriptorsOf(pid)).toEqual(expect.arrayContaining([0, 1, 2, 3]));
    expect(await place.ok("logs", id)).toBe("123\n");
    await place.ok("abort", id);
    await eventually("it is over", async () => (await place.phase(id)) === "ABORTED");
    expect([pid, child].filter(isLiving)).toEqual([]);
    await stopped(worker);
    expect(place.processes()).toEqual([]);
  });
});

async function completed(place: Place, args: readonly string[], name: string): Promise<string> {
  const id = await place.submit(...args, name);
  await place.ok("wait", id);
  return id;
}
