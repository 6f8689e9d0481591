import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import type { Containment, StopSignal } from "../../src/config/definition.ts";
import { Isolation } from "../../src/process/isolation.ts";
import { SpawnFailed } from "../../src/process/port.ts";
import { ExitRecord } from "../../src/process/shim.ts";
import { crash } from "../support/crash.ts";
import { eventually, within } from "../support/eventually.ts";
import { order, processPlace, textsOf, type ProcessPlace } from "../support/process-place.ts";
import { descriptorsOf, isLiving, livingWithArgument, procText, stateOf, statusOf } from "../support/processes.ts";
import { limits, only } from "../support/temporary.ts";
import { tryUnprivileged } from "../support/unprivileged.ts";

const APART = { limits: limits({ isolate: "pid", graceMs: 300 }) };
const CAN = new Isolation().problem(null) === null;
const RUNGS: readonly Containment[] = ["auto", "marks"];

const logOf = async (place: ProcessPlace, script: string): Promise<string> =>
  textsOf((await place.run(script, APART)).takings.outputs)["log"] ?? "";

/** The processes with the mark that are programs of the job's own, and no shell that passes it on. */
const sleeping = (place: ProcessPlace, count: number): Promise<number[]> =>
  eventually(`${count} sleep`, () => {
    const pids = livingWithArgument(place.mark).filter((pid) => procText(pid, "comm") === "sleep\n");
    return pids.length >= count && pids;
  });

describe.skipIf(!CAN)("a job in a pid namespace", () => {
  test("sees itself and what it starts, with an init that reaps, and nothing else", async () => {
    using place = processPlace();
    const orphan = "orphan=$( (sleep 0.01 >&2 & echo $!) ); while [ -e /proc/$orphan ]; do :; done";
    const log = await logOf(place, `echo $$ $PPID; ${orphan}; echo /proc/[0-9]*`);
    // The init and the job's shell; the orphan is gone without a trace.
    expect(log).toBe("2 1\n/proc/1 /proc/2\n");
  });

  test("has the descriptors 0 to 3, no signal ignored and none blocked", async () => {
    using place = processPlace();
    const tree = place.start('exec sleep "$MARK"', APART);
    const pid = only(await sleeping(place, 1));
    expect(descriptorsOf(pid)).toEqual([0, 1, 2, 3]);
    expect([statusOf(pid, "SigIgn"), statusOf(pid, "SigBlk")]).toEqual(Array(2).fill("0".repeat(16)));
    tree.kill();
    await tree.exited;
    await tree.gone(order(0));
  });

  test("ends with its exit code, also with one that a shell would have for a signal", async () => {
    using place = processPlace();
    for (const code of [0, 3, 137, 143, 255]) {
      const { exit, left } = await place.run(`exit ${code}`, APART);
      expect([exit.code, exit.signal, left]).toEqual([code, null, null]);
    }
  });

  test.each(["SIGKILL", "SIGTERM", "SIGSEGV", "SIGABRT", "SIGHUP", "SIGXCPU"] as const)(
    "that dies by %s is told to have died by it",
    async (signal) => {
      using place = processPlace();
      const { exit } = await place.run(`ulimit -c 0; kill -${constants.signals[signal]} $$`, APART);
      expect([exit.code, exit.signal]).toEqual([null, signal]);
    },
  );

  test.each<[StopSignal]>([["TERM"], ["INT"], ["HUP"], ["QUIT"], ["USR1"]])(
    "is asked to stop by %s, and has its grace",
    async (signal) => {
      using place = processPlace();
      const script = `trap 'sleep 0.1; echo said goodbye; exit 7' ${signal}; sleep "$MARK" & echo ready >ready; wait`;
      const launch = place.launch(script, APART);
      const tree = place.slot.start(launch);
      await eventually("it is ready", () => existsSync(join(launch.cwd, "ready")));
      await sleeping(place, 1);
      tree.stop(order(10_000, signal));
      expect(await within("it ends", tree.exited)).toMatchObject({ code: 7, signal: null });
      expect(await tree.gone(order(0))).toBeNull();
      expect(textsOf(place.slot.collect(launch).outputs)).toEqual({ log: "said goodbye\n" });
    },
  );

  test("that is stopped before it has begun does not wait for its grace", async () => {
    using place = processPlace();
    const tree = place.start('exec sleep "$MARK"', APART);
    const begun = performance.now();
    tree.stop(order(20_000));
    expect(await within("it ends", tree.exited)).toMatchObject({ signal: "SIGTERM" });
    expect(await tree.gone(order(0))).toBeNull();
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  test.each(RUNGS)("loses all that it left when its main process ends, whatever that was (%s)", async (containment) => {
    using place = processPlace({ containment });
    const script = `( setsid env -i /bin/sleep "$MARK" <&- >&- 2>&- 3>&- & ); ( trap "" TERM; exec setsid sleep "$MARK" ) &
      while [ "$(pgrep -cx sleep)" -lt 2 ]; do :; done; exit 3`;
    const tree = place.start(script, APART);
    expect(await within("it ends", tree.exited)).toMatchObject({ code: 3 });
    // The kernel has ended them before it told.
    expect(livingWithArgument(place.mark)).toEqual([]);
    expect(await tree.gone(order(0))).toBeNull();
  });

  test.each(RUNGS)("is gone after a kill (%s)", async (containment) => {
    using place = processPlace({ containment });
    const tree = place.start('( setsid env -i /bin/sleep "$MARK" <&- >&- 2>&- 3>&- & ); sleep "$MARK"', APART);
    await sleeping(place, 2);
    tree.kill();
    expect(await within("it ends", tree.exited)).toMatchObject({ code: null, signal: "SIGKILL" });
    expect(await tree.gone(order(0))).toBeNull();
    expect(livingWithArgument(place.mark)).toEqual([]);
  });

  test("stands still, and can be ended then", async () => {
    using place = processPlace();
    const tree = place.start('setsid sleep "$MARK" & sleep "$MARK"', APART);
    const pids = await sleeping(place, 2);
    await tree.suspend();
    expect(pids.map(stateOf)).toEqual(["T", "T"]);
    tree.stop(order(10_000));
    expect(await within("it ends", tree.exited)).toMatchObject({ signal: "SIGTERM" });
    expect(await tree.gone(order(0))).toBeNull();
  });

  test("whose unshare is killed by somebody goes with it", async () => {
    using place = processPlace();
    const tree = place.start('setsid sleep "$MARK" & sleep "$MARK"', APART);
    const pids = await sleeping(place, 2);
    process.kill(tree.pid, "SIGKILL");
    expect(await within("it ends", tree.exited)).toMatchObject({ signal: "SIGKILL" });
    expect(await tree.gone(order(0))).toBeNull();
    expect(pids.map(isLiving)).toEqual([false, false]);
  });

  test("can be bounded, too", async () => {
    using place = processPlace();
    const launch = { limits: limits({ isolate: "pid", resources: { optional: [], openFiles: 33, nice: 4 } }) };
    expect(textsOf((await place.run("ulimit -n; nice", launch)).takings.outputs)).toEqual({ log: "33\n4\n" });
  });

  test("that has no program to run was not started", () => {
    using place = processPlace();
    expect(() => place.start("", { ...APART, argv: ["no-such-program"] })).toThrow(/no such program/);
  });

  test("is ended with its grace by whoever recovers it", async () => {
    using at = crash(APART);
    await at.worker(`trap 'echo said goodbye; exit' TERM; setsid sleep "$MARK" & sleep "$MARK" & wait`);
    await at.marked(2);
    await at.killWorker();
    const remains = await at.recover();
    expect(at.living()).toEqual([]);
    expect(remains.kind === "gone" && textsOf(remains.takings.outputs)).toEqual({ log: "said goodbye\n" });
  });

  test("may outlive its worker; how it ended is known then", async () => {
    using at = crash({ limits: limits({ isolate: "pid", outlive: true, graceMs: 300 }) });
    await at.worker(`sleep "$MARK" & while [ ! -e go ]; do sleep 0.01; done; kill -SEGV $$`);
    await at.marked(1);
    await at.killWorker();
    const remains = await at.recover();
    if (remains.kind !== "outlived") throw new Error(`it did not outlive its worker: ${remains.kind}`);
    at.directory.write("go", "");
    expect(await within("it ends", remains.tree.exited)).toMatchObject({ code: null, signal: "SIGSEGV" });
    expect(await remains.tree.gone(order(0))).toBeNull();
    expect(at.living()).toEqual([]);
    remains.slot.close();
  });
});

describe("without root", () => {
  test.skipIf(!CAN)("a job can have a pid namespace as well, and is the same user there", () => {
    const [outcome] = tryUnprivileged([{ script: "echo $$; id -u", limits: { isolate: "pid" } }]);
    const [own] = tryUnprivileged([{ script: "id -u" }]);
    expect(outcome).toMatchObject({ code: 0, signal: null, log: `2\n${own?.log}` });
  });
});

describe("where it cannot be had", () => {
  test("a job is refused with what is in the way and what to do", () => {
    const isolation = new Isolation(() => null);
    expect(isolation.problem(null)).toBe(
      'isolate = "pid" cannot be had here: there is no unshare(1); install util-linux, or leave it out',
    );
    const refused = (): unknown => isolation.isolated(["true"], new ExitRecord("/nowhere"), null);
    expect(refused).toThrow(SpawnFailed);
    expect(refused).toThrow(/was not started: isolate = "pid" cannot be had/);
  });

  test("what unshare says is told", () => {
    const isolation = new Isolation(() => "/bin/false");
    expect(isolation.problem(null)).toMatch(/unshare\(1\) failed and did not say why; .*or leave it out$/);
  });
});
