import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inlineBody } from "../../src/config/message-body.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/config/definition.ts";
import { marksIn, type Mark } from "../../src/process/output-times.ts";
import { SpawnFailed, type Launch, type Remains, type StopOrder } from "../../src/process/port.ts";
import { sendSignal } from "../../src/process/tree.ts";
import { SlotFiles } from "../../src/process/slot-files.ts";
import { runtime } from "../../src/runtime/index.ts";
import { crash } from "../support/crash.ts";
import { eventually, stays, within } from "../support/eventually.ts";
import { smallDisk } from "../support/filesystems.ts";
import { order, processPlace, textsOf, type ProcessPlace } from "../support/process-place.ts";
import { descriptorsOf, endAll, idsOf, isLiving, livingWithArgument, statusOf } from "../support/processes.ts";

const OUTLIVING: Limits = { ...DEFAULT_LIMITS, outlive: true, graceMs: 300 };
const READY = 'echo ready; exec sleep "$MARK"';

/** Where the end of an attempt is kept, below its directory. */
const STATUS = join("end", "status");

interface Kept {
  readonly slot: ReturnType<ProcessPlace["manager"]["outlivingSlot"]>;
  readonly launch: Launch;
}

function outliving(place: ProcessPlace, script: string, fields: Partial<Launch> = {}): Kept {
  const launch = place.launch(script, { limits: OUTLIVING, ...fields });
  return { slot: place.manager.outlivingSlot(place.directory.of("outlive", `${launch.job}.1`)), launch };
}

async function run(place: ProcessPlace, script: string, fields?: Partial<Launch>, stop: StopOrder = order(300)) {
  const { slot, launch } = outliving(place, script, fields);
  const tree = slot.start(launch);
  const exit = await within("the main process ends", tree.exited);
  const left = await within("the tree is gone", tree.gone(stop));
  return { exit, left, takings: slot.collect(launch) };
}

/** What a shell keeps between a worker and the job. */
describe("a job that may outlive its worker, while that lives", () => {
  test.each([0, 1, 77, 128, 130, 137, 143, 255])("exits with %d, and that is told", async (code) => {
    using place = processPlace();
    expect(await run(place, `exit ${code}`)).toMatchObject({ exit: { code, signal: null }, left: null });
  });

  test.each(["TERM", "KILL", "HUP", "QUIT", "SEGV", "ABRT", "BUS", "USR1", "ALRM"] as const)(
    "dies by %s, which is told from an exit code",
    async (name) => {
      using place = processPlace();
      const { exit } = await run(place, `ulimit -c 0; kill -${name} $$`);
      expect(exit).toMatchObject({ code: null, signal: `SIG${name}` });
    },
  );

  test("dies by a real-time signal", async () => {
    using place = processPlace();
    expect((await run(place, "kill -40 $$")).exit).toMatchObject({ code: null, signal: "SIG40" });
  });

  // The one thing that a shell does not tell.
  test.each([
    ["INT", 130],
    ["PIPE", 141],
  ] as const)("that dies by %s reads as %d", async (name, code) => {
    using place = processPlace();
    expect((await run(place, `kill -${name} $$`)).exit).toMatchObject({ code, signal: null });
  });

  test("has the descriptors 0 to 3, default signal actions, and what it would have otherwise", async () => {
    using place = processPlace();
    const { slot, launch } = outliving(place, 'echo out; echo err >&2; cat; exec sleep "$MARK"', {
      body: inlineBody(new TextEncoder().encode("body\n")),
      limits: { ...OUTLIVING, output: "separate" },
    });
    const tree = slot.start(launch);
    const [main = 0] = await place.marked(1);
    expect(descriptorsOf(main)).toEqual([0, 1, 2, 3]);
    expect([statusOf(main, "SigIgn"), statusOf(main, "SigBlk")]).toEqual(Array(2).fill("0000000000000000"));
    expect(idsOf(main)).toEqual({ parent: tree.pid, group: tree.pid, session: tree.pid });
    tree.kill();
    await tree.exited;
    expect(await tree.gone(order())).toBeNull();
    expect(textsOf(slot.collect(launch).outputs)).toEqual({ stdout: "out\nbody\n", stderr: "err\n" });
  });

  test.each(["HUP", "INT", "QUIT", "TERM", "USR1", "USR2"] as const)(
    "sends %s to its whole group: how it ends is kept all the same",
    async (name) => {
      using place = processPlace();
      const { exit } = await run(place, `trap "" ${name}; kill -${name} 0; exit 5`);
      expect(exit).toMatchObject({ code: 5, signal: null });
    },
  );

  test("gets the stop signal once, and may answer it", async () => {
    using place = processPlace();
    const { slot, launch } = outliving(place, `trap 'echo asked; exit 6' TERM; sleep "$MARK" & wait`);
    const tree = slot.start(launch);
    await place.marked(1);
    tree.stop(order(10_000));
    expect(await within("it ends", tree.exited)).toMatchObject({ code: 6, signal: null });
    expect(await tree.gone(order())).toBeNull();
    expect(textsOf(slot.collect(launch).outputs)).toEqual({ log: "asked\n" });
  });

  test("is asked to stop at the moment of its start: it ends long before the grace is over", async () => {
    using place = processPlace();
    const begun = performance.now();
    for (let round = 0; round < 20; round += 1) {
      const { slot, launch } = outliving(place, READY);
      const tree = slot.start(launch);
      tree.stop(order(10_000));
      const { code, signal } = await within("it ends", tree.exited);
      expect(signal ?? code).toBe("SIGTERM");
      expect(await tree.gone(order())).toBeNull();
    }
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  test("does not go when asked: KILL, after the grace", async () => {
    using place = processPlace();
    const { slot, launch } = outliving(place, `trap "" TERM; ${READY}`);
    const tree = slot.start(launch);
    await place.marked(1);
    tree.stop(order(100));
    expect(await within("it ends", tree.exited)).toMatchObject({ code: null, signal: "SIGKILL" });
    expect(await tree.gone(order())).toBeNull();
    expect(livingWithArgument(place.mark)).toEqual([]);
  });

  test.each([
    ["ENOENT", ["no-such-program-anywhere"]],
    ["ENOENT", ["/no/such/program"]],
    ["EACCES", ["/etc/passwd"]],
  ] as const)("is not started where there is no such program: %s", (errno, argv) => {
    using place = processPlace();
    const { slot, launch } = outliving(place, "", { argv });
    const start = (): unknown => slot.start(launch);
    expect(start).toThrow(SpawnFailed);
    expect(start).toThrow(expect.objectContaining({ errno }));
  });

  test("does not take the words of its arguments for a shell's", async () => {
    using place = processPlace();
    const argv = ["echo", "$(touch it)", "`touch it`", "; touch it", "a  b", "-n", "*", ""];
    const { takings } = await run(place, "", { argv });
    expect(textsOf(takings.outputs)).toEqual({ log: `${argv.slice(1).join(" ")}\n` });
    expect(existsSync(place.directory.of("it"))).toBe(false);
  });

  test("runs the program and not what the shell has of the same name", async () => {
    using place = processPlace();
    const path = place.directory.write("printf", "#!/bin/sh\necho the program\n", 0o755);
    const environment = { PATH: `${place.directory.path}:/usr/bin:/bin` };
    const { takings } = await run(place, "", { argv: ["printf"], environment });
    expect(existsSync(path)).toBe(true);
    expect(textsOf(takings.outputs)).toEqual({ log: "the program\n" });
  });

  test("leaves nothing: its directory goes with it", async () => {
    using place = processPlace();
    const { slot, launch } = outliving(place, "echo much; exit 1");
    const tree = slot.start(launch);
    await tree.exited;
    expect(await tree.gone(order())).toBeNull();
    slot.close();
    expect(existsSync(slot.directory)).toBe(false);
  });

  test("is let go: nothing more is told of it, and it runs on", async () => {
    using place = processPlace();
    const { slot, launch } = outliving(place, READY);
    const tree = slot.start(launch);
    const [main = 0] = await place.marked(1);
    let isTold = false;
    void tree.exited.then(() => (isTold = true));
    tree.letGo();
    endAll([main]);
    await eventually("its end is kept", () => readFileSync(join(slot.directory, STATUS), "latin1").includes("end 137"));
    await eventually("the shell has gone", () => !isLiving(tree.pid));
    await stays("nothing is told", () => !isTold, 100);
  });
});

type Outlived = Extract<Remains, { kind: "outlived" }>;

function outlived(remains: Remains): Outlived {
  if (remains.kind !== "outlived") throw new Error(`it was not adopted: ${JSON.stringify(remains)}`);
  return remains;
}

describe("a job that outlived its worker", () => {
  test("is adopted while it runs, and its end, output, messages and results are learnt", async () => {
    using at = crash({ limits: OUTLIVING });
    const { pid } = await at.worker(
      `echo before; sleep "$MARK"; echo after; echo '{"progress":0.5}' >&3; echo r >"$REEVE_RESULTS/r.txt"; exit 7`,
    );
    const [sleeping = 0] = await at.marked(1);
    await at.killWorker();
    const { tree, slot } = outlived(await at.recover());
    expect(tree.pid).toBe(pid);
    expect(isLiving(sleeping)).toBe(true);
    endAll([sleeping]);
    expect(await within("it ends", tree.exited)).toMatchObject({ code: 7, signal: null, usage: null });
    expect(await tree.gone(order())).toBeNull();
    const takings = slot.collect(at.launch);
    expect(textsOf(takings.outputs)["log"]).toMatch(/^before\n(Killed\n)?after\n$/);
    expect(takings.progress).toEqual({ fraction: 0.5, message: null });
    expect(takings.results.map(({ id }) => id)).toEqual(["r.txt"]);
  });

  test.each([
    ["exit 0", { code: 0, signal: null }],
    ["exit 9", { code: 9, signal: null }],
    ["kill -KILL $$", { code: null, signal: "SIGKILL" }],
    ["kill -SEGV $$", { code: null, signal: "SIGSEGV" }],
  ])("and ended while nobody watched: %s", async (end, exit) => {
    using at = crash({ limits: OUTLIVING });
    const { pid } = await at.worker(
      `echo said; ulimit -c 0; touch waits; while [ -e waits ]; do sleep 0.01; done; ${end}`,
    );
    await eventually("it runs", () => existsSync(at.directory.of("waits")));
    await at.killWorker();
    const before = Date.now();
    at.directory.remove("waits");
    await eventually("it has ended", () => !isLiving(pid));
    const remains = outlived(await at.recover());
    const told = await within("its end is told", remains.tree.exited);
    expect(told).toMatchObject(exit);
    expect(told.endedAt).toBeWithin(before - 20, Date.now() + 1);
    expect(await remains.tree.gone(order())).toBeNull();
    expect(textsOf(remains.slot.collect(at.launch).outputs)).toEqual({ log: "said\n" });
  });

  test("is adopted by one after the other", async () => {
    using at = crash({ limits: OUTLIVING });
    await at.worker(READY);
    const [main = 0] = await at.marked(1);
    await at.killWorker();
    for (let round = 0; round < 3; round += 1) {
      const { tree } = outlived(await at.recover());
      tree.letGo();
    }
    const { tree, slot } = outlived(await at.recover());
    sendSignal(main, "SIGTERM");
    expect(await within("it ends", tree.exited)).toMatchObject({ code: null, signal: "SIGTERM" });
    expect(await tree.gone(order())).toBeNull();
    expect(textsOf(slot.collect(at.launch).outputs)).toEqual({ log: "ready\n" });
  });

  test("is taken in whole by who comes after one that was interrupted at it", async () => {
    using at = crash({ limits: OUTLIVING });
    const { pid } = await at.worker('head -c 100000 /dev/zero; head -c 50000 /dev/zero >"$REEVE_RESULTS/big"; exit 4');
    await eventually("it has ended", () => !isLiving(pid));
    await at.killWorker();
    const first = outlived(await at.recover()).slot.collect(at.launch);
    expect(first).toMatchObject({ outputs: [{ content: { size: 100_000 } }], results: [{ id: "big" }] });
    const second = outlived(await at.recover());
    expect(await second.tree.exited).toMatchObject({ code: 4 });
    expect(second.slot.collect(at.launch)).toEqual(first);
  });

  test.each([
    ["a daemon without an environment", '( setsid env -i /bin/sleep "$MARK" & ); exit 0'],
    ["a daemon without descriptors", '( setsid sleep "$MARK" <&- >&- 2>&- 3>&- & ); exit 0'],
    ["a child that ignores TERM", '( trap "" TERM; exec sleep "$MARK" ) & exit 0'],
  ])("left %s: gone after it", async (_, script) => {
    using at = crash({ limits: OUTLIVING });
    const { pid } = await at.worker(script);
    await at.marked(1);
    await eventually("its main process has ended", () => !isLiving(pid));
    await at.killWorker();
    const { tree } = outlived(await at.recover());
    expect(await tree.exited).toMatchObject({ code: 0 });
    expect(await within("all is gone", tree.gone(order(100)))).toBeNull();
    expect(at.living()).toEqual([]);
  });

  test("is stopped by its new worker: TERM, grace, KILL", async () => {
    using at = crash({ limits: OUTLIVING });
    await at.worker(`trap "" TERM; sleep "$MARK" & ${READY}`);
    await at.marked(2);
    await at.killWorker();
    const { tree } = outlived(await at.recover());
    tree.stop(order(100));
    expect(await within("it ends", tree.exited)).toMatchObject({ code: null, signal: "SIGKILL" });
    expect(await tree.gone(order())).toBeNull();
    expect(at.living()).toEqual([]);
  });

  test("writes on beyond its limit: its new worker takes the middle out as well", async () => {
    using at = crash({ limits: { ...OUTLIVING, outputLimitBytes: 65_536 } });
    await at.worker('sleep "$MARK"; seq 200000; exec sleep "$MARK"');
    const [first = 0] = await at.marked(1);
    await at.killWorker();
    const { tree, slot } = outlived(await at.recover());
    endAll([first]);
    const file = join(at.slot, "output");
    await eventually("it has written", () => statSync(file).size > 1_288_895);
    await eventually("it was cut", () => statSync(file).blocks * 512 < 200_000);
    tree.kill();
    await within("it ends", tree.exited);
    expect(await tree.gone(order())).toBeNull();
    const [output] = slot.collect(at.launch).outputs;
    expect(output?.leftOut).toBeDefined();
  });

  test("has the time of each line, whoever was its worker when it was written", async () => {
    using at = crash({ limits: { ...OUTLIVING, timestamps: true } });
    const script = "touch waits; while [ -e waits ]; do sleep 0.01; done; date +%s%3N";
    await at.worker(`date +%s%3N; ${script}; ${script}`);
    const marks = (): Mark[] => marksIn(readFileSync(join(at.slot, "output.times")));
    await eventually("its time was noted", () => existsSync(at.directory.of("waits")) && marks().length === 1);
    await at.killWorker();
    at.directory.remove("waits");
    await eventually("nobody sees it write", () => existsSync(at.directory.of("waits")));
    const { tree, slot } = outlived(await at.recover());
    await eventually("its time was noted, too", () => marks().length === 2);
    at.directory.remove("waits");
    await within("it ends", tree.exited);
    expect(await tree.gone(order())).toBeNull();
    const { outputs } = slot.collect(at.launch);
    const [output] = outputs;
    const { log = "" } = textsOf(outputs);
    const lines = log.trim().split("\n").map(Number);
    const kept = output?.times?.kind === "inline" ? marksIn(output.times.bytes) : [];
    expect(kept.map(({ offset }) => offset)).toEqual([14, 28, 42]);
    kept.forEach(({ time }, index) => expect(time - (lines[index] ?? 0)).toBeWithin(-20, 1000));
    expect(kept.map(({ time }) => time)).toEqual(kept.map(({ time }) => time).toSorted());
  });

  test("stands still, is adopted so, and goes on", async () => {
    using at = crash({ limits: OUTLIVING });
    await at.worker(READY);
    const [main = 0] = await at.marked(1);
    await at.killWorker();
    const first = outlived(await at.recover());
    await first.tree.suspend();
    expect(statusOf(main, "State")).toStartWith("T");
    first.tree.letGo();
    const { tree } = outlived(await at.recover());
    expect(statusOf(main, "State")).toStartWith("T");
    tree.resume();
    await eventually("it goes on", () => statusOf(main, "State")?.startsWith("S"));
    tree.kill();
    expect(await within("it ends", tree.exited)).toMatchObject({ signal: "SIGKILL" });
    expect(await tree.gone(order())).toBeNull();
  });

  test("and is killed by somebody, shell and all: how it ended is not known, and that is no success", async () => {
    using at = crash({ limits: OUTLIVING });
    const { pid } = await at.worker(READY);
    await at.marked(1);
    await at.killWorker();
    const { tree } = outlived(await at.recover());
    process.kill(-pid, "SIGKILL");
    expect(await within("its end is seen", tree.exited)).toMatchObject({ code: null, signal: null });
    expect(await tree.gone(order())).toBeNull();
  });

  test("is known by its shell also when the worker was killed before it could write down which one that is", async () => {
    using at = crash({ limits: OUTLIVING });
    const { pid } = await at.worker(READY);
    await at.marked(1);
    await at.killWorker();
    const files = new SlotFiles(at.slot, runtime.libc());
    files.identify(at.launch, { pid: 0, startTime: 0 }, null);
    files.close();
    const { tree } = outlived(await at.recover());
    expect(tree.pid).toBe(pid);
    tree.kill();
    expect(await within("it ends", tree.exited)).toMatchObject({ signal: "SIGKILL" });
    expect(await tree.gone(order())).toBeNull();
  });
});

describe("a job that is not adopted", () => {
  test("was killed with its shell while nobody watched", async () => {
    using at = crash({ limits: OUTLIVING });
    const { pid } = await at.worker(`echo said; ${READY}`);
    await at.marked(1);
    await at.killWorker();
    process.kill(-pid, "SIGKILL");
    await eventually("it is dead", () => at.living().length === 0 && !isLiving(pid));
    const remains = await at.recover();
    expect(remains).toMatchObject({ kind: "gone", pid });
    expect(textsOf(remains.kind === "gone" ? remains.takings.outputs : [])).toEqual({ log: "said\nready\n" });
  });

  test("has lost its shell, so that nobody could tell its end: it is ended", async () => {
    using at = crash({ limits: OUTLIVING });
    const { pid } = await at.worker(READY);
    await at.marked(1);
    await at.killWorker();
    endAll([pid]);
    await eventually("the shell is dead", () => !isLiving(pid));
    expect(at.living()).toHaveLength(1);
    expect((await at.recover()).kind).toBe("gone");
    expect(at.living()).toEqual([]);
  });

  test("names a process as its shell that is another's: that one is left alone", async () => {
    using at = crash({ limits: OUTLIVING });
    const { pid } = await at.worker(READY);
    await at.marked(1);
    await at.killWorker();
    process.kill(-pid, "SIGKILL");
    await eventually("it is dead", () => at.living().length === 0 && !isLiving(pid));
    const other = Bun.spawn(["setsid", "sleep", at.mark]);
    await at.marked(1);
    writeFileSync(join(at.slot, STATUS), `${other.pid}\n`);
    expect((await at.recover()).kind).toBe("gone");
    expect(isLiving(other.pid)).toBe(true);
  });

  test("was not started when its worker was killed", async () => {
    using at = crash({ limits: OUTLIVING });
    expect(await at.recover()).toMatchObject({ kind: "gone", pid: null, takings: { outputs: [] } });
    new SlotFiles(at.slot, runtime.libc()).close();
    expect(await at.recover()).toMatchObject({ kind: "gone", pid: null, takings: { outputs: [] } });
  });

  test("ran under another boot, and did not get to its end: its pid is another's by now", async () => {
    using at = crash({ limits: OUTLIVING });
    await at.worker(READY);
    await at.marked(1);
    await at.killWorker();
    expect((await at.recover({ bootId: "of an earlier boot" })).kind).toBe("gone");
    expect(at.living()).toHaveLength(1);
  });
});

describe("the end of a job that nobody can see any more", () => {
  test.each([
    ["of an earlier boot", { bootId: "of an earlier boot" }],
    ["of a pid namespace that ended with its worker", { pidNamespace: "pid:[1]", workerWasInit: true }],
  ])("is what was kept of it: %s", async (_, where) => {
    using at = crash({ limits: OUTLIVING });
    const { pid } = await at.worker("echo said; exit 3");
    await eventually("it has ended", () => !isLiving(pid));
    await at.killWorker();
    const { tree, slot } = outlived(await at.recover(where));
    expect(await tree.exited).toMatchObject({ code: 3, signal: null });
    expect(await tree.gone(order())).toBeNull();
    expect(textsOf(slot.collect(at.launch).outputs)).toEqual({ log: "said\n" });
  });

  test("is lost where the shutdown of the machine may have brought it", async () => {
    using at = crash({ limits: OUTLIVING });
    const { pid } = await at.worker("echo said; kill -TERM $$");
    await eventually("it has ended", () => !isLiving(pid));
    await at.killWorker();
    const remains = await at.recover({ bootId: "of an earlier boot" });
    expect(remains).toMatchObject({ kind: "gone", pid });
    expect(textsOf(remains.kind === "gone" ? remains.takings.outputs : [])).toEqual({ log: "said\n" });
  });

  test("is unknown in a pid namespace that may still have a process of it", async () => {
    using at = crash({ limits: OUTLIVING });
    const { pid } = await at.worker("exit 3");
    await eventually("it has ended", () => !isLiving(pid));
    await at.killWorker();
    expect((await at.recover({ pidNamespace: "pid:[1]" })).kind).toBe("unknown");
  });

  test("must have room on the disk before the job is started", () => {
    using disk = smallDisk("1m");
    using place = processPlace();
    const { slot, launch } = outliving({ ...place, directory: disk }, "touch started");
    expect(() => disk.write("all", Buffer.alloc(4_000_000))).toThrow("ENOSPC");
    expect(() => slot.start(launch)).toThrow(expect.objectContaining({ name: "SpawnFailed", errno: "ENOSPC" }));
    expect(existsSync(place.directory.of("started"))).toBe(false);
  });

  test("is kept on a disk that is full by then", async () => {
    using disk = smallDisk("1m");
    using place = processPlace();
    const { slot, launch } = outliving({ ...place, directory: disk }, "head -c 4000000 /dev/zero; kill -KILL $$");
    const tree = slot.start(launch);
    expect(await within("it ends", tree.exited)).toMatchObject({ signal: "SIGKILL" });
    const status = readFileSync(join(slot.directory, STATUS), "latin1");
    expect(status).toMatch(/^\d+\nKilled\nend 137\n/);
    expect(() => disk.write("more", Buffer.alloc(8192))).toThrow("ENOSPC");
  });
});
