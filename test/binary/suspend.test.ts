import { expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { eventually, stays } from "../support/eventually.ts";
import { isLiving, stateOf } from "../support/processes.ts";
import { ALONE } from "./alone.ts";
import { forEachForm, scaled } from "./forms.ts";
import { Place, sh, type Running } from "./place.ts";

/** Writes to its file as long as it runs. */
const TICKS = 'while [ ! -e "go.$1" ]; do echo >> "ticks.$1"; sleep 0.01; done';
/** A main process with a child, and one in a session of its own, that are known by what they inherited alone. */
const TREE = `sleep 1000 & setsid env -i PATH="$PATH" sh -c '${TICKS}' sh aside & ${TICKS}`;

const sizeOf = (place: Place, name: string): number => statSync(place.of(name), { throwIfNoEntry: false })?.size ?? 0;

async function ticks(place: Place, ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const before = sizeOf(place, `ticks.${name}`);
    await eventually(`${name} runs`, () => sizeOf(place, `ticks.${name}`) > before);
  }
}

/** What came of the place beside its workers. */
const treeOf = (place: Place, ...workers: readonly Running[]): number[] =>
  place.processes().filter((pid) => !workers.some((worker) => worker.pid === pid));

const statesOf = (pids: readonly number[]): string[] => [...new Set(pids.map((pid) => stateOf(pid) ?? "gone"))];

forEachForm("a job that is suspended", (form) => {
  test("stands still with all that it started, its timeout too, and goes on when it is resumed", async () => {
    await using place = new Place(form);
    const [timeoutMs, standsMs] = [scaled(form, 3000, 60_000), scaled(form, 3100, 200)];
    const id = await place.submit("--timeout", `${timeoutMs}ms`, ...sh(TREE, "main"));
    const worker = await place.worker();
    await ticks(place, "main", "aside");
    expect(await place.ok("suspend", id)).toBe(`${id}\n`);
    const tree = treeOf(place, worker);
    expect(tree.length).toBeGreaterThanOrEqual(3);
    expect(statesOf(tree)).toEqual(["T"]);
    const sizes = ["ticks.main", "ticks.aside"].map((name) => sizeOf(place, name));
    const isSame = (): boolean => ["ticks.main", "ticks.aside"].every((name, at) => sizeOf(place, name) === sizes[at]);
    await stays("nothing of it runs", () => isSame() && statesOf(tree).join() === "T", standsMs);

    const standing = await place.show(id);
    expect(standing).toMatchObject({ phase: "SUSPENDED", jobInfo: { suspendBy: expect.any(String) } });
    expect(standing.jobInfo.attempts[0]?.suspendedSince).not.toBeNull();
    expect(await place.ok("why", id)).toContain(`reeve resume ${id}`);
    const waiting = place.start(["wait", id]);
    await waiting.says(`job ${id} is SUSPENDED: \`reeve resume ${id}\` lets it go on`);

    expect(await place.ok("resume", id)).toBe(`${id}\n`);
    await ticks(place, "main", "aside");
    expect(await place.phase(id)).toBe("EXECUTING");
    place.write("go.main", "");
    expect(await waiting.ended).toMatchObject({ code: 0 });
    const { phase, jobInfo } = await place.show(id);
    expect({ phase, suspendBy: jobInfo.suspendBy, cause: jobInfo.attempts[0]?.cause }).toEqual({ phase: "COMPLETED", suspendBy: null, cause: null }); // prettier-ignore
    expect(jobInfo.attempts[0]?.suspended).toBeGreaterThanOrEqual(standsMs / 1000);
    expect(treeOf(place, worker)).toEqual([]);
  });

  test("still has a timeout when it goes on, and its standstill does not count", async () => {
    await using place = new Place(form);
    const id = await place.submit("--timeout", "1s", "--grace", "100ms", ...sh(TREE, "main"));
    const worker = await place.worker();
    await ticks(place, "main");
    await place.ok("suspend", id);
    await place.ok("resume", id);
    const done = await place.reeve("wait", "--timeout", "30s", id);
    expect(done).toMatchObject({ code: 124, stderr: "" });
    expect((await place.show(id)).jobInfo.attempts).toMatchObject([{ cause: "timeout" }]);
    expect(treeOf(place, worker)).toEqual([]);
  });

  test("can be aborted: it is told so, and the whole tree is gone", async () => {
    await using place = new Place(form);
    const id = await place.submit(...sh(`trap 'echo told > told; exit' TERM; ${TREE}`, "main"));
    const worker = await place.worker();
    await ticks(place, "main", "aside");
    await place.ok("suspend", id);
    const tree = treeOf(place, worker);
    expect(await place.reeve("abort", id)).toMatchObject({ code: 0, stdout: `${id}\n` });
    expect(tree.filter(isLiving)).toEqual([]);
    expect(treeOf(place, worker)).toEqual([]);
    expect(place.read("told")).toBe("told\n");
    expect(await place.show(id)).toMatchObject({ phase: "ABORTED", jobInfo: { attempts: [{ cause: "abort" }] } });
    const refused = await place.reeve("resume", id);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("is ABORTED, not suspended") });
  });

  test("does not keep its worker from stopping, whatever time it has to finish", async () => {
    await using place = new Place(form);
    const id = await place.submit("--finish-timeout", "20s", ...sh(TREE, "main"));
    const worker = await place.worker();
    await ticks(place, "main", "aside");
    await place.ok("suspend", id);
    const before = performance.now();
    worker.signal("SIGTERM");
    expect((await worker.ended).signal).toBe("SIGTERM");
    expect(performance.now() - before).toBeLessThan(5000);
    expect(place.processes()).toEqual([]);
    expect(await place.show(id)).toMatchObject({ phase: "QUEUED", jobInfo: { failures: 0, lost: 0, suspendBy: null } });
  });

  test("is gone before it runs again when its worker is killed, and then runs", async () => {
    await using place = new Place(form);
    const id = await place.submit(...sh(`${ALONE}; [ "$REEVE_ATTEMPT" = 1 ] || exit 0; ${TREE}`, "main"));
    const worker = await place.worker();
    await ticks(place, "main", "aside");
    await place.ok("suspend", id);
    const tree = treeOf(place, worker);
    worker.signal("SIGKILL");
    await worker.ended;
    expect(statesOf(tree)).toEqual(["T"]);
    const asked = await place.reeve("resume", id);
    expect(asked).toMatchObject({ code: 69, stderr: expect.stringContaining("its worker is gone") });
    expect(await place.drain()).toMatchObject({ code: 0 });
    expect(tree.filter(isLiving)).toEqual([]);
    expect(existsSync(place.of("twice"))).toBe(false);
    expect(await place.show(id)).toMatchObject({ phase: "COMPLETED", jobInfo: { lost: 1, failures: 0 } });
    expect(place.processes()).toEqual([]);
  });
});

forEachForm("SIGTSTP to a worker", (form) => {
  test("makes its jobs stand still and takes nothing, until SIGCONT; the worker goes on", async () => {
    await using place = new Place(form);
    const submit = (name: string): Promise<string> => place.submit(...sh(TICKS, name));
    const ids = [await submit("one"), await submit("two")];
    const [one = "", two = ""] = ids;
    const worker = await place.worker(["--concurrency", "3"]);
    await ticks(place, "one", "two");
    await place.ok("suspend", two);
    worker.signal("SIGTSTP");
    await eventually("all stand still", async () => (await place.list("--phase", "SUSPENDED")).length === 2);
    expect(statesOf(treeOf(place, worker))).toEqual(["T"]);
    expect(stateOf(worker.pid)).not.toBe("T");
    const three = await submit("three");
    await stays("nothing is taken", () => sizeOf(place, "ticks.three") === 0, 300);
    expect(await place.phase(three)).toBe("QUEUED");

    worker.signal("SIGCONT");
    await ticks(place, "one", "three");
    // What somebody asked for by hand is not undone by the worker's own signal.
    expect([await place.phase(one), await place.phase(two)]).toEqual(["EXECUTING", "SUSPENDED"]);
    await place.ok("resume", two);
    for (const name of ["one", "two", "three"]) place.write(`go.${name}`, "");
    expect(await place.reeve("wait", one, two, three)).toMatchObject({ code: 0 });
    worker.signal("SIGTERM");
    expect((await worker.ended).signal).toBe("SIGTERM");
  });
});
