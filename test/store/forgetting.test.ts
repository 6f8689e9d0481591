import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inlineBody } from "../../src/config/message-body.ts";
import type { Job } from "../../src/store/job.ts";
import { unchangeable } from "../support/filesystems.ts";
import { existing, limits, newJob, only, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const NOW = 1_700_000_000_000;
const DAY_MS = 24 * 3600 * 1000;

const forget = (at: TemporaryStore, { seq }: Job) => at.store.write(() => at.store.forgetting.forget(seq, NOW));

/** A job with files of its own. */
async function withFiles(at: TemporaryStore): Promise<Job & { readonly directory: string }> {
  const job = only(await at.submit(newJob()));
  const directory = at.store.location.job(job.id);
  mkdirSync(join(directory, "results.1", "deep"), { recursive: true });
  writeFileSync(join(directory, "results.1", "deep", "map.png"), "a map");
  return { ...job, directory };
}

const rows = (at: TemporaryStore, table: string): number =>
  at.store.database.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)?.n ?? 0;

describe("a job that is forgotten", () => {
  test("leaves nothing in the store but a tombstone and the list of what is to be removed", async () => {
    using at = temporaryStore();
    const job = only(await at.submit(newJob({ body: inlineBody(new Uint8Array([1])), after: [] })));
    await at.store.write(() => {
      const claimed = at.job(job);
      at.store.attempts.begin({ job: claimed, worker: "w", directory: "/", messageId: "m1", receiveCount: 1, at: NOW });
      at.store.outputs.replace(
        job.seq,
        1,
        [{ stream: "log", content: { kind: "inline", bytes: new Uint8Array([1]) } }],
        [],
      );
    });
    expect(await forget(at, job)).toBe(true);
    for (const table of ["jobs", "inputs", "contexts", "attempts", "outputs", "results", "decisions", "dependencies"]) {
      expect([table, rows(at, table)]).toEqual([table, 0]);
    }
    expect(rows(at, "tombstones")).toBe(1);
  });

  test("takes the file of its body with it, unless another job has the same", async () => {
    using at = temporaryStore();
    const body = { kind: "file", path: at.directory.write("body", "x"), size: 1 } as const;
    const [one, other] = await at.submit(newJob({ body }), newJob({ body }));
    await forget(at, existing(one));
    expect(at.store.forgetting.removals()).not.toContain(body.path);
    await forget(at, existing(other));
    expect(at.store.forgetting.isToBeRemoved(body.path)).toBe(true);
    expect(at.store.forgetting.removeFiles(at.store.forgetting.removals()).gone).toContain(body.path);
    expect(existsSync(body.path)).toBe(false);
  });

  test("leaves its verdict, under its message's id, for as long as a queue may deliver it", async () => {
    using at = temporaryStore();
    const job = only(await at.submit(newJob()));
    await at.store.write(() => {
      const start = { job: at.job(job), worker: "w", directory: "/", messageId: "m1", receiveCount: 1, at: NOW };
      at.store.attempts.begin(start);
      at.store.database.run("UPDATE jobs SET phase = 'COMPLETED', verdict = 'acknowledge' WHERE seq = ?", job.seq);
    });
    await forget(at, job);
    expect(at.store.database.get("SELECT * FROM tombstones")).toEqual({
      id: job.id,
      message_id: "m1",
      phase: "COMPLETED",
      verdict: "acknowledge",
      copied: 0,
      forgotten_at: NOW,
      until: NOW + 14 * DAY_MS,
    });
    expect(at.store.forgetting.hasOldTombstones(NOW + 14 * DAY_MS - 1)).toBe(false);
    expect(at.store.forgetting.hasOldTombstones(NOW + 14 * DAY_MS)).toBe(true);
    await at.store.write(() => at.store.forgetting.dropOldTombstones(NOW + 14 * DAY_MS));
    expect(rows(at, "tombstones")).toBe(0);
  });

  test("takes its environment with it unless another job has the same", async () => {
    using at = temporaryStore();
    const context = { kind: "command", cwd: "/", environment: { TOKEN: "x" }, secrets: [], limits: limits() } as const;
    const [first, second] = await at.submit(newJob({ context }), newJob({ context }));
    expect(rows(at, "contexts")).toBe(1);
    await forget(at, existing(first));
    expect(at.another().jobs.inputs(existing(second).seq).context).toEqual(context);
    await forget(at, existing(second));
    expect(rows(at, "contexts")).toBe(0);
  });

  test("is forgotten once", async () => {
    using at = temporaryStore();
    const job = only(await at.submit(newJob()));
    expect(await forget(at, job)).toBe(true);
    expect(await forget(at, job)).toBe(false);
  });

  test("does not give its place to a later job", async () => {
    using at = temporaryStore();
    const first = only(await at.submit(newJob()));
    const waiting = only(await at.submit(newJob({ after: [first.id], hold: true })));
    await at.store.write(() => at.store.database.run("UPDATE jobs SET phase = 'COMPLETED' WHERE seq = ?", first.seq));
    await forget(at, first);
    const later = only(await at.submit(newJob()));
    await at.store.write(() => at.store.steering.abort(later.seq, NOW, "a test"));
    expect(at.job(waiting).phase).toBe("PENDING");
  });
});

describe("the files of a forgotten job", () => {
  test("are listed in the same transaction, removed after it, and listed no more then", async () => {
    using at = temporaryStore();
    const { forgetting } = at.store;
    const job = await withFiles(at);
    await forget(at, job);
    expect(existsSync(job.directory)).toBe(true);
    expect(at.another().forgetting.removals()).toEqual([job.directory]);
    const { gone, failures } = forgetting.removeFiles(forgetting.removals());
    expect({ gone, failures }).toEqual({ gone: [job.directory], failures: [] });
    expect(existsSync(job.directory)).toBe(false);
    await at.store.write(() => forgetting.removed(gone));
    expect(forgetting.removals()).toEqual([]);
  });

  test("stay listed when they cannot be removed, and are removed the next time", async () => {
    using at = temporaryStore();
    const { forgetting } = at.store;
    const [stuck, fine] = [await withFiles(at), await withFiles(at)];
    await forget(at, stuck);
    await forget(at, fine);
    const hold = unchangeable(join(stuck.directory, "results.1", "deep"));
    const first = forgetting.removeFiles(forgetting.removals());
    hold[Symbol.dispose]();
    expect(first.gone).toEqual([fine.directory]);
    expect(first.failures.map(({ path }) => path)).toEqual([stuck.directory]);
    await at.store.write(() => forgetting.removed(first.gone));
    expect(forgetting.removals()).toEqual([stuck.directory]);
    expect(forgetting.removeFiles(forgetting.removals()).failures).toEqual([]);
    expect(existsSync(stuck.directory)).toBe(false);
  });

  test("that are gone already are no failure", async () => {
    using at = temporaryStore();
    await forget(at, only(await at.submit(newJob())));
    expect(at.store.forgetting.removeFiles(at.store.forgetting.removals()).failures).toEqual([]);
  });

  test("behind a link in the job's directory are left alone", async () => {
    using at = temporaryStore();
    const job = await withFiles(at);
    const outside = at.directory.write("outside.txt", "keep me");
    symlinkSync(at.directory.path, join(job.directory, "link"));
    await forget(at, job);
    at.store.forgetting.removeFiles(at.store.forgetting.removals());
    expect(existsSync(outside)).toBe(true);
  });
});

describe("the time of destruction", () => {
  test("is nil for a job that is queued, and seven days from now for one that is to be started by hand", async () => {
    using at = temporaryStore();
    const ids = await at.store.write(() => at.store.submission.submit([newJob(), newJob({ hold: true })], NOW));
    const [queued, pending] = ids.map((id) => existing(at.store.jobs.byId(id)));
    expect([queued?.destruction, pending?.destruction]).toEqual([null, NOW + 7 * DAY_MS]);
  });

  test("is seven days after the end, and gone when a job is started by hand", async () => {
    using at = temporaryStore();
    const { steering } = at.store;
    const job = only(await at.submit(newJob({ hold: true })));
    expect((await at.store.write(() => steering.start(job.seq, NOW, "a test"))).destruction).toBeNull();
    expect((await at.store.write(() => steering.abort(job.seq, NOW, "a test"))).destruction).toBe(NOW + 7 * DAY_MS);
  });

  test("that a client chose is kept through start and end", async () => {
    using at = temporaryStore();
    const { steering } = at.store;
    const job = only(await at.submit(newJob({ hold: true, destruction: NOW + 5 })));
    expect((await at.store.write(() => steering.start(job.seq, NOW, "a test"))).destruction).toBe(NOW + 5);
    expect((await at.store.write(() => steering.abort(job.seq, NOW, "a test"))).destruction).toBe(NOW + 5);
  });

  test("lists what is due, the longest due first, and no more than asked for", async () => {
    using at = temporaryStore();
    const times = [NOW - 1, NOW, NOW + 1, NOW - 2];
    const jobs = await at.submit(...times.map((destruction) => newJob({ destruction })));
    const due = (limit: number): number[] => at.store.forgetting.due(NOW, limit).map(({ seq }) => seq);
    expect(due(10)).toEqual([jobs[3]?.seq ?? 0, jobs[0]?.seq ?? 0, jobs[1]?.seq ?? 0]);
    expect(due(1)).toEqual([jobs[3]?.seq ?? 0]);
  });

  test("asked for now aborts what has not ended", async () => {
    using at = temporaryStore();
    const job = only(await at.submit(newJob()));
    const destroyed = await at.store.write(() => at.store.steering.destroy(job.seq, NOW, "a test"));
    expect(destroyed).toMatchObject({ phase: "ABORTED", destruction: NOW });
    expect(at.store.forgetting.due(NOW, 10).map(({ seq }) => seq)).toEqual([job.seq]);
  });
});
