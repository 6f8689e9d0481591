import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { readCut } from "../../src/process/output-cut.ts";
import { marksIn } from "../../src/process/output-times.ts";
import type { Remains } from "../../src/process/port.ts";
import { pidNamespace } from "../../src/process/proc.ts";
import { SlotFiles } from "../../src/process/slot-files.ts";
import { runtime } from "../../src/runtime/index.ts";
import { crash } from "../support/crash.ts";
import { eventually, stays } from "../support/eventually.ts";
import { groupOf, HAS_GROUPS } from "../support/groups.ts";
import { textOf, textsOf } from "../support/process-place.ts";
import { endAll, idsOf, isLiving, stateOf } from "../support/processes.ts";
import { existing, limits, newId, only } from "../support/temporary.ts";

/** What is gone; a test that expects it fails with the sentence otherwise. */
function gone(remains: Remains): Extract<Remains, { kind: "gone" }> {
  if (remains.kind !== "gone") throw new Error(`it is not gone: ${JSON.stringify(remains)}`);
  return remains;
}

describe("an attempt whose worker was killed", () => {
  test.each([
    ["a main process", 'exec sleep "$MARK"', 1],
    ["children", 'sleep "$MARK" & sleep "$MARK"', 2],
    ["what ignores TERM", 'trap "" TERM; sleep "$MARK" & sleep "$MARK"; sleep "$MARK"', 2],
    ["a daemon", '( setsid sleep "$MARK" & ); exec sleep "$MARK"', 2],
    ["a daemon without an environment", '( setsid env -i /bin/sleep "$MARK" & ); exec sleep "$MARK"', 2],
    ["a daemon without descriptors", '( setsid sleep "$MARK" <&- >&- 2>&- 3>&- & ); exec sleep "$MARK"', 2],
    ["a daemon that outlived its main process", 'echo; ( setsid sleep "$MARK" & ); exit 0', 1],
  ] as const)("and had %s: it is ended, and its output is there", async (_, script, count) => {
    using at = crash();
    const { pid } = await at.worker(`echo some output; echo '{"progress":0.5}' >&3; ${script}`);
    await at.marked(count);
    await at.killWorker();
    expect(at.living()).toHaveLength(count);
    const remains = gone(await at.recover());
    expect(at.living()).toEqual([]);
    expect(remains).toMatchObject({ pid });
    expect(textsOf(remains.takings.outputs)["log"]?.trim()).toBe("some output");
    expect(remains.takings.progress).toEqual({ fraction: 0.5, message: null });
  });

  test.skipIf(!HAS_GROUPS)("and had what bears no mark of it: its group is ended and removed", async () => {
    using at = crash();
    await at.worker('( setsid env -i /bin/sleep "$MARK" <&- >&- 2>&- 3>&- & ); exec sleep "$MARK"');
    const [pid = 0] = await at.marked(2);
    const group = groupOf(pid);
    expect(group).toMatch(/\/reeve-[0-9a-f]{12}-\d+$/);
    await at.killWorker();
    gone(await at.recover());
    expect(at.living()).toEqual([]);
    expect(existsSync(group)).toBe(false);
  });

  test("and had ended before: what it left is there, large or small", async () => {
    using at = crash();
    const script = `head -c 100000 /dev/zero | tr '\\0' x; echo r >"$REEVE_RESULTS/r.txt"; echo w >"$REEVE_WORKDIR/w"`;
    const { pid } = await at.worker(script);
    await eventually("it has ended", () => !isLiving(pid));
    await at.killWorker();
    const { takings } = gone(await at.recover());
    expect(takings.outputs).toMatchObject([{ stream: "log", content: { kind: "file", size: 100_000 } }]);
    expect(takings.results.map(({ id }) => id)).toEqual(["r.txt"]);
    expect(existsSync(join(at.launch.jobDirectory, "work", "w"))).toBe(true);
  });

  test("is recovered with the same by a second recovery, when the first did not get to record it", async () => {
    using at = crash();
    const script = `head -c 100000 /dev/zero; head -c 50000 /dev/zero >"$REEVE_RESULTS/big"; echo w >"$REEVE_WORKDIR/w"
      echo '{"progress":0.5}' >&3; exec sleep "$MARK"`;
    await at.worker(script);
    await at.marked(1);
    await at.killWorker();
    const first = gone(await at.recover());
    expect(first.takings.outputs).toHaveLength(1);
    expect(gone(await at.recover())).toEqual(first);
    expect(gone(await at.recover())).toEqual(first);
  });

  test("and wrote beyond its limit: what was left out is known, and when the rest was written", async () => {
    using at = crash({ limits: limits({ graceMs: 300, outputLimitBytes: 65_536, timestamps: true }) });
    const file = at.directory.of("worker", "slot-1", "output");
    const { pid } = await at.worker("seq 100000; kill -STOP $$; seq 100001 200000; kill -STOP $$");
    await eventually("it was cut", () => stateOf(pid) === "T" && statSync(file).blocks * 512 < 200_000);
    await at.killWorker();
    process.kill(pid, "SIGCONT");
    await eventually("it wrote on", () => statSync(file).size === 1_288_895 && stateOf(pid) === "T");
    const written = Date.now();
    await stays("nobody writes", () => isLiving(pid), 100);
    const cut = existing(readCut(file));
    // The definition says something else by now.
    const first = gone(await at.recover({ limits: { ...at.launch.limits, outputLimitBytes: 131_072 } }));
    expect(gone(await at.recover({ limits: { ...at.launch.limits, outputLimitBytes: null } }))).toEqual(first);
    const { content, leftOut, times } = only(first.takings.outputs);
    const text = textOf(content);
    expect(leftOut?.start).toBe(cut.start);
    expect(text.slice(0, leftOut?.start)).toMatch(/^1\n2\n[^]*\d\n$/);
    expect(text.slice(leftOut?.end)).toMatch(/^\d+\n[^]*\n200000\n$/);
    expect(text.length - existing(leftOut).end).toBeWithin(32_768, 65_537);
    const last = marksIn(times?.kind === "inline" ? times.bytes : new Uint8Array()).at(-1);
    expect(last?.offset).toBe(text.length);
    expect(last?.time).toBeWithin(written - 10_000, written + 1);
  });

  test.each([
    "rm -f CUT; mkfifo CUT",
    "echo nonsense >CUT",
    "ln -sf /etc/passwd CUT",
    "rm -f CUT",
    `printf '%-39s\\n%-39s\\n' "1 9${"9".repeat(30)}" "1 9${"9".repeat(30)}" >CUT`,
  ])("and had spoilt what was noted of its output (%s): that is there all the same", async (spoil) => {
    using at = crash({ limits: limits({ graceMs: 300, outputLimitBytes: 65_536 }) });
    const script = `cd "$(dirname "$REEVE_CONTROL")"; seq 10000; ${spoil.replaceAll("CUT", "output.cut")}`;
    const { pid } = await at.worker(`${script}; kill -STOP $$`);
    await eventually("it is done", () => stateOf(pid) === "T");
    await at.killWorker();
    const { outputs } = gone(await at.recover({ limits: limits({ graceMs: 300 }) })).takings;
    expect(textsOf(outputs)).toEqual({ log: expect.stringMatching(/^1\n2\n[^]*\n10000\n$/) });
    expect(outputs[0]?.leftOut).toBeUndefined();
  });

  test("and put a link in the place of its output: what that leads to is neither cut nor shown", async () => {
    using at = crash({ limits: limits({ graceMs: 300, outputLimitBytes: 65_536 }) });
    const precious = at.directory.write("precious", "x".repeat(1_000_000));
    const script = `for file in output errors control; do ln -sf ${precious} "$(dirname "$REEVE_CONTROL")/$file"; done`;
    const { pid } = await at.worker(`${script}; kill -STOP $$`);
    await eventually("it is done", () => stateOf(pid) === "T");
    await at.killWorker();
    expect(gone(await at.recover()).takings).toMatchObject({ outputs: [], warnings: [] });
    expect(readFileSync(precious, "utf8")).toBe("x".repeat(1_000_000));
  });

  test("and ran under another boot of this machine: its pid is another's by now, and left alone", async () => {
    using at = crash();
    await at.worker('echo some output; exec sleep "$MARK"');
    await at.marked(1);
    await at.killWorker();
    const remains = gone(await at.recover({ bootId: "of an earlier boot" }));
    expect(at.living()).toHaveLength(1);
    expect(textsOf(remains.takings.outputs)).toEqual({ log: "some output\n" });
  });
});

describe("an attempt that was not started when its worker was killed", () => {
  test("is gone when its slot was never made", async () => {
    using at = crash();
    const remains = gone(await at.recover({ directory: at.directory.of("worker", "slot-9") }));
    expect(remains).toMatchObject({ pid: null, takings: { outputs: [], results: [] } });
  });

  test("is gone when its slot was made and never used", async () => {
    using at = crash();
    const remains = gone(await at.recover());
    expect(remains).toMatchObject({ pid: null, takings: { outputs: [], results: [] } });
  });

  test("gets nothing of the job that had the slot before", async () => {
    using at = crash();
    const { pid } = await at.worker("echo output of the job before");
    await eventually("it has ended", () => !isLiving(pid));
    await at.killWorker();
    for (const fields of [{ job: newId() }, { attempt: 2 }]) {
      const remains = gone(await at.recover(fields));
      expect(remains).toMatchObject({ takings: { outputs: [], results: [] } });
    }
  });
});

describe("a pid that is somebody else's by now", () => {
  test.each([
    ["with another start", 1],
    ["of which the start is not known", 0],
  ])("is not signalled (%s)", async (_, startTime) => {
    using at = crash();
    Bun.spawn(["setsid", "sleep", at.mark]);
    const [pid = 0] = await at.marked(1);
    const files = new SlotFiles(at.directory.of("worker", "slot-1"), runtime.libc());
    files.identify(at.launch, { pid, startTime }, null);
    files.close();
    gone(await at.recover());
    expect(isLiving(pid)).toBe(true);
  });

  test("is not it either when that one has ended, and has left others in its session", async () => {
    using at = crash();
    const other = Bun.spawn(["setsid", "sh", "-c", `sleep ${at.mark} & exit`], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    await other.exited;
    const [left = 0] = await at.marked(1);
    expect(idsOf(left)).toMatchObject({ session: other.pid });
    const files = new SlotFiles(at.directory.of("worker", "slot-1"), runtime.libc());
    files.identify(at.launch, { pid: other.pid, startTime: 1 }, null);
    files.close();
    gone(await at.recover());
    expect(isLiving(left)).toBe(true);
    endAll([left]);
  });

  test.each([0, 1])("is never %d", async (pid) => {
    using at = crash();
    const files = new SlotFiles(at.directory.of("worker", "slot-1"), runtime.libc());
    files.identify(at.launch, { pid, startTime: 0 }, null);
    files.close();
    gone(await at.recover());
    expect(stateOf(1)).toBeDefined();
  });
});

describe("an attempt of another pid namespace", () => {
  const UNSHARE = ["unshare", ...(process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"]), "--pid", "--fork"];
  // The first process of the namespace must not be the worker: with it everything in there would die.
  const INIT = [...UNSHARE, "--kill-child", "--mount-proc", "sh", "-c", '"$@"; wait; exec sleep 1000', "sh"];

  test("is unknown while something of it holds its files, and nothing is signalled", async () => {
    using at = crash();
    const place = await at.worker('echo output; exec sleep "$MARK"', INIT);
    expect(place.pidNamespace).not.toBe(pidNamespace());
    await at.marked(1);
    await at.killWorker();
    const remains = await at.recover(place);
    expect(remains).toEqual({ kind: "unknown", what: expect.stringMatching(/another pid namespace .*output open/) });
    expect(at.living()).toHaveLength(1);
  });

  test("is unknown also when its files are free, unless its worker was the first process there", async () => {
    using at = crash();
    const place = await at.worker('echo output; exec sleep "$MARK"', INIT);
    await at.marked(1);
    await at.killWorker();
    endAll(at.living());
    await eventually("its processes are dead", () => at.living().length === 0);
    const unknown = await at.recover(place);
    expect(unknown).toEqual({ kind: "unknown", what: expect.stringContaining("another pid namespace") });
    const remains = gone(await at.recover({ ...place, workerWasInit: true }));
    expect(textsOf(remains.takings.outputs)).toEqual({ log: "output\n" });
  });
});
