import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { runtime } from "../../src/runtime/index.ts";
import { eventually, stays } from "../support/eventually.ts";
import { forEachForm } from "./forms.ts";
import type { Place } from "./place.ts";
import { placeWithDefinitions, Serving, valueOf } from "./serving.ts";

/** The value of a sample by its name and labels, as they are written. */
function sample(text: string, name: string): number | undefined {
  const line = text.split("\n").find((one) => one.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

/** A textfile is written within seconds. */
const FILE_PATIENCE_MS = 30_000;

forEachForm("the numbers", (form) => {
  let place: Place;
  let at: Serving;

  beforeAll(async () => {
    place = placeWithDefinitions(form);
    at = await Serving.start(place);
  });
  afterAll(() => place[Symbol.asyncDispose]());

  const health = async () => {
    const { status, headers, text } = await at.get("/health");
    expect(headers.get("content-type")).toBe("application/json");
    return { status, ...JSON.parse(text) };
  };

  test("of health say what is wrong, and nothing when all is well", async () => {
    expect(await health()).toMatchObject({ status: "ill", canWrite: true, canClaim: false, lastPoll: null });
    expect((await at.get("/health")).status).toBe(503);
    const worker = await place.worker();
    expect((await at.get("/health")).status).toBe(200);
    expect(await health()).toMatchObject({ status: "well", canWrite: true, canClaim: true, problems: [] });
    const database = runtime.openDatabase(join(place.store, "reeve.db"), { create: false });
    database.exec("BEGIN IMMEDIATE");
    const locked = await at.get("/health");
    database.exec("ROLLBACK");
    database.close();
    expect(locked.status).toBe(503);
    expect(JSON.parse(locked.text)).toMatchObject({ canWrite: false, canClaim: true });
    worker.signal("SIGKILL");
    await worker.ended;
    expect(await health()).toMatchObject({ canClaim: false, problems: ["no worker is running"] });
    expect((await at.post("/health")).status).toBe(405);
    expect((await at.get("/health/x")).status).toBe(404);
  });

  test("for Prometheus tell of jobs that were made, wait, run and end, and foretell the next", async () => {
    const { headers, text: before } = await at.get("/metrics");
    expect(headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
    const completed = 'reeve_jobs{definition="echo",phase="COMPLETED"}';
    expect(sample(before, completed) ?? 0).toBe(0);
    const waiting = await at.make("echo", { PHASE: "RUN" });
    // Nothing is known that would tell.
    expect((await at.get(`${waiting}/quote`)).text).toBe("");
    await place.ok("submit", "--quiet", "--", "false");
    const queued = (await at.get("/metrics")).text;
    expect(sample(queued, 'reeve_jobs{definition="echo",phase="QUEUED"}')).toBe(1);
    expect(sample(queued, 'reeve_jobs{phase="QUEUED"}')).toBe(1);
    expect(sample(queued, "reeve_queue_age_seconds")).toBeGreaterThan(0);
    await place.drain();
    const { text } = await at.get("/metrics");
    expect(sample(text, completed)).toBe(1);
    expect(sample(text, 'reeve_jobs{definition="echo",phase="QUEUED"}')).toBe(0);
    expect(sample(text, 'reeve_jobs{phase="ERROR"}')).toBe(1);
    expect(sample(text, "reeve_queue_age_seconds")).toBe(0);
    expect(sample(text, 'reeve_attempts_total{definition="echo",ending="exited",phase="COMPLETED"}')).toBe(1);
    expect(sample(text, 'reeve_attempt_duration_seconds_count{definition="echo"}')).toBe(1);
    expect(sample(text, 'reeve_attempt_duration_seconds_bucket{definition="echo",le="+Inf"}')).toBe(1);
    // With a worker and one job that has been seen, there is something to go by.
    const worker = await place.worker();
    const made = await at.make("echo");
    const quote = (await at.get(`${made}/quote`)).text;
    expect(Date.parse(quote) - Date.now()).toBeLessThan(60_000);
    expect(Date.parse(quote)).toBeGreaterThan(Date.now() - 1000);
    expect(Date.parse(valueOf(await at.xml(made), "quote") ?? "")).toBeGreaterThanOrEqual(Date.parse(quote));
    worker.signal("SIGTERM");
    await worker.ended;
  });

  test("are a textfile that is always whole, and left alone while nothing changes", async () => {
    const file = place.of("reeve.prom");
    const worker = await place.worker(["--metrics", "reeve.prom"]);
    const text = (): string => readFileSync(file, "utf8");
    await eventually("it is there", () => existsSync(file));
    expect(statSync(file).mode & 0o777).toBe(0o644);
    const done = (): number => sample(text(), 'reeve_jobs{phase="COMPLETED"}') ?? 0;
    const before = done();
    const [old, first] = [openSync(file, "r"), text()];
    await place.submit("--", "true");
    // Whoever opened the old one keeps that: it is replaced, not written to.
    await eventually("it tells of the job", () => done() === before + 1, FILE_PATIENCE_MS);
    expect(readFileSync(old, "utf8")).toBe(first);
    closeSync(old);
    expect(text()).toEndWith("\n");
    expect(text()).toContain('reeve_workers{state="well"} 1\n');
    rmSync(file);
    await stays("nothing is written", () => !existsSync(file), 500);
    worker.signal("SIGTERM");
    await worker.ended;
    expect(text()).toContain('reeve_workers{state="well"} 0\n');
    expect(readdirSync(place.of()).filter((name) => name.startsWith("reeve.prom"))).toEqual(["reeve.prom"]);
  });

  test("cannot be written where there is no directory for them", async () => {
    const { code, stderr } = await place.reeve("work", "--drain", "--metrics", "nowhere/reeve.prom");
    expect([code, stderr]).toEqual([69, expect.stringContaining("--metrics")]);
  });
});
