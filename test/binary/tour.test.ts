import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import type { JobDocument } from "../../src/uws/document.ts";
import { eventually } from "../support/eventually.ts";
import { forEachForm } from "./forms.ts";
import { Place, sh } from "./place.ts";

const ID = /^[a-z2-7]{20}\n$/;
const HELLO = sh('echo hello; date > "$REEVE_RESULTS/when.txt"');

/** A command that says in which order it came. */
const say = (word: string): string[] => ["sh", "-c", `echo ${word} >> order`];
const named = (word: string) => ({ command: say(word), name: word });

forEachForm("what a user does first", (form) => {
  test("submit prints an id and nothing else, and leaves nothing beside the store", async () => {
    await using place = new Place(form);
    const done = await place.reeve("submit", ...HELLO);
    expect(done).toMatchObject({ code: 0, stdout: expect.stringMatching(ID) });
    expect(done.stderr).toBe("reeve: no worker is running on this store: `reeve work` runs what is queued\n");
    expect(readdirSync(place.of())).toEqual([]);
    expect(existsSync(`${place.store}/reeve.db`)).toBe(true);
  });

  test("a submitted command is run, and its output, results, times and story are there", async () => {
    await using place = new Place(form);
    const id = await place.submit(...HELLO);
    const worked = await place.drain("--concurrency", "4");
    expect(worked).toMatchObject({ code: 0, stdout: "" });

    expect(await place.ok("logs", id)).toBe("hello\n");
    expect(await place.ok("logs", "-f", id)).toBe("hello\n");
    expect(Date.parse(await place.ok("result", id, "when.txt"))).toBeWithin(Date.now() - 60_000, Date.now() + 1000);
    expect(await place.ok("result", id)).toBe(await place.ok("result", id, "when.txt"));
    expect(await place.ok("wait", id)).toBe("");
    const page = await place.ok("show", id.slice(0, 8));
    for (const text of [id, "COMPLETED", "when.txt (text/plain", "exit code 0", place.of()])
      expect(page).toContain(text);
    const why = await place.ok("why", id);
    for (const text of [`submitted from ${place.of()}`, "started: attempt 1", "COMPLETED", "It completed"]) {
      expect(why).toContain(text);
    }

    const job = await place.show(id);
    expect(job).toMatchObject({ jobId: id, phase: "COMPLETED", errorSummary: null, executionDuration: 0 });
    expect(job.jobInfo).toMatchObject({ exitCode: 0, signal: null, command: HELLO.slice(1), verdict: "acknowledge" });
    expect(job.results).toEqual([{ id: "when.txt", mimeType: "text/plain", size: expect.any(Number) }]);
    const times = [job.creationTime, job.startTime, job.endTime].map((time) => Date.parse(time ?? ""));
    expect(times).toEqual(times.toSorted());
    expect(Date.parse(job.destruction ?? "") - (times[2] ?? 0)).toBe(7 * 24 * 3_600_000);
  });

  test("result -o writes a file, --list names them", async () => {
    await using place = new Place(form);
    const id = await place.submit(
      ...sh('head -c 100000 /dev/zero > "$REEVE_RESULTS/big.bin"; echo a > "$REEVE_RESULTS/a.csv"'),
    );
    await place.drain();
    expect(JSON.parse(await place.ok("result", id, "--list", "--json"))).toEqual([
      { id: "a.csv", mimeType: "text/csv", size: 2 },
      { id: "big.bin", mimeType: "application/octet-stream", size: 100_000 },
    ]);
    await place.ok("result", id, "big.bin", "-o", "out.bin");
    expect(await Bun.file(place.of("out.bin")).bytes()).toEqual(new Uint8Array(100_000));
  });

  test("a batch is one transaction with a job per line, in its order", async () => {
    await using place = new Place(form);
    const lines = Array.from({ length: 3000 }, (_, index) => ({
      command: ["true", String(index)],
      priority: index % 3,
    }));
    place.write("jobs.ndjson", lines.map((line) => JSON.stringify(line)).join("\n"));
    const ids = (await place.ok("submit", "--batch", "jobs.ndjson")).trim().split("\n");
    expect(new Set(ids).size).toBe(3000);
    const jobs = await place.list();
    expect(jobs.map(({ jobId }) => jobId).toReversed()).toEqual(ids);
    expect(jobs.at(-1)?.jobInfo).toMatchObject({ command: ["true", "0"], priority: 0 });
    expect(jobs.at(-2)?.jobInfo).toMatchObject({ command: ["true", "1"], priority: 1 });
  });

  test("within a batch a job may wait for another by its name", async () => {
    await using place = new Place(form);
    const zeroth = await place.submit("--", ...say("zeroth"));
    await place.submitBatch([
      { ...named("first"), after: zeroth },
      { ...named("second"), after: "first" },
      { ...named("third"), after: ["first", "second"], priority: 9 },
    ]);
    expect(await place.drain("--concurrency", "2")).toMatchObject({ code: 0 });
    expect(place.lines("order")).toEqual(["zeroth", "first", "second", "third"]);
  });

  test("list filters by phase, number and time, as a table and as JSON", async () => {
    await using place = new Place(form);
    expect(await place.reeve("list")).toMatchObject({ code: 0, stdout: "" });
    expect(await place.list()).toEqual([]);
    const good = await place.submitBatch([{ command: ["true"] }, { command: ["true"] }]);
    const bad = await place.submitBatch(Array.from({ length: 7 }, () => ({ command: ["false"] })));
    expect(await place.drain()).toMatchObject({ code: 1 });

    const table = await place.ok("list");
    expect(table.split("\n")[0]).toMatch(/^ID +PHASE +CREATED +TOOK +JOB$/);
    for (const id of [...good, ...bad]) expect(table).toContain(id.slice(0, 10));
    const failed = JSON.parse(await place.ok("list", "--phase", "ERROR", "--last", "5", "--json")) as JobDocument[];
    expect(failed.map(({ jobId }) => jobId)).toEqual(bad.toReversed().slice(0, 5));
    expect(failed.every(({ phase, jobInfo }) => phase === "ERROR" && jobInfo.exitCode === 1)).toBe(true);
    expect(await place.list("--phase", "completed", "--phase", "queued")).toHaveLength(2);
    const last = failed[0]?.creationTime ?? "";
    expect(await place.list("--after", last)).toEqual([]);
    expect(await place.list("--after", "2020")).toHaveLength(9);
  });

  test("wait exits as the job did", async () => {
    await using place = new Place(form);
    const notExecutable = place.write("not-executable", "#!/bin/sh\n", 0o644);
    const [seven = "", killed = "", missing = "", denied = "", good = ""] = await place.submitBatch([
      { command: ["sh", "-c", "exit 7"] },
      { command: ["sh", "-c", "kill -SEGV $$"] },
      { command: ["no-such-program-anywhere"] },
      { command: [notExecutable] },
      { command: ["true"] },
    ]);
    expect(await place.reeve("wait", "--timeout", "10ms", seven)).toMatchObject({ code: 124 });
    expect(await place.drain()).toMatchObject({ code: 1 });
    expect((await place.reeve("wait", seven)).code).toBe(7);
    expect((await place.reeve("wait", killed)).code).toBe(139);
    expect((await place.reeve("wait", missing)).code).toBe(127);
    expect((await place.reeve("wait", denied)).code).toBe(126);
    expect((await place.reeve("wait", good, seven, missing)).code).toBe(7);
    const done = await place.reeve("wait", "--json", good);
    expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining(`"jobId": "${good}"`) });
  });

  test("submit --wait exits as the job did", async () => {
    await using place = new Place(form);
    await place.worker();
    expect(await place.reeve("submit", "--wait", ...sh("exit 9"))).toMatchObject({ code: 9 });
    expect(await place.reeve("submit", "--wait", "--", "true")).toMatchObject({ code: 0 });
  });

  test("a job that is held is PENDING until it is started", async () => {
    await using place = new Place(form);
    const id = await place.submit("--hold", ...sh("echo ran > ran"));
    expect(await place.phase(id)).toBe("PENDING");
    expect(await place.ok("why", id)).toContain(`reeve start ${id}`);
    expect(await place.drain()).toMatchObject({ code: 0 });
    expect(place.read("ran")).toBe("");
    expect(await place.ok("start", id)).toBe(`${id}\n`);
    expect(await place.phase(id)).toBe("QUEUED");
    await place.drain();
    expect(place.read("ran")).toBe("ran\n");
  });

  test("an abort before the start and one while it runs both end ABORTED", async () => {
    await using place = new Place(form);
    const queued = await place.submit("--", "true");
    expect(await place.ok("abort", queued)).toBe(`${queued}\n`);
    expect(await place.phase(queued)).toBe("ABORTED");
    expect(await place.reeve("wait", queued)).toMatchObject({ code: 1 });

    const running = await place.submit(...sh("echo $$ > pid; exec sleep 1000"));
    await place.worker();
    await place.file("pid");
    expect(await place.ok("abort", running)).toBe(`${running}\n`);
    expect(await place.show(running)).toMatchObject({
      phase: "ABORTED",
      jobInfo: { signal: "SIGTERM", exitCode: null },
    });
    expect(place.jobProcesses()).toEqual([]);
  });

  test("a retry is a new job that names the old one", async () => {
    await using place = new Place(form);
    const old = await place.submit("--body", "the body", ...sh("test -e fixed && cat"));
    await place.drain();
    expect(await place.phase(old)).toBe("ERROR");
    place.write("fixed", "");
    const id = (await place.ok("retry", "--quiet", old)).trim();
    expect(id).not.toBe(old);
    await place.drain();
    expect(await place.show(id)).toMatchObject({ phase: "COMPLETED", jobInfo: { retryOf: old } });
    expect(await place.ok("logs", id)).toBe("the body");
    expect(await place.show(old)).toMatchObject({ phase: "ERROR", jobInfo: { retriedAs: id } });
    expect(await place.reeve("retry", await place.submit("--hold", "--", "true"))).toMatchObject({ code: 2 });
  });

  test("delete forgets a job with its files, and aborts one that runs", async () => {
    await using place = new Place(form);
    const done = await place.submit(...sh('head -c 50000 /dev/zero > "$REEVE_RESULTS/big"'));
    await place.drain();
    const files = `${place.store}/jobs/${done.slice(0, 2)}/${done}`;
    expect(readdirSync(files)).not.toEqual([]);
    expect(await place.ok("delete", done)).toBe(`${done}\n`);
    expect(existsSync(files)).toBe(false);
    expect(await place.reeve("show", done)).toMatchObject({ code: 3 });

    const running = await place.submit(...sh("touch runs; exec sleep 1000"));
    await place.worker();
    await eventually("the job runs", () => existsSync(place.of("runs")));
    expect(await place.ok("delete", running)).toBe(`${running}\n`);
    expect(place.jobProcesses()).toEqual([]);
    await eventually("it is forgotten", async () => (await place.reeve("show", running)).code === 3);
  });

  test("clean forgets what its switches name, and no more", async () => {
    await using place = new Place(form);
    await place.submitBatch([{ command: ["true"] }, { command: ["false"] }, { command: ["true"], hold: true }]);
    const aborted = await place.submit("--hold", "--", "true");
    await place.ok("abort", aborted);
    await place.drain();
    const queued = await place.submit("--", "true");
    const phases = async (): Promise<string[]> => (await place.list()).map(({ phase }) => phase).toSorted();
    const all = ["ABORTED", "COMPLETED", "ERROR", "PENDING", "QUEUED"];

    expect(await place.ok("clean")).toBe("removed 0 jobs\n");
    expect(await place.ok("clean", "--all", "--older-than", "7d")).toBe("removed 0 jobs\n");
    expect(await place.ok("clean", "--all", "--dry-run")).toBe("would remove 5 jobs\n");
    expect(await phases()).toEqual(all);
    expect(JSON.parse(await place.ok("clean", "--failed", "--json"))).toMatchObject({ removed: 2, dryRun: false });
    expect(await phases()).toEqual(["COMPLETED", "PENDING", "QUEUED"]);
    expect(await place.ok("clean", "--completed")).toBe("removed 1 job\n");
    expect(await phases()).toEqual(["PENDING", "QUEUED"]);
    expect(await place.ok("clean", "--forgotten")).toBe("removed 1 job\n");
    expect((await place.list()).map(({ jobId }) => jobId)).toEqual([queued]);
    expect(await place.ok("clean", "--all")).toBe("removed 1 job\n");
    expect(await phases()).toEqual([]);
  });

  test("dead letters are listed with their reason, shown, run again and purged", async () => {
    await using place = new Place(form);
    expect(await place.reeve("dead", "list")).toMatchObject({ code: 0, stdout: "" });
    const [one = "", two = "", three = ""] = await place.submitBatch(
      [1, 2, 3].map((code) => ({ command: ["sh", "-c", `test -e fixed || exit ${code}`] })),
    );
    await place.drain();
    const table = await place.ok("dead", "list");
    for (const text of [one.slice(0, 10), "exit code 3", "REASON"]) expect(table).toContain(text);
    const listed = JSON.parse(await place.ok("dead", "list", "--json")) as JobDocument[];
    expect(listed.map(({ jobId }) => jobId).toSorted()).toEqual([one, two, three].toSorted());
    expect(await place.ok("dead", "show", two)).toContain("exit code 2");

    place.write("fixed", "");
    const again = (await place.ok("dead", "retry", "--quiet", one)).trim();
    await place.drain();
    expect(await place.phase(again)).toBe("COMPLETED");
    expect(await place.reeve("dead", "show", one)).toMatchObject({ code: 3 });
    expect(await place.ok("dead", "purge", two)).toBe(`${two}\n`);
    expect(await place.reeve("show", two)).toMatchObject({ code: 3 });
    expect((await place.ok("dead", "retry", "--quiet", "--all")).trim()).not.toBe("");
    expect(await place.reeve("dead", "list")).toMatchObject({ code: 0, stdout: "" });
    expect(await place.reeve("dead", "purge")).toMatchObject({ code: 2 });
  });

  test("a worker that stays picks up a submit, and logs -f prints what is written while it is", async () => {
    await using place = new Place(form);
    const worker = await place.worker();
    const id = (await place.ok("submit", ...sh("echo one; while [ ! -e go ]; do sleep 0.02; done; echo two"))).trim();
    const reader = place.start(["logs", "-f", id]);
    await eventually("the first line is there", () => reader.stdout() === "one\n");
    place.write("go", "");
    expect(await reader.ended).toMatchObject({ code: 0, stdout: "one\ntwo\n" });
    expect(await place.reeve("wait", id)).toMatchObject({ code: 0 });
    worker.signal("SIGTERM");
    expect((await worker.ended).signal).toBe("SIGTERM");
  });

  test("delays, expiry, priorities, dedupe keys, --once, --max-jobs and --idle-exit", async () => {
    await using place = new Place(form);
    expect(await place.reeve("work", "--once")).toMatchObject({ code: 3 });
    const delayed = await place.submit("--delay", "1h", "--", ...say("delayed"));
    const expired = await place.submit("--expires", "1ms", "--", ...say("expired"));
    const low = await place.submit("--", ...say("low"));
    const high = await place.submit("--priority", "5", "--dedupe", "key", "--", ...say("high"));
    expect(await place.submit("--dedupe", "key", "--", ...say("twice"))).toBe(high);
    expect(await place.reeve("work", "--once", "--concurrency", "4")).toMatchObject({ code: 0 });
    expect(place.lines("order")).toEqual(["high"]);
    expect(await place.reeve("work", "--max-jobs", "1")).toMatchObject({ code: 0 });
    expect(place.lines("order")).toEqual(["high", "low"]);
    expect(await place.reeve("work", "--idle-exit", "10ms")).toMatchObject({ code: 0 });
    expect(await place.phase(delayed)).toBe("QUEUED");
    expect(await place.phase(low)).toBe("COMPLETED");
    expect(await place.show(expired)).toMatchObject({ phase: "ABORTED", errorSummary: { cause: "expired" } });
  });

  test("attempts are made until one succeeds", async () => {
    await using place = new Place(form);
    place.write(
      "reeve.toml",
      '[jobs.flaky]\ncommand = ["sh", "-c", "echo $REEVE_ATTEMPT; test $REEVE_ATTEMPT = 3"]\nmax_attempts = 5\nbackoff = "1ms"\n',
    );
    const id = await place.submit("flaky");
    expect(await place.drain()).toMatchObject({ code: 0 });
    const { phase, jobInfo } = await place.show(id);
    expect({ phase, failures: jobInfo.failures }).toEqual({ phase: "COMPLETED", failures: 2 });
    expect(jobInfo.attempts.map(({ exitCode }) => exitCode)).toEqual([1, 1, 0]);
    expect(await place.ok("logs", "--all", id)).toBe("1\n2\n3\n");
    expect(await place.ok("logs", "--attempt", "2", id)).toBe("2\n");
  });
});
