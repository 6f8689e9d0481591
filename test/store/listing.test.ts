import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { inlineBody } from "../../src/config/message-body.ts";
import { runtime } from "../../src/runtime/index.ts";
import type { Database, SqlValue } from "../../src/runtime/port.ts";
import type { Filter } from "../../src/store/jobs.ts";
import { PHASES, type Phase } from "../../src/store/phases.ts";
import { sentenceOf } from "../support/errors.ts";
import { existing, newJob, only, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const filter = (fields: Partial<Filter> = {}): Filter => ({
  phases: [],
  after: null,
  owner: null,
  last: null,
  ...fields,
});

/** One job for each, made at that time, in that phase. */
async function fill(
  { store }: TemporaryStore,
  jobs: readonly { id: string; at: number; phase?: Phase; owner?: string; definition?: string }[],
): Promise<void> {
  for (const { id, at, phase = "QUEUED", owner = null, definition = null } of jobs) {
    await store.write(() => {
      store.submission.submit([newJob({ id, owner, definition })], at);
      store.database.run("UPDATE jobs SET phase = ? WHERE id = ?", phase, id);
    });
  }
}

const listed = ({ store }: TemporaryStore, fields: Partial<Filter>): string[] =>
  store.jobs.list(filter(fields)).map(({ id }) => id);

describe("the list of jobs", () => {
  test("has the newest first; of those made at once, the one that was submitted last", async () => {
    using at = temporaryStore();
    await fill(at, [
      { id: "old", at: 100 },
      { id: "new", at: 300 },
      { id: "middle-1", at: 200 },
      { id: "middle-2", at: 200 },
    ]);
    expect(listed(at, {})).toEqual(["new", "middle-2", "middle-1", "old"]);
  });

  test("has all phases but ARCHIVED unless phases are named", async () => {
    using at = temporaryStore();
    await fill(
      at,
      PHASES.map((phase, index) => ({ id: phase, at: index, phase })),
    );
    expect(new Set(listed(at, {}))).toEqual(new Set(PHASES.filter((phase) => phase !== "ARCHIVED")));
    expect(listed(at, { phases: ["ARCHIVED"] })).toEqual(["ARCHIVED"]);
    expect(listed(at, { phases: PHASES })).toEqual(PHASES.toReversed());
  });

  test("of several phases is their union, each job once, in one order", async () => {
    using at = temporaryStore();
    await fill(at, [
      { id: "a", at: 1, phase: "ERROR" },
      { id: "b", at: 2, phase: "QUEUED" },
      { id: "c", at: 3, phase: "ERROR" },
      { id: "d", at: 4, phase: "COMPLETED" },
    ]);
    expect(listed(at, { phases: ["QUEUED", "ERROR"] })).toEqual(["c", "b", "a"]);
    expect(listed(at, { phases: ["ERROR", "ERROR"] })).toEqual(["c", "a"]);
    expect(listed(at, { phases: ["HELD"] })).toEqual([]);
  });

  test("after a time has jobs that were made strictly later", async () => {
    using at = temporaryStore();
    await fill(at, [
      { id: "before", at: 999 },
      { id: "then", at: 1000 },
      { id: "later", at: 1001 },
    ]);
    expect(listed(at, { after: 1000 })).toEqual(["later"]);
    expect(listed(at, { after: 999 })).toEqual(["later", "then"]);
    expect(listed(at, { after: 1001 })).toEqual([]);
  });

  test("of the last few has the newest that the other filters leave", async () => {
    using at = temporaryStore();
    await fill(at, [
      { id: "a", at: 1, phase: "ERROR" },
      { id: "b", at: 2, phase: "ERROR" },
      { id: "c", at: 3, phase: "COMPLETED" },
      { id: "d", at: 4 },
    ]);
    expect(listed(at, { last: 2 })).toEqual(["d", "c"]);
    expect(listed(at, { last: 1, phases: ["ERROR"] })).toEqual(["b"]);
    expect(listed(at, { last: 2, phases: ["ERROR", "COMPLETED"] })).toEqual(["c", "b"]);
    expect(listed(at, { last: 100 })).toHaveLength(4);
    expect(listed(at, { last: 3, after: 2 })).toEqual(["d", "c"]);
  });

  test("of an owner has nobody else's", async () => {
    using at = temporaryStore();
    await fill(at, [
      { id: "a", at: 1, owner: "ada" },
      { id: "b", at: 2, owner: "ben" },
      { id: "c", at: 3 },
      { id: "d", at: 4, owner: "ada", phase: "ERROR" },
    ]);
    expect(listed(at, { owner: "ada" })).toEqual(["d", "a"]);
    expect(listed(at, { owner: "ada", phases: ["ERROR", "COMPLETED"], last: 5 })).toEqual(["d"]);
    expect(listed(at, { owner: "ada", after: 1 })).toEqual(["d"]);
    expect(listed(at, { owner: "ADA" })).toEqual([]);
  });
});

describe("the list of a definition", () => {
  const jobs = [
    { id: "a", at: 1, definition: "resize" },
    { id: "b", at: 2 },
    { id: "c", at: 2, definition: "rotate" },
    { id: "d", at: 2, definition: "resize", phase: "ERROR" as const },
    { id: "e", at: 3, definition: "resize" },
  ];

  test("has its jobs, and none of another; null is for those without one", async () => {
    using at = temporaryStore();
    await fill(at, jobs);
    expect(listed(at, { definition: "resize" })).toEqual(["e", "d", "a"]);
    expect(listed(at, { definition: "resize", phases: ["ERROR", "QUEUED"], last: 2 })).toEqual(["e", "d"]);
    expect(listed(at, { definition: null })).toEqual(["b"]);
    expect(listed(at, { definition: "Resize" })).toEqual([]);
    expect(listed(at, {})).toEqual(["e", "d", "c", "b", "a"]);
  });

  test("goes on below any of them, also where several were made at once", async () => {
    using at = temporaryStore();
    await fill(at, jobs);
    const page = (id: string, fields: Partial<Filter> = {}): string[] =>
      listed(at, { below: existing(at.store.jobs.byId(id)), ...fields });
    expect(page("e")).toEqual(["d", "c", "b", "a"]);
    expect(page("c")).toEqual(["b", "a"]);
    expect(page("d", { definition: "resize" })).toEqual(["a"]);
    expect(page("e", { phases: ["ERROR", "QUEUED"], last: 2 })).toEqual(["d", "c"]);
    expect(page("a")).toEqual([]);
  });

  test("goes on above any of them with those that are next to it", async () => {
    using at = temporaryStore();
    await fill(at, jobs);
    const page = (id: string, fields: Partial<Filter> = {}): string[] =>
      listed(at, { above: existing(at.store.jobs.byId(id)), ...fields });
    expect(page("a")).toEqual(["e", "d", "c", "b"]);
    expect(page("a", { last: 2 })).toEqual(["c", "b"]);
    expect(page("a", { last: 1, definition: "resize" })).toEqual(["d"]);
    expect(page("b", { phases: ["ERROR", "QUEUED"], last: 2 })).toEqual(["d", "c"]);
    expect(page("e")).toEqual([]);
  });

  test("is counted, up to a bound", async () => {
    using at = temporaryStore();
    await fill(at, jobs);
    const count = (fields: Partial<Filter>, most = 100): number => at.store.jobs.count(filter(fields), most);
    expect(count({})).toBe(5);
    expect(count({}, 3)).toBe(3);
    expect(count({ after: 1, definition: "resize" })).toBe(2);
    expect(count({ phases: ["ERROR", "QUEUED"], definition: "resize" })).toBe(3);
    expect(count({ phases: ["HELD"] })).toBe(0);
  });
});

/** Opens databases that note what is asked of them. */
function recording(asked: { sql: string; values: readonly SqlValue[] }[]) {
  return (path: string): Database => {
    const database = runtime.openDatabase(path, { create: true });
    return {
      ...database,
      prepare<Row>(sql: string) {
        const statement = database.prepare<Row>(sql);
        const all = (...values: SqlValue[]): Row[] => {
          asked.push({ sql, values });
          return statement.all(...values);
        };
        return { ...statement, get: statement.get, run: statement.run, all };
      },
    };
  };
}

describe("the list is found through indexes", () => {
  const everyFilter = [[], ["ERROR"], ["QUEUED", "EXECUTING", "ERROR"]].flatMap((phases) =>
    [null, 1000].flatMap((after) =>
      [null, "ada"].flatMap((owner) =>
        // The phases are spelled out above.
        [null, 20].flatMap((last) =>
          [
            {},
            { definition: "resize" },
            { below: { createdAt: 5000, seq: 7 } },
            { above: { createdAt: 5, seq: 7 }, definition: "resize" },
          ].map((more) => filter({ phases: phases as Phase[], after, owner, last, ...more })),
        ),
      ),
    ),
  );

  const asked: { sql: string; values: readonly SqlValue[] }[] = [];
  const at = temporaryStore({ openDatabase: recording(asked) });
  beforeAll(() =>
    fill(
      at,
      PHASES.map((phase, index) => ({ id: phase, at: index, phase, owner: "ada", definition: "resize" })),
    ),
  );
  afterAll(() => at[Symbol.dispose]());

  test.each(everyFilter.map((one) => [JSON.stringify(one), one] as const))("%s", (_, one) => {
    asked.length = 0;
    at.store.jobs.list(one);
    const { sql, values } = existing(asked.at(-1));
    const plan = at.store.database.all<{ id: number; parent: number; detail: string }>(
      `EXPLAIN QUERY PLAN ${sql}`,
      ...values,
    );
    const details = plan.map(({ detail }) => detail);
    const ofJobs = details.filter((detail) => /\bjobs\b/.test(detail));
    expect(ofJobs.length).toBeGreaterThanOrEqual(Math.max(1, one.phases.length));
    expect(ofJobs.filter((detail) => !detail.includes("USING INDEX"))).toEqual([]);
    // Of one phase, or with an owner, only the rows of it are read; without either the walk ends with the page.
    if (one.phases.length > 0 || one.owner !== null)
      expect(ofJobs.filter((detail) => detail.includes("SCAN"))).toEqual([]);
    // Only what several pages have in sum may be sorted.
    if (one.phases.length <= 1) expect(details.filter((detail) => detail.includes("TEMP B-TREE"))).toEqual([]);
    else expect(sortsWithin(plan)).toEqual([]);
  });
});

describe("the way through the jobs", () => {
  const jobs = [
    ...Array.from({ length: 9 }, (_, index) => ({ id: `r${index}`, at: index, definition: "resize", owner: "ada" })),
    ...Array.from({ length: 5 }, (_, index) => ({ id: `e${index}`, at: index, definition: "rotate", owner: "ben" })),
    { id: "failed", at: 99, definition: "resize", phase: "ERROR" as const },
  ];
  const asked: { sql: string; values: readonly SqlValue[] }[] = [];
  const at = temporaryStore({ openDatabase: recording(asked) });
  beforeAll(() => fill(at, jobs));
  afterAll(() => at[Symbol.dispose]());

  test.each([
    [{}, "jobs_created"],
    [{ definition: "rotate" }, "jobs_definition"],
    [{ definition: "resize", phases: ["ERROR"] }, "jobs_phase"],
    [{ definition: "rotate", phases: ["QUEUED"] }, "jobs_definition"],
    [{ definition: "resize", owner: "ada" }, "jobs_owner"],
    // There are none: nobody looks for them.
    [{ definition: "rotate", phases: ["ERROR"] }, ""],
    [{ definition: null }, ""],
    [{ owner: "cleo" }, ""],
  ] as const)("%j: %s", (fields, index) => {
    asked.length = 0;
    at.store.jobs.list(filter(fields));
    expect(asked.map(({ sql }) => /INDEXED BY (\w+)/.exec(sql)?.[1]).join()).toBe(index);
  });
});

/** Sorting steps that stand beside a walk of the table, and so sort all that it finds. */
function sortsWithin(plan: readonly { id: number; parent: number; detail: string }[]): string[] {
  const walks = new Set(plan.filter(({ detail }) => /\bjobs\b/.test(detail)).map(({ parent }) => parent));
  return plan
    .filter(({ detail, parent }) => detail.includes("TEMP B-TREE") && walks.has(parent))
    .map(({ detail }) => detail);
}

const find = (at: TemporaryStore, prefix: string): string => at.store.jobs.byPrefix(prefix).id;

describe("a job by the beginning of its id", () => {
  test("is found by any unique beginning, in either case, and by the whole", async () => {
    using at = temporaryStore();
    await fill(at, [
      { id: "abc123", at: 1 },
      { id: "abd456", at: 2 },
    ]);
    expect(find(at, "abc")).toBe("abc123");
    expect(find(at, "ABC1")).toBe("abc123");
    expect(find(at, "abd456")).toBe("abd456");
  });

  test("is found by its whole id though another begins with it", async () => {
    using at = temporaryStore();
    await fill(at, [
      { id: "abc", at: 1 },
      { id: "abcd", at: 2 },
    ]);
    expect(find(at, "abc")).toBe("abc");
  });

  test("is not guessed at when several begin so: some are named", async () => {
    using at = temporaryStore();
    await fill(at, [
      { id: "abc123", at: 1 },
      { id: "abd456", at: 2 },
    ]);
    const { exitCode, message } = await sentenceOf(() => find(at, "ab"));
    expect(exitCode).toBe(2);
    expect(message).toContain("abc123");
    expect(message).toContain("abd456");
  });

  test.each(["zzz", "%", "_", "abc1234", "*", "~", "'"])("is not there for %s", async (prefix) => {
    using at = temporaryStore();
    await fill(at, [{ id: "abc123", at: 1 }]);
    expect((await sentenceOf(() => find(at, prefix))).exitCode).toBe(3);
  });

  test("is refused for the empty text, also when there is but one job", async () => {
    using at = temporaryStore();
    expect((await sentenceOf(() => find(at, ""))).exitCode).toBe(2);
    await fill(at, [{ id: "abc123", at: 1 }]);
    expect((await sentenceOf(() => find(at, ""))).exitCode).toBe(2);
  });

  test("is told as forgotten when it was", async () => {
    using at = temporaryStore();
    const job = only(await at.submit(newJob({ id: "abc123" })));
    await at.store.write(() => at.store.forgetting.forget(job.seq, Date.UTC(2026, 0, 2)));
    const { exitCode, message } = await sentenceOf(() => find(at, "ABC"));
    expect(exitCode).toBe(3);
    expect(message).toContain("abc123 was QUEUED and has been forgotten at 2026-01-02T00:00:00.000Z");
  });
});

describe("what else is read", () => {
  test("jobs are counted by phase", async () => {
    using at = temporaryStore();
    await fill(at, [
      { id: "a", at: 1 },
      { id: "b", at: 1 },
      { id: "c", at: 1, phase: "ERROR" },
    ]);
    expect(at.store.jobs.countByPhase()).toEqual(
      new Map([
        ["QUEUED", 2],
        ["ERROR", 1],
      ]),
    );
  });

  test("what a job was asked to do comes back as it was given", async () => {
    using at = temporaryStore();
    const given = newJob({
      command: ["sh", "-c", "echo ☃", ""],
      parameters: [
        { name: "image", values: ["a b.png", "-x"], file: false, secret: true },
        { name: "data", values: ["/x"], file: true, secret: false },
      ],
      attributes: { kind: "resize", "": "empty" },
      body: inlineBody(Uint8Array.from({ length: 256 }, (_, byte) => byte)),
    });
    const { seq } = only(await at.submit(given));
    const { context, command, parameters, attributes, body } = at.another().jobs.inputs(seq);
    expect({ context, command, parameters, attributes }).toEqual({
      context: given.context,
      command: given.command,
      parameters: given.parameters,
      attributes: given.attributes,
    });
    expect(body).toEqual(given.body);
  });

  test("a body in a file is named with its size, and found by its path", async () => {
    using at = temporaryStore();
    const body = { kind: "file", path: "/a/body", size: 5 * 1024 ** 3 } as const;
    const { seq } = only(await at.submit(newJob({ body })));
    const { jobs } = at.another();
    expect(jobs.inputs(seq).body).toEqual(body);
    expect([jobs.hasBody("/a/body"), jobs.hasBody("/a")]).toEqual([true, false]);
  });

  test("an empty body is not the same as none", async () => {
    using at = temporaryStore();
    const [empty, none] = await at.submit(newJob({ body: inlineBody(new Uint8Array()) }), newJob({ body: null }));
    expect(at.store.jobs.inputs(existing(empty).seq).body).toEqual(inlineBody(new Uint8Array()));
    expect(at.store.jobs.inputs(existing(none).seq).body).toBeNull();
  });

  test("dead letters are those that were buried and not retried, the newest first", async () => {
    using at = temporaryStore();
    const jobs = await at.submit(newJob(), newJob(), newJob());
    const bury = (index: number, when: number) =>
      at.store.database.run(
        "UPDATE jobs SET phase = 'ERROR', buried_at = ? WHERE seq = ?",
        when,
        jobs[index]?.seq ?? 0,
      );
    bury(0, 10);
    bury(2, 20);
    expect(at.store.jobs.dead().map(({ id }) => id)).toEqual([jobs[2]?.id ?? "", jobs[0]?.id ?? ""]);
    const replacement = only(await at.submit(newJob({ retryOf: jobs[2]?.id ?? "" })));
    await at.store.write(() => at.store.steering.retried(existing(jobs[2]), replacement.id, 30, "a test"));
    expect(at.store.jobs.dead().map(({ id }) => id)).toEqual([jobs[0]?.id ?? ""]);
    expect(at.job(existing(jobs[2])).retriedAs).toBe(replacement.id);
  });
});
