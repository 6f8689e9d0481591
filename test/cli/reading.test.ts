import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { JobDocument } from "../../src/uws/document.ts";
import { desk, failure, inline } from "./desk.ts";

test("a job's document has the names of UWS, and null for what is not so", async () => {
  using work = desk();
  const { id } = await work.ended(
    {
      results: [{ id: "map", type: "image/png", content: inline("png") }],
      progress: { fraction: 0.5, message: "half" },
    },
    {},
    { runId: "r", owner: "ann", command: ["echo", "hi"] },
  );
  const { code, stdout } = await work.reeve("show", id.slice(0, 8), "--json");
  expect(code).toBe(0);
  const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(JSON.parse(stdout)).toMatchObject({
    jobId: id,
    phase: "COMPLETED",
    runId: "r",
    ownerId: "ann",
    quote: null,
    creationTime: iso,
    startTime: iso,
    endTime: iso,
    destruction: iso,
    executionDuration: 0,
    parameters: [],
    results: [{ id: "map", mimeType: "image/png", size: 3 }],
    errorSummary: null,
    jobInfo: {
      attempts: [
        { number: 1, startTime: iso, endTime: iso, exitCode: 0, signal: null, cause: null, pid: 4711, cpuUser: 0.0015, peakMemory: 4096, verdict: "acknowledge" },
      ],
      exitCode: 0,
      progress: { fraction: 0.5, message: "half" },
      queue: "sqlite",
      definition: null,
      command: ["echo", "hi"],
      retryOf: null,
    },
  }); // prettier-ignore
});

test("what the exit handler did, and how long an attempt stood still, is told", async () => {
  using work = desk();
  const job = await work.ended();
  const attempt = async () => {
    const document: JobDocument = JSON.parse((await work.reeve("show", job.id, "--json")).stdout);
    return document.jobInfo.attempts[0];
  };
  expect(await attempt()).toMatchObject({ cleanUp: null, suspended: 0, suspendedSince: null });
  const { database } = work.at.store;
  database.run("UPDATE attempts SET cleanup_tries = 1, suspended_ms = 1500, suspended_at = 0");
  expect(await attempt()).toMatchObject({
    cleanUp: { outcome: null, tries: 1, exitCode: null, signal: null, seconds: null },
    suspended: 1.5,
    suspendedSince: "1970-01-01T00:00:00.000Z",
  });
  expect((await work.reeve("show", job.id)).stdout).toContain("exit code 0; cleaning up");
  database.run(
    `UPDATE attempts SET cleanup = 'failed', cleanup_tries = 2, cleanup_exit_code = 3, cleanup_ms = 250,
      exit_handler = '{"argv":["./clean.sh","a b"],"cwd":"/"}'`,
  );
  const cleanUp = { outcome: "failed", tries: 2, exitCode: 3, signal: null, seconds: 0.25 };
  expect(await attempt()).toMatchObject({ cleanUp });
  const { stdout } = await work.reeve("show", job.id);
  expect(stdout).toContain("exit code 0; clean-up failed");
  expect(stdout).toMatch(/exit handler +\.\/clean\.sh 'a b'/);
});

test("secrets are shown nowhere", async () => {
  using work = desk();
  const context = {
    kind: "command",
    cwd: "/",
    environment: { TOKEN: "s3cret", PLAIN: "pl41n" },
    secrets: ["TOKEN"],
    limits: { ...(await limitsOf()) },
  } as const;
  const exitHandler = ["logout", "s3cret"];
  const { id } = await work.submit({ context: { ...context, exitHandler }, command: ["curl", "-H", "Bearer s3cret"] });
  await work.submit({ parameters: [{ name: "key", values: ["hush"], file: false, secret: true }], definition: "d" });
  for (const args of [["list"], ["list", "--json"], ["show", id], ["show", id, "--json"]]) {
    const { stdout } = await work.reeve(...args);
    expect(stdout).toContain("***");
    for (const secret of ["s3cret", "hush", "pl41n"]) expect(stdout).not.toContain(secret);
  }
});

async function limitsOf() {
  return (await import("../../src/config/definition.ts")).DEFAULT_LIMITS;
}

test("list shows the newest, says when there are more, and filters", async () => {
  using work = desk();
  await work.ended({ ending: { kind: "exited", code: 3 } }, failure("it broke\u001b[2J\nbadly"));
  for (let index = 0; index < 3; index += 1) await work.submit({ command: ["job", String(index)], owner: "007" });
  const short = await work.reeve("list", "--last", "2");
  expect(short.stdout.split("\n")[1]).toMatch(/^[a-z0-9]{10} +QUEUED +\S+ ago +job 2$/);
  expect(short.stderr).toContain("only the newest 2 jobs");
  expect((await work.reeve("list")).stdout).toContain("it broke\\u001b[2J badly");
  expect(await work.documents("--owner", "007")).toHaveLength(3);
  expect(await work.documents("--owner", "7")).toHaveLength(0);
  expect(await work.documents("--phase", "error", "--phase", "PENDING")).toMatchObject([{ phase: "ERROR" }]);
  expect(await work.documents("--after", new Date(Date.now() + 1000).toISOString())).toEqual([]);
  const coloured = await work.reeve("list", "--color");
  expect(coloured.stdout).toContain("\u001b[31mERROR\u001b[0m");
});

test("an id may be any unique beginning", async () => {
  using work = desk();
  await work.submit({ id: "aaaaaaaaaaaaaaaaaaa1" });
  await work.submit({ id: "aaaaaaaaaaaaaaaaaaa2" });
  expect(await work.reeve("show", "AAAAAAAAAAAAAAAAAAA1")).toMatchObject({ code: 0 });
  const both = await work.reeve("show", "aaa");
  expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining("more than one job begins with aaa") });
  expect(await work.reeve("show", "b")).toMatchObject({ code: 3, stderr: expect.stringContaining("no job b") });
});

test("results are given as bytes, to stdout or a file", async () => {
  using work = desk();
  const results = [
    { id: "a.txt", type: "text/plain", content: inline("AAA") },
    { id: "b.txt", type: "text/plain", content: inline("BBB") },
  ];
  const two = await work.ended({ results, outputs: [{ stream: "log", content: inline("log!") }] });
  expect(await work.reeve("result", two.id)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("a.txt, b.txt"),
  });
  expect(await work.reeve("result", two.id, "b.txt")).toMatchObject({ code: 0, stdout: "BBB" });
  expect(await work.reeve("result", two.id, "log")).toMatchObject({ code: 0, stdout: "log!" });
  expect(await work.reeve("result", two.id, "stdout")).toMatchObject({ code: 3 });
  expect(await work.reeve("result", two.id, "c.txt")).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("did you mean"),
  });
  const file = work.at.directory.of("out");
  expect(await work.reeve("result", two.id, "a.txt", "-o", file)).toMatchObject({ code: 0, stdout: "" });
  expect(readFileSync(file, "utf8")).toBe("AAA");
  expect(await work.reeve("result", two.id, "a.txt", "-o", "/no/such/dir/x")).toMatchObject({ code: 69 });
  const one = await work.ended({ results: results.slice(0, 1) });
  expect(await work.reeve("result", one.id)).toMatchObject({ stdout: "AAA" });
  const none = await work.submit();
  expect(await work.reeve("result", none.id)).toMatchObject({ code: 3 });
});

test("why tells the story, what it waits for, and what to do", async () => {
  using work = desk();
  const held = await work.submit({ hold: true });
  expect((await work.reeve("why", held.id)).stdout).toContain(`reeve start ${held.id}`);
  const waits = await work.submit({ after: [held.id], availableAt: Date.now() + 3_600_000 });
  const queued = (await work.reeve("why", waits.id)).stdout;
  for (const part of [`waits for job ${held.id}, which is PENDING`, "It is due at", "in 59m", "No worker is running"]) {
    expect(queued).toContain(part);
  }
  const failed = await work.ended({ ending: { kind: "exited", code: 3 } }, failure("exit code 3"));
  const told = await work.reeve("why", failed.id, "--json");
  expect(JSON.parse(told.stdout)).toMatchObject({
    jobId: failed.id,
    phase: "ERROR",
    story: [
      { what: "submitted from /" },
      { what: "started" },
      { what: expect.stringContaining("ERROR"), why: expect.stringContaining("3") },
    ],
    now: ["It failed: exit code 3."],
    next: [`reeve logs ${failed.id}`, `reeve retry ${failed.id}`],
  });
});

test("dead letters are listed with their reason, shown, retried and purged", async () => {
  using work = desk();
  const job = await work.ended({ ending: { kind: "exited", code: 3 } }, failure("no more tries"));
  const fine = await work.ended();
  const listed = await work.reeve("dead");
  expect(listed.stdout).toContain("no more tries");
  expect(listed.stdout).not.toContain(fine.id.slice(0, 10));
  expect(await work.reeve("dead", "show", fine.id)).toMatchObject({ code: 3 });
  const shown = JSON.parse((await work.reeve("dead", "show", job.id, "--json")).stdout) as JobDocument;
  expect(shown.jobId).toBe(job.id);
  expect(await work.reeve("dead", "retry")).toMatchObject({ code: 2 });
  const retried = await work.reeve("dead", "retry", "--all", "--quiet");
  expect(work.at.store.jobs.byPrefix(retried.stdout.trim())).toMatchObject({ phase: "QUEUED", retryOf: job.id });
  expect(await work.reeve("dead", "list", "--json")).toMatchObject({ code: 0, stdout: "[]\n" });
});

test("a reader that goes away is no error", async () => {
  using work = desk();
  const { store } = work.at;
  const big = "x".repeat(100) + "\n";
  const { id } = await work.ended({ outputs: [{ stream: "log", content: inline(big.repeat(50_000)) }] });
  expect(store.jobs.byId(id)).toMatchObject({ phase: "COMPLETED" });
  expect((await work.reeve("logs", id)).stdout.length).toBe(big.length * 50_000);
  const reader = work.start(["logs", id]);
  reader.hangUp();
  expect(await reader.ended).toMatchObject({ code: 0, stderr: "" });
});
