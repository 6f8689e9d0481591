import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { findGroups } from "../../src/process/containment.ts";
import type { Exit, Runtime } from "../../src/runtime/port.ts";
import { PATH, run, spawnFailure, start, startStopped } from "../support/children.ts";
import { eventually, within } from "../support/eventually.ts";
import { writeNoop } from "../support/noop.ts";
import { descriptorsOf, endAll, filesOf, idsOf, procText, stateOf, statusOf } from "../support/processes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import type { Case } from "./suite.ts";

const NO_SIGNALS = "0000000000000000";
const REAL_TIME_SIGNAL = 40;
/** What does not end a process: stops, CONT, and what is ignored unless asked for. */
const HARMLESS = new Set(["SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGCONT", "SIGCHLD", "SIGURG", "SIGWINCH"]);

const shell = (script: string): string[] => ["sh", "-c", script];

/** Every signal that ends a process, once, though some have two names. */
function deadlySignals(): number[] {
  const named = Object.entries(constants.signals).filter(([name]) => !HARMLESS.has(name));
  return [...new Set(named.map(([, number]) => number))];
}

function fixtureOn(runtime: Runtime, name: string): string[] {
  const fixture = join(import.meta.dirname, "..", "fixtures", name);
  return runtime.name === "deno" ? [process.execPath, "run", "-A", fixture] : [process.execPath, fixture];
}

/** What a child has, of a process that was itself started by `script` (which ends in `exec "$@"`). */
function inheritedThrough(runtime: Runtime, script: string): { descriptors: number[]; ignored: string } {
  const self = fixtureOn(runtime, "inheriting.ts");
  const { stdout, stderr } = spawnSync("sh", ["-c", script, "sh", ...self], { encoding: "utf8", timeout: 20_000 });
  assert.match(stdout, /^\{/, `the fixture says what it has seen; on stderr: ${stderr}`);
  // As the fixture prints it.
  return JSON.parse(stdout) as { descriptors: number[]; ignored: string };
}

/** What a child writes to its standard output. */
async function outputOf(runtime: Runtime, argv: readonly string[], environment?: Record<string, string>, cwd = "/") {
  using directory = temporaryDirectory();
  const output = openSync(directory.of("output"), "a");
  try {
    await run(runtime, argv, { descriptors: { 1: output }, cwd, ...(environment && { environment }) });
  } finally {
    closeSync(output);
  }
  return readFileSync(directory.of("output"), "utf8");
}

const WHAT_A_CHILD_GETS: readonly Case<Runtime>[] = [
  {
    name: "a child leads a session and a group of its own",
    async run(runtime) {
      const { pid, exited } = await startStopped(runtime);
      const ids = idsOf(pid);
      endAll([pid]);
      await exited;
      assert.deepEqual(ids, { parent: process.pid, group: pid, session: pid });
    },
  },
  {
    name: "a child has the descriptors 0 to 3 and no other, though this process has more open",
    exceptions: { deno: "it leaves copies of the child's own standard descriptors open in it" },
    async run(runtime) {
      const more = [1, 2, 3].map(() => openSync("/dev/null", "r"));
      const { pid, exited } = await startStopped(runtime);
      const descriptors = descriptorsOf(pid);
      endAll([pid]);
      await exited;
      more.forEach((descriptor) => closeSync(descriptor));
      assert.deepEqual(descriptors, [0, 1, 2, 3]);
    },
  },
  {
    name: "a child does not get descriptors that this process has inherited",
    exceptions: { deno: "it cannot close what was inherited without close-on-exec" },
    async run(runtime) {
      const { descriptors } = inheritedThrough(runtime, 'exec 8</dev/null 9</dev/null; exec "$@"');
      assert.deepEqual(descriptors, [0, 1, 2, 3]);
    },
  },
  {
    name: "a child begins in the control group that is given, where the runtime says it can",
    async run(runtime) {
      const home = findGroups(runtime);
      if (typeof home === "string" || !runtime.entersGroups) return;
      const group = home.make();
      const { pid, exited } = await startStopped(runtime, ":", { group: group.descriptor });
      const inside = group.pids();
      endAll([pid]);
      await exited;
      await eventually("its group is empty", () => !group.isPopulated());
      home.remove(group);
      assert.deepEqual(inside, [pid]);
    },
  },
  {
    name: "a child of root's can be another user's, with none of root's further groups",
    async run(runtime) {
      if (process.getuid?.() !== 0) return;
      const { pid, exited } = await startStopped(runtime, ":", { account: { user: 54_321, group: 54_322 } });
      const status = procText(pid, "status") ?? "";
      endAll([pid]);
      await exited;
      const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status)?.[1]?.trim().split("\t");
      assert.deepEqual(field("Uid"), Array(4).fill("54321"));
      assert.deepEqual(field("Gid"), Array(4).fill("54322"));
      assert.deepEqual(field("Groups"), [""]);
      assert.deepEqual(field("CapEff"), ["0000000000000000"]);
    },
  },
  {
    name: "a child whose standard input is a pipe reads what it is fed, and then its end",
    async run(runtime) {
      using directory = temporaryDirectory();
      const output = openSync(directory.of("output"), "a");
      const exited = Promise.withResolvers<Exit>();
      const { feed } = runtime.spawn(["cat"], {
        cwd: "/",
        environment: { PATH },
        descriptors: ["pipe", output, output, output],
        onExit: exited.resolve,
      });
      closeSync(output);
      // More than a pipe holds.
      const text = "a line\n".repeat(100_000);
      feed(Buffer.from(text));
      assert.equal((await within("it ends", exited.promise)).code, 0);
      assert.equal(readFileSync(directory.of("output"), "utf8"), text);
    },
  },
  {
    name: "a child begins with no signal ignored and none blocked",
    async run(runtime) {
      const { pid, exited } = await startStopped(runtime);
      const [ignored, blocked] = [statusOf(pid, "SigIgn"), statusOf(pid, "SigBlk")];
      endAll([pid]);
      await exited;
      assert.deepEqual({ ignored, blocked }, { ignored: NO_SIGNALS, blocked: NO_SIGNALS });
    },
  },
  {
    name: "a child does not ignore a signal that this process was started with as ignored",
    exceptions: { deno: "it cannot reset ignored signals between fork and exec" },
    async run(runtime) {
      assert.equal(inheritedThrough(runtime, `trap "" HUP USR1; exec "$@"`).ignored, NO_SIGNALS);
    },
  },
  {
    name: "children can be started by a process that was itself started with SIGCHLD ignored",
    async run(runtime) {
      assert.equal(inheritedThrough(runtime, `trap "" CHLD; exec "$@"`).descriptors.length >= 4, true);
    },
  },
  {
    name: "a process that need not wait for its child ends before it",
    async run(runtime) {
      const { status, stdout } = spawnSync("timeout", ["20", ...fixtureOn(runtime, "leaving.ts")], {
        encoding: "utf8",
      });
      const state = stateOf(Number(stdout));
      endAll([Number(stdout)]);
      assert.deepEqual({ status, state }, { status: 0, state: "T" });
    },
  },
  {
    name: "a child has exactly the environment that it was given",
    exceptions: { deno: "it adds a variable of its own where there is a descriptor 3" },
    async run(runtime) {
      const environment = { PATH: "/usr/bin:/bin", A: "one two", EMPTY: "", ÜNÏCÖDE: "☃" };
      const output = await outputOf(runtime, ["env"], environment);
      const expected = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
      assert.deepEqual(output.trimEnd().split("\n").toSorted(), expected.toSorted());
    },
  },
  {
    name: "a child has nothing of the environment of this process",
    async run(runtime) {
      process.env["REEVE_TEST_LEAK"] = "1";
      const output = await outputOf(runtime, ["env"], { PATH: "/usr/bin:/bin" });
      delete process.env["REEVE_TEST_LEAK"];
      const names = output
        .trimEnd()
        .split("\n")
        .map((line) => line.split("=")[0]);
      assert.deepEqual(
        names.filter((name) => name !== "DENO_EXTRA_STDIO_FDS"),
        ["PATH"],
      );
    },
  },
  {
    name: "files that this process has open are not open in a child",
    async run(runtime) {
      using directory = temporaryDirectory();
      const path = directory.write("file", "");
      const descriptors = [openSync(path, "r"), openSync(path, "a"), openSync(path, "r+")];
      const { pid, exited } = await startStopped(runtime);
      const open = filesOf(pid);
      endAll([pid]);
      await exited;
      descriptors.forEach((descriptor) => closeSync(descriptor));
      assert.equal(open.includes(path), false);
    },
  },
  {
    name: "a program is looked for in the PATH that the child is given",
    async run(runtime) {
      using directory = temporaryDirectory();
      directory.write("only-here", "#!/bin/sh\necho found\n", 0o755);
      assert.equal(await outputOf(runtime, ["only-here"], { PATH: directory.path }), "found\n");
      assert.equal(await spawnFailure(runtime, ["only-here"]), "ENOENT");
    },
  },
  {
    name: "a child starts in its directory",
    async run(runtime) {
      assert.equal(await outputOf(runtime, ["pwd"], undefined, "/usr/bin"), "/usr/bin\n");
    },
  },
  {
    name: "arguments arrive as they are",
    async run(runtime) {
      const odd = ["", "a b", "*", "$HOME", "-n", "'\"\\", "new\nline", "☃", "{}", "%s"];
      const output = await outputOf(runtime, ["sh", "-c", 'printf "[%s]" "$@"', "sh", ...odd]);
      assert.equal(output, odd.map((argument) => `[${argument}]`).join(""));
    },
  },
  {
    name: "the four descriptors are the ones given, and stay open here",
    async run(runtime) {
      using directory = temporaryDirectory();
      const input = openSync(directory.write("input", "from the input\n"), "r");
      const [output, errors, control] = ["1", "2", "3"].map((name) => openSync(directory.of(name), "a"));
      assert.ok(output && errors && control);
      const descriptors = { 0: input, 1: output, 2: errors, 3: control };
      const script = shell("cat; echo error >&2; echo message >&3");
      await run(runtime, script, { descriptors });
      await run(runtime, script, { descriptors });
      for (const descriptor of Object.values(descriptors)) closeSync(descriptor);
      const contents = ["1", "2", "3"].map((name) => readFileSync(directory.of(name), "utf8"));
      assert.deepEqual(contents, ["from the input\n", "error\n".repeat(2), "message\n".repeat(2)]);
    },
  },
];

const HOW_A_CHILD_ENDS: readonly Case<Runtime>[] = [
  {
    name: "an exit code is told as such, from 0 to 255",
    async run(runtime) {
      for (const code of [0, 1, 127, 128, 137, 254, 255]) {
        const exit = await run(runtime, shell(`exit ${code}`));
        assert.deepEqual([exit.code, exit.signal, exit.failure], [code, null, null]);
      }
    },
  },
  {
    name: "the smallest program there is ends with 0",
    async run(runtime) {
      using directory = temporaryDirectory();
      const { code, signal } = await run(runtime, [writeNoop(directory.of("noop"))]);
      assert.deepEqual([code, signal], [0, null]);
    },
  },
  {
    name: "a death by any named signal is told by that name, without an exit code",
    async run(runtime) {
      using directory = temporaryDirectory();
      for (const number of deadlySignals()) {
        const { code, signal } = await run(runtime, shell(`ulimit -c 0; kill -${number} $$`), { cwd: directory.path });
        assert.equal(code, null, `signal ${number} is no exit code`);
        const told = Object.entries(constants.signals).find(([name]) => name === signal);
        assert.equal(told?.[1], number, `signal ${number} is told as ${signal}`);
      }
    },
  },
  {
    name: "a death by a real-time signal is never taken for an exit",
    async run(runtime) {
      const { code, signal, failure } = await run(runtime, shell(`kill -${REAL_TIME_SIGNAL} $$`));
      assert.equal(code, null);
      assert.equal(failure, null);
      assert.ok(signal === null || signal === `SIG${REAL_TIME_SIGNAL}`, `it is told as ${signal}`);
    },
  },
  {
    name: "several deaths by real-time signals at once are each told, beside ordinary ends",
    async run(runtime) {
      const scripts = Array.from({ length: 30 }, (_, index) => (index % 3 === 0 ? "exit 3" : `kill -${34 + index} $$`));
      const children = await Promise.all(scripts.map((script) => startStopped(runtime, script)));
      for (const { pid } of children) process.kill(pid, "SIGCONT");
      const exits = await within("all are told", Promise.all(children.map(({ exited }) => exited)));
      const expected = scripts.map((script) => (script === "exit 3" ? 3 : null));
      assert.deepEqual(
        exits.map(({ code }) => code),
        expected,
      );
    },
  },
  {
    name: "a real-time signal is told by its number",
    exceptions: { deno: "it has no names for signals beyond 31" },
    async run(runtime) {
      assert.equal((await run(runtime, shell(`kill -${REAL_TIME_SIGNAL} $$`))).signal, `SIG${REAL_TIME_SIGNAL}`);
    },
  },
  {
    name: "a child that traps TERM and exits is told by its exit code",
    async run(runtime) {
      const { pid, exited } = start(runtime, shell("trap 'exit 5' TERM; kill -STOP $$; exit 6"));
      assert.ok(pid);
      await eventually("it is ready", () => stateOf(pid) === "T");
      process.kill(-pid, "SIGTERM");
      process.kill(-pid, "SIGCONT");
      const { code, signal } = await within("it ends", exited);
      assert.deepEqual([code, signal], [5, null]);
    },
  },
  {
    name: "hundreds of exits at once are each told exactly once, each with its own code",
    async run(runtime) {
      const codes = Array.from({ length: 300 }, (_, index) => index % 256);
      const children = await Promise.all(codes.map((code) => startStopped(runtime, `exit ${code}`)));
      for (const { pid } of children) process.kill(pid, "SIGCONT");
      const exits = await within("all are told", Promise.all(children.map(({ exited }) => exited)), 30_000);
      await run(runtime, ["true"]);
      assert.deepEqual(
        exits.map(({ code }) => code),
        codes,
      );
      assert.deepEqual([...new Set(children.map(({ told }) => told()))], [1]);
    },
  },
  {
    name: "an end is never told before the start has returned",
    async run(runtime) {
      using directory = temporaryDirectory();
      const noop = writeNoop(directory.of("noop"));
      for (let round = 0; round < 20; round += 1) {
        const child = start(runtime, [noop]);
        assert.equal(child.told(), 0);
        await child.exited;
      }
    },
  },
  {
    name: "a grandchild that keeps the output open does not delay the end",
    async run(runtime) {
      const { pid, exited } = start(runtime, shell("sleep 1000 & exit 4"));
      assert.ok(pid);
      const { code } = await within("the end is told", exited, 5000);
      process.kill(-pid, "SIGKILL");
      assert.equal(code, 4);
    },
  },
  {
    name: "an end tells processor time and peak memory",
    exceptions: { deno: "it does not ask for the resources of a child" },
    async run(runtime) {
      const { usage } = await run(runtime, shell("i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done"));
      assert.ok(usage && usage.userMicroseconds > 0 && usage.systemMicroseconds >= 0);
      assert.ok(usage.peakBytes !== null && usage.peakBytes > 100_000 && usage.peakBytes < 10e9);
    },
  },
];

const WITHOUT_A_CHILD: readonly Case<Runtime>[] = [
  {
    name: "a missing program is ENOENT",
    async run(runtime) {
      assert.equal(await spawnFailure(runtime, ["/no/such/program"]), "ENOENT");
      assert.equal(await spawnFailure(runtime, ["no-such-program-anywhere"]), "ENOENT");
    },
  },
  {
    name: "a file that is not executable is EACCES",
    async run(runtime) {
      using directory = temporaryDirectory();
      assert.equal(await spawnFailure(runtime, [directory.write("text", "#!/bin/sh\n", 0o644)]), "EACCES");
      assert.equal(await spawnFailure(runtime, [directory.path]), "EACCES");
    },
  },
  {
    name: "an argument beyond the kernel's limit is E2BIG",
    async run(runtime) {
      assert.equal(await spawnFailure(runtime, ["true", "x".repeat(200_000)]), "E2BIG");
    },
  },
  {
    name: "an environment beyond the kernel's limit is E2BIG",
    async run(runtime) {
      const environment = { PATH: "/usr/bin:/bin", X: "x".repeat(200_000) };
      assert.equal(await spawnFailure(runtime, ["true"], { environment }), "E2BIG");
    },
  },
  {
    name: "an argument or variable with a NUL byte is refused, not cut off",
    async run(runtime) {
      assert.equal(await spawnFailure(runtime, ["true", "a\0b"]), "ERR_INVALID_ARG_VALUE");
      const environment = { PATH: "/usr/bin:/bin", X: "a\0b" };
      assert.equal(await spawnFailure(runtime, ["true"], { environment }), "ERR_INVALID_ARG_VALUE");
    },
  },
  {
    name: "a directory that is not there is ENOENT",
    async run(runtime) {
      assert.equal(await spawnFailure(runtime, ["true"], { cwd: "/no/such/directory" }), "ENOENT");
    },
  },
  {
    name: "after a failed start the next child starts",
    async run(runtime) {
      for (let round = 0; round < 50; round += 1) await spawnFailure(runtime, ["/no/such/program"]);
      assert.equal((await run(runtime, ["true"])).code, 0);
    },
  },
];

export const SPAWN_CASES: readonly Case<Runtime>[] = [...WHAT_A_CHILD_GETS, ...HOW_A_CHILD_ENDS, ...WITHOUT_A_CHILD];
