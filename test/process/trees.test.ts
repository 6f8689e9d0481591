import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { sendSignal } from "../../src/process/tree.ts";
import { PATH } from "../support/children.ts";
import { eventually, within } from "../support/eventually.ts";
import { order, processPlace, stoppedItself, textsOf } from "../support/process-place.ts";
import { descriptorsOf, endAll, idsOf, isLiving, livingWithArgument, procText, stateOf } from "../support/processes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const TRAPPING = readFileSync(join(import.meta.dir, "..", "fixtures", "trapping.sh"), "utf8");

/** What a job may leave beside its main process, and how many processes with the mark that makes. */
const SHAPES: readonly (readonly [name: string, script: string, count: number])[] = [
  ["a child", 'sleep "$MARK" &', 1],
  ["many children", 'for i in 1 2 3 4 5 6 7 8; do sleep "$MARK" & done', 8],
  ["a grandchild whose parent is gone", '( ( sleep "$MARK" & ) & )', 1],
  ["a session of its own", 'setsid sleep "$MARK" &', 1],
  ["a daemon: its parent gone, a session of its own", '( setsid sleep "$MARK" & )', 1],
  ["a child that ignores TERM", '( trap "" TERM; exec sleep "$MARK" ) &', 1],
  ["a child that ignores all that can be ignored", '( trap "" HUP INT QUIT TERM; exec setsid sleep "$MARK" ) &', 1],
  ["a child that stops itself", `sh -c 'kill -STOP $$; sleep "$0"' "$MARK" &`, 1],
  ["a session of its own without an environment", '( setsid env -i /bin/sleep "$MARK" & )', 1],
  ["a session of its own without descriptors", '( setsid sleep "$MARK" <&- >&- 2>&- 3>&- & )', 1],
  ["a shell below a shell below a shell", `sh -c 'sh -c "sleep $MARK; :"; :' &`, 1],
];

/** Stopped, since that is also how a fixture says that it is ready. */
const isReady = (name: string, pids: readonly number[]): boolean =>
  !name.includes("stops itself") || pids.some((pid) => stateOf(pid) === "T");

/** With nothing but the marks, and with what can be had here. */
const ON_RUNGS = (["marks", "auto"] as const).flatMap((rung) => SHAPES.map((shape) => [rung, ...shape] as const));

describe.each(ON_RUNGS)("(%s) a job with %s", (rung, name, script, count) => {
  test("is gone after a stop", async () => {
    using place = processPlace({ containment: rung });
    const tree = place.start(`${script}\nsleep "$MARK"`);
    await eventually("all are there", async () => isReady(name, await place.marked(count + 1)));
    tree.stop(order(200));
    await within("the main process ends", tree.exited);
    expect(await tree.gone(order(200))).toBeNull();
    expect(livingWithArgument(place.mark)).toEqual([]);
  });

  test("is gone after a kill", async () => {
    using place = processPlace({ containment: rung });
    const tree = place.start(`${script}\nsleep "$MARK"`);
    await eventually("all are there", async () => isReady(name, await place.marked(count + 1)));
    tree.kill();
    expect(await within("the main process ends", tree.exited)).toMatchObject({ code: null, signal: "SIGKILL" });
    expect(await tree.gone(order(200))).toBeNull();
    expect(livingWithArgument(place.mark)).toEqual([]);
  });

  test("is gone after its main process has ended by itself", async () => {
    using place = processPlace({ containment: rung });
    const tree = place.start(`${script}\nkill -STOP $$; exit 3`);
    await stoppedItself(tree.pid);
    await eventually("all are there", async () => isReady(name, await place.marked(count)));
    process.kill(tree.pid, "SIGCONT");
    expect(await within("the main process ends", tree.exited)).toMatchObject({ code: 3, signal: null });
    expect(await tree.gone(order(200))).toBeNull();
    expect(livingWithArgument(place.mark)).toEqual([]);
  });

  test("is gone after its main process was killed by somebody else", async () => {
    using place = processPlace({ containment: rung });
    const tree = place.start(`${script}\nkill -STOP $$`);
    await stoppedItself(tree.pid);
    await eventually("all are there", async () => isReady(name, await place.marked(count)));
    process.kill(tree.pid, "SIGKILL");
    expect(await within("the main process ends", tree.exited)).toMatchObject({ signal: "SIGKILL" });
    expect(await tree.gone(order(200))).toBeNull();
    expect(livingWithArgument(place.mark)).toEqual([]);
  });
});

describe("a stop", () => {
  test("is TERM, once, then nothing for the grace, then KILL", async () => {
    using place = processPlace();
    const launch = place.launch(TRAPPING);
    const tree = place.slot.start(launch);
    await place.marked(1);
    const begun = performance.now();
    tree.stop(order(400));
    tree.stop(order(0, "KILL"));
    const exit = await within("it ends", tree.exited);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(400);
    expect(exit).toMatchObject({ code: null, signal: "SIGKILL" });
    expect(await tree.gone(order(0))).toBeNull();
    expect(textsOf(place.slot.collect(launch).outputs)).toEqual({ log: "ready\nTERM\n" });
  });

  test("sends the signal that is asked for", async () => {
    using place = processPlace();
    const script = 'trap "echo got it; exit 7" USR1; echo ready; kill -STOP $$; while :; do :; done';
    const launch = place.launch(script);
    const tree = place.slot.start(launch);
    await stoppedItself(tree.pid);
    tree.stop(order(10_000, "USR1"));
    expect(await within("it ends", tree.exited)).toMatchObject({ code: 7 });
    await within("the tree is gone", tree.gone(order()));
    expect(textsOf(place.slot.collect(launch).outputs)).toEqual({ log: "ready\ngot it\n" });
  });

  test("does not use up the grace when all end at once", async () => {
    using place = processPlace();
    const tree = place.start('sleep "$MARK" & sleep "$MARK"');
    await place.marked(2);
    const begun = performance.now();
    tree.stop(order(30_000));
    await within("it ends", tree.exited);
    expect(await tree.gone(order(30_000))).toBeNull();
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  test("without a grace is KILL at once", async () => {
    using place = processPlace();
    const launch = place.launch(TRAPPING);
    const tree = place.slot.start(launch);
    await place.marked(1);
    tree.stop(order(0));
    expect(await within("it ends", tree.exited)).toMatchObject({ signal: "SIGKILL" });
    expect(await tree.gone(order(0))).toBeNull();
    expect(textsOf(place.slot.collect(launch).outputs)).toEqual({ log: "ready\n" });
  });

  test("that waits out a long grace is overtaken by a kill", async () => {
    using place = processPlace();
    const tree = place.start(TRAPPING);
    await place.marked(1);
    tree.stop(order(60_000));
    tree.kill();
    expect(await within("it ends", tree.exited, 5000)).toMatchObject({ signal: "SIGKILL" });
    expect(await within("it is gone", tree.gone(order(60_000)), 5000)).toBeNull();
    expect(livingWithArgument(place.mark)).toEqual([]);
  });

  test("reaches a job that is suspended", async () => {
    using place = processPlace();
    const tree = place.start("trap 'exit 5' TERM; kill -STOP $$; sleep 1000");
    await stoppedItself(tree.pid);
    tree.stop(order(10_000));
    expect(await within("it ends", tree.exited)).toMatchObject({ code: 5 });
    await tree.gone(order(0));
  });

  test("ends what forks as fast as it can", async () => {
    using place = processPlace();
    const tree = place.start('trap "" TERM; forks() { while :; do sleep "$MARK" & sleep 0.002; done; }; forks & forks');
    await place.marked(10);
    tree.stop(order(50));
    await within("it ends", tree.exited);
    expect(await tree.gone(order(0))).toBeNull();
    expect(livingWithArgument(place.mark)).toEqual([]);
  });

  test.each([
    ["in the job's session", "sh"],
    ["in a session of its own", "setsid sh"],
  ])("ends what is never seen twice, since each of it forks the next and exits, %s", async (_where, shell) => {
    using place = processPlace();
    const hops = place.directory.of("hops");
    const hop = `'[ "$2" -gt 0 ] && { echo >>hops; sh -c "$0" "$0" "$1" $(($2 - 1)) & }'`;
    const tree = place.start(`HOP=${hop}; ${shell} -c "$HOP" "$HOP" "$MARK" 20000 & exec sleep "$MARK"`);
    // None of them lives long enough to be looked at.
    await eventually("it hops", () => existsSync(hops) && statSync(hops).size > 20);
    tree.stop(order(0));
    await within("it ends", tree.exited);
    expect(await tree.gone(order(0))).toBeNull();
    expect(livingWithArgument(place.mark)).toEqual([]);
  });

  test.skipIf(process.getuid?.() !== 0)(
    "says of whom it may not signal that he is left, and is not kept from more",
    async () => {
      using directory = temporaryDirectory();
      const perl = directory.write("perl", readFileSync("/usr/bin/perl"), 0o755);
      chmodSync(directory.path, 0o755);
      chmodSync(perl, 0o4755);
      const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
      const fixture = join(import.meta.dir, "..", "fixtures", "another-users.ts");
      const argv = [...nobody, process.execPath, fixture, perl];
      const { stdout, stderr } = Bun.spawn(argv, { stdout: "pipe", stderr: "pipe", env: { PATH, HOME: "/" } });
      const [told, trouble] = await Promise.all([stdout.text(), stderr.text()]);
      endAll(livingWithArgument(perl));
      expect(trouble).toBe("");
      expect(told).toMatch(/^processes of the job could not be ended: \d+ \(state S\)\n$/);
    },
  );

  test("leaves alone who only looks at the job's output", async () => {
    using place = processPlace();
    const tree = place.start('echo said; sleep "$MARK"');
    await place.marked(1);
    const looking = Bun.spawn(["tail", "-f", join(place.slot.directory, "output")], { stdout: "pipe" });
    const { value } = await within("it is shown", looking.stdout.getReader().read());
    expect(new TextDecoder().decode(value)).toBe("said\n");
    tree.stop(order(0));
    await within("it ends", tree.exited);
    expect(await tree.gone(order(0))).toBeNull();
    expect(looking.signalCode).toBeNull();
    looking.kill();
    await looking.exited;
  });

  test("of a job that has ended does nothing", async () => {
    using place = processPlace();
    const tree = place.start("exit 0");
    await within("it ends", tree.exited);
    tree.stop(order(0));
    tree.kill();
    expect(await tree.gone(order(0))).toBeNull();
    expect(await tree.exited).toMatchObject({ code: 0 });
  });
});

describe("a main process's pid that was given to somebody else", () => {
  const NAMESPACE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const FIXTURE = join(import.meta.dir, "..", "fixtures", "pid-given-again.ts");

  test.each(["stopped", "ended by itself"])("is not signalled with the tree: %s", async (how) => {
    const argv = [...NAMESPACE, process.execPath, FIXTURE, how];
    const { stdout, stderr } = Bun.spawn(argv, { stdout: "pipe", stderr: "pipe" });
    const [told, trouble] = await Promise.all([stdout.text(), stderr.text()]);
    expect({ told, trouble }).toEqual({
      told: `${JSON.stringify({ daemonLived: true, daemonLives: false, left: null, other: "S" })}\n`,
      trouble: "",
    });
  });
});

describe("what its main process leaves running", () => {
  test("gets TERM and the grace to end well", async () => {
    using place = processPlace();
    const script = `sh -c 'trap "echo ended well; exit" TERM; sleep "$0" & echo ready >ready; wait' "$MARK" &
      while [ ! -e ready ]; do sleep 0.01; done; echo main; exit 0`;
    const { exit, left, takings } = await place.run(script, {}, order(10_000));
    expect(exit.code).toBe(0);
    expect(left).toBeNull();
    expect(textsOf(takings.outputs)).toEqual({ log: "main\nended well\n" });
  });

  test("does not delay the news of the main process's end", async () => {
    using place = processPlace();
    const tree = place.start('sleep "$MARK" & exit 4');
    expect(await within("the end is told", tree.exited, 5000)).toMatchObject({ code: 4 });
    await place.marked(1);
    await tree.gone(order(0));
    expect(livingWithArgument(place.mark)).toEqual([]);
  });

  test("is found by its files also after a job whose output was large", async () => {
    using place = processPlace();
    await place.run("head -c 100000 /dev/zero");
    const { left } = await place.run('( setsid env -i /bin/sleep "$MARK" & )', {}, order(100));
    expect(left).toBeNull();
    expect(livingWithArgument(place.mark)).toEqual([]);
  });

  test("of one job is not mixed up with what another has running", async () => {
    using place = processPlace();
    using other = processPlace();
    const second = place.manager.openSlot(other.directory.of("."));
    const stays = second.start(other.launch('setsid sleep "$MARK" & sleep "$MARK"'));
    await other.marked(2);
    await place.run('( setsid sleep "$MARK" & ) ; exit 0', {}, order(0));
    expect(livingWithArgument(place.mark)).toEqual([]);
    expect(livingWithArgument(other.mark)).toHaveLength(2);
    stays.kill();
    await stays.exited;
    await stays.gone(order(0));
    second.close();
  });
});

describe("what cannot be told apart among jobs", () => {
  const STRAY = '( setsid env -i /bin/sleep "$MARK" <&- >&- 2>&- 3>&- & ); kill -STOP $$; exit 0';

  test("is left alone while a job runs, and ended when none does", async () => {
    using place = processPlace({ containment: "marks" });
    using other = processPlace();
    const second = place.manager.openSlot(other.directory.of("."));
    const running = second.start(other.launch('sleep "$MARK"'));
    const leaving = place.start(STRAY);
    const stray = await eventually("the stray has left all behind", () =>
      livingWithArgument(place.mark).find((pid) => procText(pid, "comm") === "sleep\n"),
    );
    process.kill(leaving.pid, "SIGCONT");
    await within("the main process ends", leaving.exited);
    await leaving.gone(order(0));
    await place.manager.sweep();
    expect(isLiving(stray)).toBe(true);
    running.kill();
    await running.exited;
    await running.gone(order(0));
    await place.manager.sweep();
    expect(isLiving(stray)).toBe(false);
    expect(procText(stray, "stat")).toBeUndefined();
    second.close();
  });
});

describe("the main process", () => {
  test("leads its own session and group, and has the descriptors 0 to 3", async () => {
    using place = processPlace();
    const tree = place.start("kill -STOP $$");
    await stoppedItself(tree.pid);
    expect(idsOf(tree.pid)).toEqual({ parent: process.pid, group: tree.pid, session: tree.pid });
    expect(descriptorsOf(tree.pid)).toEqual([0, 1, 2, 3]);
    endAll([tree.pid]);
    await tree.exited;
    await tree.gone(order(0));
  });

  test("has the limit of open files that this process was started with, not the raised one", async () => {
    using place = processPlace();
    const limit = procText(process.ppid, "limits")?.match(/^Max open files +(\d+)/m)?.[1] ?? "";
    const { takings } = await place.run("ulimit -Sn");
    expect(textsOf(takings.outputs)).toEqual({ log: `${limit}\n` });
  });

  test("is what the kernel ends first when memory runs out, not this process", async () => {
    using place = processPlace();
    const own = Number(procText(process.pid, "oom_score_adj"));
    const { takings } = await place.run("cat /proc/self/oom_score_adj");
    expect(Number(textsOf(takings.outputs)["log"])).toBe(Math.min(own + 200, 1000));
    expect(Number(procText(process.pid, "oom_score_adj"))).toBe(own);
  });
});

describe("all processes of a worker", () => {
  test("are counted while their main process runs", async () => {
    using place = processPlace();
    expect(place.manager.count).toBe(0);
    const tree = place.start('sleep "$MARK" & kill -STOP $$');
    await stoppedItself(tree.pid);
    expect(place.manager.count).toBe(1);
    process.kill(tree.pid, "SIGKILL");
    await tree.exited;
    expect(place.manager.count).toBe(0);
    await tree.gone(order(0));
  });

  test("are signalled together, by default with QUIT, and waited for", async () => {
    using place = processPlace();
    const slots = [1, 2, 3].map((index) => place.manager.openSlot(place.directory.of(`more-${index}`)));
    const script = "ulimit -c 0; trap 'exit 9' HUP; kill -STOP $$; while :; do sleep 0.01; done";
    const trees = slots.map((slot) => slot.start(place.launch(script)));
    for (const { pid } of trees) await stoppedItself(pid);
    place.manager.signalAll("SIGCONT");
    place.manager.signalAll("SIGHUP");
    await within("all have ended", place.manager.waitForAll());
    const codes = await Promise.all(trees.map(({ exited }) => exited.then(({ code }) => code)));
    expect(codes).toEqual([9, 9, 9]);
    const again = slots.map((slot) => slot.start(place.launch("ulimit -c 0; kill -STOP $$; sleep 1000")));
    for (const { pid } of again) await stoppedItself(pid);
    place.manager.signalAll("SIGCONT");
    place.manager.signalAll();
    await within("all have ended", place.manager.waitForAll());
    expect(await again[0]?.exited).toMatchObject({ signal: "SIGQUIT" });
    expect(place.manager.count).toBe(0);
    for (const slot of slots) slot.close();
  });

  test("are torn down: afterwards nothing of them is left", async () => {
    using place = processPlace();
    const slots = [1, 2, 3].map((index) => place.manager.openSlot(place.directory.of(`more-${index}`)));
    for (const slot of slots)
      slot.start(place.launch('( setsid sleep "$MARK" & ); trap "" TERM; sleep "$MARK"; sleep "$MARK"'));
    await place.marked(6);
    await within("all are gone", place.manager.tearDown(order(100)));
    expect(place.manager.count).toBe(0);
    expect(livingWithArgument(place.mark)).toEqual([]);
    for (const slot of slots) slot.close();
  });

  test("can be waited for, signalled and torn down when there are none", async () => {
    using place = processPlace();
    place.manager.signalAll();
    await place.manager.waitForAll();
    await place.manager.tearDown(order(100));
    await place.manager.sweep();
    expect(place.manager.count).toBe(0);
  });

  test("a signal to one that has just ended is no error", () => {
    expect(() => sendSignal(2 ** 22 + 1, "SIGTERM")).not.toThrow();
  });
});
