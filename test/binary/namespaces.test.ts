import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { eventually, stays } from "../support/eventually.ts";
import { idsOf, isLiving } from "../support/processes.ts";
import { ALONE } from "./alone.ts";
import { forEachForm } from "./forms.ts";
import { Place, sh, type Running } from "./place.ts";

const OWN_NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc"];
/** The worker is not process 1 there, and what it leaves goes on without it. */
const BESIDE_ANOTHER = [...OWN_NAMESPACE, "sh", "-c", '"$@" & exec sleep 1000', "sh"];

{
  const { success, stderr } = Bun.spawnSync([...OWN_NAMESPACE, "true"]);
  if (!success) throw new Error(`cannot here: a pid namespace (${stderr.toString().trim()})`);
}

/** The worker itself, as it is seen from outside. */
function workerPid(place: Place, { pid }: Running): number {
  const inside = place.processes().filter((one) => one !== pid && isReeve(one, place) && descendsFrom(one, pid));
  const [found] = inside;
  if (found === undefined || inside.length > 1) throw new Error(`${inside.length} workers below process ${pid}`);
  return found;
}

function isReeve(pid: number, { form }: Place): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith(`${form.argv.join("\0")}\0work\0`);
}

function descendsFrom(pid: number, ancestor: number): boolean {
  const parent = idsOf(pid)?.parent ?? 0;
  return parent === ancestor || (parent > 1 && descendsFrom(parent, ancestor));
}

forEachForm("workers in different pid namespaces", (form) => {
  test("share the jobs of one store", async () => {
    await using place = new Place(form);
    const command = sh(`${ALONE}; sleep 0.05; echo "$REEVE_JOB_ID" >> ran`).slice(1);
    const ids = await place.submitBatch(Array.from({ length: 40 }, () => ({ command })));
    await Promise.all([1, 2].map(() => place.worker(["--concurrency", "2"], { under: OWN_NAMESPACE })));
    expect(await place.reeve("wait", ...ids)).toMatchObject({ code: 0 });
    expect(place.lines("ran").toSorted()).toEqual(ids.toSorted());
    expect(place.read("twice")).toBe("");
    const workers = (await place.list()).flatMap(({ jobInfo }) => jobInfo.attempts.map(({ worker }) => worker));
    expect(new Set(workers).size).toBe(2);
  });

  test("when one dies with its whole namespace, the other runs its job again, but not beside it", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", '[worker]\nrecovery_interval = "100ms"\n');
    const id = await place.submit(
      ...sh(`${ALONE}; echo "$REEVE_ATTEMPT" >> began; test "$REEVE_ATTEMPT" = 2 || exec sleep 1000`),
    );
    const first = await place.worker([], { under: OWN_NAMESPACE });
    await place.file("began");
    const second = await place.worker([], { under: OWN_NAMESPACE });
    await stays("the other leaves it alone", () => place.lines("began").length === 1, 500);
    process.kill(workerPid(place, first), "SIGKILL");
    expect(await place.reeve("wait", id)).toMatchObject({ code: 0 });
    expect(place.lines("began")).toEqual(["1", "2"]);
    expect(place.read("twice")).toBe("");
    const { attempts } = (await place.show(id)).jobInfo;
    expect(attempts.map(({ ending }) => ending)).toEqual(["lost", "exited"]);
    expect(attempts[1]?.worker).toBe(second.log()[0]?.worker);
  });

  test("what may still run where it cannot be seen is UNKNOWN, in words, and is not run again", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", '[worker]\nrecovery_interval = "100ms"\n');
    const id = await place.submit(...sh(`${ALONE}; echo "$REEVE_ATTEMPT" >> began; exec sleep 1000`));
    const first = await place.worker([], { under: BESIDE_ANOTHER });
    await place.file("began");
    const orphan = place.jobProcesses();
    process.kill(workerPid(place, first), "SIGKILL");
    await place.worker([]);
    await eventually("it is UNKNOWN", async () => (await place.phase(id)) === "UNKNOWN");
    expect(orphan.filter(isLiving)).toEqual(orphan);
    const sentence = "in another pid namespace a process still has its output open";
    expect(await place.ok("why", id)).toContain(sentence);
    expect((await place.show(id)).errorSummary?.message).toContain(sentence);
    await stays("it is not run again", () => place.lines("began").length === 1, 500);
  });

  test("as process 1 of its namespace a worker that is stopped exits with 128 + n", async () => {
    await using place = new Place(form);
    const id = await place.submit(...sh("touch began; exec sleep 1000"));
    const worker = await place.worker([], { under: OWN_NAMESPACE });
    await eventually("it runs", () => place.processes().length > 0 && Bun.file(place.of("began")).exists());
    process.kill(workerPid(place, worker), "SIGTERM");
    expect(await worker.ended).toMatchObject({ code: 143, signal: null });
    expect(await place.show(id)).toMatchObject({ phase: "QUEUED", jobInfo: { failures: 0, lost: 0 } });
    expect(place.processes()).toEqual([]);
  });

  test("without a /proc of its own a worker still ends a job's group, and nothing else", async () => {
    await using place = new Place(form);
    const script = "sleep 1000 & echo here >> began; wait";
    const [aborted = "", left = ""] = await place.submitBatch([
      { command: sh(script).slice(1) },
      { command: sh("sleep 1000 >&- 2>&- 3>&- & echo here >> began; exit 0").slice(1) },
    ]);
    // Below an init that reaps, as in any container that has one.
    const under = ["unshare", "--pid", "--fork", "--kill-child", "sh", "-c", '"$@" & wait', "sh"];
    const worker = await place.worker([], { under, environment: { REEVE_CONTAINMENT: "marks" } });
    await eventually("both have begun", () => place.lines("began").length === 2);
    expect(await place.reeve("wait", left)).toMatchObject({ code: 0 });
    expect(await place.reeve("abort", aborted)).toMatchObject({ code: 0 });
    expect(place.jobProcesses()).toEqual([]);
    expect(await place.phase(aborted)).toBe("ABORTED");
    expect(worker.log().filter(({ level }) => level === "error")).toEqual([]);
  });
});
