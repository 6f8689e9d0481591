import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { getPriority } from "node:os";
import { join } from "node:path";
import { inlineBody } from "../../src/config/message-body.ts";
import type { ResourceLimits } from "../../src/config/definition.ts";
import { findRunner } from "../../src/process/accounts.ts";
import { ControlGroup } from "../../src/process/control-group.ts";
import { GroupHome } from "../../src/process/group-home.ts";
import { Isolation } from "../../src/process/isolation.ts";
import { LimitGroups } from "../../src/process/limit-groups.ts";
import { limited } from "../../src/process/limiting.ts";
import { ownGroups } from "../../src/process/own-groups.ts";
import { SpawnFailed, type Launch } from "../../src/process/port.ts";
import { runtime } from "../../src/runtime/index.ts";
import { order, processPlace, stoppedItself, textsOf, type ProcessPlace } from "../support/process-place.ts";
import { descriptorsOf, idsOf, procText, statusOf } from "../support/processes.ts";
import { limits, newId, temporaryDirectory, type TemporaryDirectory } from "../support/temporary.ts";
import { IS_ROOT, NOBODY, tryUnprivileged } from "../support/unprivileged.ts";

const CAN_ISOLATE = new Isolation().problem(null) === null;
const MEBIBYTE = 1024 * 1024;

/** What a job with these limits is started with. */
const within = (resources: Partial<ResourceLimits>, fields: Partial<Launch> = {}): Partial<Launch> => ({
  limits: limits({ graceMs: 200, resources: { optional: [], ...resources } }),
  ...fields,
});

const logOf = async (place: ProcessPlace, script: string, launch: Partial<Launch>): Promise<string> =>
  textsOf((await place.run(script, launch)).takings.outputs)["log"] ?? "";

/** One line of /proc/PID/limits: the soft and the hard limit. */
const limitOf = (pid: number, name: string): string[] =>
  procText(pid, "limits")
    ?.match(new RegExp(`^${name} +(\\S+) +(\\S+)`, "m"))
    ?.slice(1) ?? [];

/** The further groups that a process is in. */
const groupsOf = (pid: number): string[] =>
  (/^Groups:\t(.*)$/m.exec(procText(pid, "status") ?? "")?.[1] ?? "nobody knows").split(" ").filter(Boolean);

/** A job that stands still until it is looked at. */
async function looked<T>(place: ProcessPlace, launch: Partial<Launch>, look: (pid: number) => T): Promise<T> {
  const tree = place.start("kill -STOP $$", launch);
  await stoppedItself(tree.pid);
  const seen = look(tree.pid);
  tree.kill();
  await tree.exited;
  await tree.gone(order(0));
  return seen;
}

describe("what a shell sets for a job", () => {
  test("is in force for the job itself, and for nobody else", async () => {
    using place = processPlace();
    const launch = within({ cpuSeconds: 7, openFiles: 50, fileSizeBytes: 10_240, umask: 0o027 });
    const seen = await looked(place, launch, (pid) => ({
      cpu: limitOf(pid, "Max cpu time"),
      files: limitOf(pid, "Max open files"),
      size: limitOf(pid, "Max file size"),
      umask: statusOf(pid, "Umask"),
    }));
    expect(seen).toEqual({ cpu: ["7", "8"], files: ["50", "50"], size: ["10240", "10240"], umask: "0027" });
    expect(limitOf(process.pid, "Max cpu time")).toEqual(["unlimited", "unlimited"]);
    expect(await looked(place, {}, (pid) => limitOf(pid, "Max file size"))).toEqual(["unlimited", "unlimited"]);
  });

  test("leaves the job what it would have without: its session, its pid, its descriptors, its arguments", async () => {
    using place = processPlace();
    const launch = within({ openFiles: 50, nice: getPriority() + 3 });
    const odd = ["", "a b", "*", "--", "-n", "$HOME", "new\nline"];
    const argv = ["sh", "-c", 'printf "[%s]" "$@"', "sh", ...odd];
    expect(await logOf(place, "", { ...launch, argv })).toBe(odd.map((one) => `[${one}]`).join(""));
    const seen = await looked(place, launch, (pid) => ({ pid, ids: idsOf(pid), descriptors: descriptorsOf(pid) }));
    const { pid } = seen;
    expect(seen).toEqual({
      pid,
      ids: { parent: process.pid, group: pid, session: pid },
      descriptors: [0, 1, 2, 3],
    });
  });

  test("ends a job by a signal that says which limit it was", async () => {
    using place = processPlace();
    const burning = await place.run("while :; do :; done", within({ cpuSeconds: 1 }));
    expect(burning.exit).toMatchObject({ code: null, signal: "SIGXCPU" });
    const writing = await place.run("exec head -c 5000 /dev/zero", within({ fileSizeBytes: 1024 }));
    expect(writing.exit).toMatchObject({ code: null, signal: "SIGXFSZ" });
  });

  test("is never looser than what holds for the worker itself", async () => {
    using place = processPlace();
    const [, hard = ""] = limitOf(process.pid, "Max open files");
    const [soft] = await looked(place, within({ openFiles: Number(hard) + 1000 }), (pid) =>
      limitOf(pid, "Max open files"),
    );
    expect(soft).toBe(hard);
  });

  test("does not hide that the program is not there, or not executable", () => {
    using place = processPlace();
    using directory = temporaryDirectory();
    const errnoOf = (program: string): string => {
      try {
        place.start("", { ...within({ openFiles: 50, nice: 5 }), argv: [program] });
        return "it was started";
      } catch (error) {
        return error instanceof SpawnFailed ? error.errno : String(error);
      }
    };
    expect(errnoOf("no-such-program")).toBe("ENOENT");
    expect(errnoOf(directory.write("text", "#!/bin/sh\n", 0o644))).toBe("EACCES");
  });

  test("is niceness, counted from nothing and not from the worker's own", async () => {
    using place = processPlace();
    expect(await logOf(place, "nice", within({ nice: 7 }))).toBe("7\n");
    expect(await logOf(place, "nice", within({ nice: getPriority() }))).toBe(`${getPriority()}\n`);
    if (IS_ROOT) expect(await logOf(place, "nice", within({ nice: -3 }))).toBe("-3\n");
  });

  test("reaches no shell as code", () => {
    const words = ["$(touch /tmp/x)", ";", "`id`"];
    const argv = limited(words, { words: ["n", "5"], niceSteps: 0 }, []);
    expect(argv.slice(argv.indexOf("--") + 1)).toEqual(words);
    expect(argv[2]).not.toContain("touch");
    expect(limited(words, { words: [], niceSteps: 0 }, [])).toBe(words);
  });
});

const GROUPS = new LimitGroups(ownGroups(), "not here", runtime.libc());
const can = (limit: "memoryBytes" | "cpus" | "processes"): boolean => IS_ROOT && GROUPS.problem(limit) === null;

/** Groups of the version 1 hierarchies in which a process is, that a worker made. */
const ownersGroups = (pid: number): string[] =>
  [...(procText(pid, "cgroup") ?? "").matchAll(/^\d+:(\w+):.*(\/reeve-[0-9a-f]{12}-\d+)$/gm)].map(
    ([, controller = "", name = ""]) => `${ownGroups().controllers.get(controller)}${name}`,
  );

const kills = (): string | undefined => /^oom_kill \d+$/m.exec(readFileSync("/proc/vmstat", "utf8"))?.[0];

/** What an act gives during which the kernel has killed nothing anywhere on this machine for want of memory. */
async function undisturbed<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    const before = kills();
    const given = await act();
    if (kills() === before) return given;
  }
}

describe("memory", () => {
  test.skipIf(!can("memoryBytes"))("that is used up kills, and says that it was the job's own", async () => {
    using place = processPlace();
    const { exit } = await place.run("exec tail /dev/zero", within({ memoryBytes: 20 * MEBIBYTE }));
    expect(exit).toMatchObject({ code: null, signal: "SIGKILL", outOfMemory: "limit" });
    expect(exit.usage?.peakBytes).toBeWithin(10 * MEBIBYTE, 20 * MEBIBYTE + 1);
  });

  test.skipIf(!can("memoryBytes"))("is counted for each job anew", async () => {
    using place = processPlace();
    await place.run("exec tail /dev/zero", within({ memoryBytes: 20 * MEBIBYTE }));
    const { exit } = await place.run("exit 0", within({ memoryBytes: 50 * MEBIBYTE }));
    expect(exit.outOfMemory).toBeUndefined();
    expect(exit.usage?.peakBytes).toBeLessThan(10 * MEBIBYTE);
  });

  test.skipIf(!can("memoryBytes"))("is that of the whole tree, whatever session it is in", async () => {
    using place = processPlace();
    const { exit } = await place.run("setsid sh -c 'tail /dev/zero'; exit 3", within({ memoryBytes: 20 * MEBIBYTE }));
    expect(exit).toMatchObject({ code: 3, outOfMemory: "limit" });
  });

  test.skipIf(!can("memoryBytes"))(
    "of the machine is blamed where the kernel has killed, and nobody else is known to have",
    async () => {
      using place = processPlace();
      using other = processPlace();
      const tree = place.start("kill -STOP $$");
      await stoppedItself(tree.pid);
      // The kernel counts this one among those of the machine; the first worker knows nothing of the second's jobs.
      await other.run("exec tail /dev/zero", within({ memoryBytes: 20 * MEBIBYTE }));
      process.kill(tree.pid, "SIGKILL");
      expect(await tree.exited).toMatchObject({ signal: "SIGKILL", outOfMemory: "machine" });
      await tree.gone(order(0));
    },
  );

  test.skipIf(!can("memoryBytes"))(
    "is not blamed for what this worker has ended, nor for what was long ago",
    async () => {
      using place = processPlace();
      using other = processPlace();
      const tree = place.start("kill -STOP $$");
      await stoppedItself(tree.pid);
      await other.run("exec tail /dev/zero", within({ memoryBytes: 20 * MEBIBYTE }));
      tree.kill();
      expect((await tree.exited).outOfMemory).toBeUndefined();
      await tree.gone(order(0));
      const exit = await undisturbed(async () => {
        await place.manager.sweep();
        return (await place.run("kill -KILL $$")).exit;
      });
      expect(exit).toMatchObject({ code: null, signal: "SIGKILL" });
      expect(exit.outOfMemory).toBeUndefined();
    },
  );
});

describe("groups that bound a job", () => {
  test.skipIf(!can("processes") || !can("cpus"))("say so to the kernel, and are gone with the slot", async () => {
    using place = processPlace();
    const launch = within({ processes: 20, cpus: 0.5 });
    const seen = await looked(place, launch, (pid) => {
      const groups = ownersGroups(pid);
      const read = (file: string): string =>
        groups
          .map((group) => join(group, file))
          .flatMap((path) => (existsSync(path) ? readFileSync(path, "utf8") : []))[0] ?? "";
      return { groups, pids: read("pids.max").trim(), quota: read("cpu.cfs_quota_us").trim() };
    });
    expect(seen).toMatchObject({ pids: "20", quota: "50000" });
    expect(seen.groups).toHaveLength(2);
    expect(seen.groups.map((group) => existsSync(group))).toEqual([true, true]);
    place.slot.close();
    expect(seen.groups.map((group) => existsSync(group))).toEqual([false, false]);
  });

  test.skipIf(!can("processes"))("hold a tree that forks without end", async () => {
    using place = processPlace();
    const script = 'for i in 1 2 3 4 5 6 7 8 9; do sleep "$MARK" & done; wait';
    const { exit, left } = await place.run(script, within({ processes: 5 }));
    expect(exit.code).not.toBe(0);
    expect(left).toBeNull();
  });

  test.skipIf(!can("memoryBytes"))("of workers that are dead are removed by the next that bounds a job", async () => {
    const own = ownGroups().controllers.get("memory") ?? "";
    const stale = join(own, "reeve-0123456789ab-1");
    mkdirSync(stale);
    using place = processPlace();
    await place.run("exit 0", within({ memoryBytes: 50 * MEBIBYTE }));
    expect(existsSync(stale)).toBe(false);
  });
});

/** A directory that looks like one of the version 2 hierarchy, and a group in it. */
function unified(directory: TemporaryDirectory, controllers: string, enabled: string) {
  directory.write("cgroup.controllers", controllers);
  directory.write("cgroup.subtree_control", enabled);
  const path = directory.of(newId());
  mkdirSync(path);
  for (const file of ["memory.max", "memory.swap.max", "cpu.max", "pids.max"]) writeFileSync(join(path, file), "");
  const home = new GroupHome(directory.path, runtime.libc());
  const own = { unified: [directory.path], controllers: new Map<string, string>() };
  return { groups: new LimitGroups(own, home, runtime.libc()), group: new ControlGroup(path) };
}

describe("the version 2 hierarchy", () => {
  test("is told of memory, without swap, of processors and of processes", () => {
    using directory = temporaryDirectory();
    const { groups, group } = unified(directory, "cpu memory pids", "cpu memory pids");
    const bounds = { memoryBytes: 4096, cpus: 1.5, processes: 9 };
    expect(groups.needGroup(bounds)).toBe(true);
    expect(groups.make(bounds, group).entrances).toEqual([]);
    const written = ["memory.max", "memory.swap.max", "cpu.max", "pids.max"].map((file) =>
      readFileSync(join(group.path, file), "utf8"),
    );
    expect(written).toEqual(["4096", "0", "150000 100000", "9"]);
  });

  test("is asked for a controller that the groups below do not have yet", () => {
    using directory = temporaryDirectory();
    const { groups, group } = unified(directory, "memory pids", "");
    groups.make({ memoryBytes: 4096 }, group);
    expect(readFileSync(directory.of("cgroup.subtree_control"), "utf8")).toBe("+memory");
  });

  test("cannot give controllers where others are beside the worker, and says so", () => {
    using directory = temporaryDirectory();
    const { groups } = unified(directory, "memory pids", "");
    directory.write("cgroup.type", "domain\n");
    directory.write("cgroup.procs", `1\n${process.pid}\n`);
    expect(groups.problem("memoryBytes")).toMatch(/holds other processes.*Delegate=yes/);
  });

  test("tells what was killed for want of memory, and the peak", () => {
    using directory = temporaryDirectory();
    const { groups, group } = unified(directory, "memory", "memory");
    const bounds = groups.make({ memoryBytes: 4096 }, group);
    writeFileSync(join(group.path, "memory.events"), "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n");
    writeFileSync(join(group.path, "memory.peak"), "4000\n");
    expect([bounds.outOfMemoryKills(), bounds.peakBytes()]).toEqual([2, 4000]);
  });

  test("that lacks a controller has it done without, or refused", () => {
    using directory = temporaryDirectory();
    const { groups } = unified(directory, "pids", "pids");
    expect(groups.problem("memoryBytes")).toBe("there is no memory controller of control groups here");
    expect(groups.problem("processes")).toBeNull();
  });
});

describe("a worker without rights", () => {
  test("refuses what it cannot hold a job to, naming the limit, the reason and the way out; or does without, and says so once", () => {
    const memory = { memoryBytes: 50 * MEBIBYTE };
    const done = { limits: { resources: { optional: ["memoryBytes" as const], ...memory } }, script: "echo done" };
    const [refused, user, nice, without, again, bounded] = tryUnprivileged([
      { script: "exit 0", limits: { resources: { optional: [], ...memory } } },
      { script: "exit 0", limits: { resources: { optional: [], user: "root" } } },
      { script: "exit 0", limits: { resources: { optional: [], nice: -5 } } },
      done,
      { script: "exit 0", limits: { resources: { optional: ["user"], user: "no-such-user" } } },
      { script: "ulimit -n; nice", limits: { resources: { optional: [], openFiles: 33, nice: 4 } } },
    ]);
    expect(refused).toMatchObject({
      errno: "ENOTSUP",
      refused: expect.stringMatching(/limit memory .*since .*optional = \["memory"\]/),
    });
    expect(user).toMatchObject({
      errno: "ENOTSUP",
      refused: expect.stringContaining("only root can start a job as somebody else"),
    });
    expect(nice).toMatchObject({ errno: "ENOTSUP", refused: expect.stringContaining("only root may go below") });
    expect(without).toMatchObject({
      log: "done\n",
      warnings: [expect.stringMatching(/limit memory is done without, since/)],
    });
    expect(again).toMatchObject({ code: 0, warnings: [expect.stringContaining("there is no user no-such-user")] });
    expect(bounded).toMatchObject({ log: "33\n4\n" });
  });

  test("says the same thing only once", async () => {
    using place = processPlace();
    const launch = within({ user: "no-such-user", optional: ["user"] });
    const warnings = [];
    for (let round = 0; round < 3; round += 1)
      warnings.push((await place.run("exit 0", launch)).takings.warnings.length);
    expect(warnings).toEqual([1, 0, 0]);
  });
});

describe.skipIf(!IS_ROOT)("a job of another user", () => {
  test("has that user's numbers, and none of our groups", async () => {
    using place = processPlace();
    const launch = within({ user: "nobody" });
    const seen = await looked(place, launch, (pid) => [statusOf(pid, "Uid"), statusOf(pid, "Gid"), groupsOf(pid)]);
    const runner = findRunner("nobody", undefined);
    const gid = typeof runner === "object" ? runner.account.group : -1;
    expect(seen).toEqual([Array(4).fill(NOBODY).join("\t"), Array(4).fill(gid).join("\t"), []]);
  });

  test("can use what its variables name, and what it left is taken in", async () => {
    using place = processPlace();
    const script = `set -e; cat "$REEVE_BODY"; cat; echo r >"$REEVE_RESULTS/r.txt"; echo w >"$REEVE_WORKDIR/w"
      echo '{"progress":0.5}' >>"$REEVE_CONTROL"; echo '{"log":{"message":"m"}}' >&3`;
    const launch = within({ user: "nobody" }, { cwd: "/", body: inlineBody(new TextEncoder().encode("body ")) });
    const { exit, takings } = await place.run(script, launch);
    expect(exit).toMatchObject({ code: 0 });
    expect(textsOf(takings.outputs)).toEqual({ log: "body body " });
    expect(takings.results.map(({ id }) => id)).toEqual(["r.txt"]);
    expect(takings.progress).toEqual({ fraction: 0.5, message: null });
    expect(takings.said).toHaveLength(1);
  });

  test("finds what an earlier attempt left in its directory", async () => {
    using place = processPlace();
    const job = newId();
    const launch = within({ user: "nobody" }, { cwd: "/", job });
    await place.run('echo first >"$REEVE_WORKDIR/w"', launch);
    expect(
      await logOf(place, 'cat "$REEVE_WORKDIR/w"; echo more >>"$REEVE_WORKDIR/w"', { ...launch, attempt: 2 }),
    ).toBe("first\n");
  });

  test("gets no more than that: the way there can be gone, not looked at, and all is ours again afterwards", async () => {
    using place = processPlace();
    const script = `ls "$REEVE_RESULTS/.." 2>&1; cat "$REEVE_RESULTS/../output" 2>&1; touch "$REEVE_RESULTS/../new" 2>&1; ls "$REEVE_RESULTS"`;
    const body = inlineBody(new TextEncoder().encode("body"));
    const bounds = within({ user: "nobody" }, { cwd: "/", body });
    const apart = limits({ ...bounds.limits, isolate: CAN_ISOLATE ? "pid" : "none" });
    const said = await logOf(place, script, { ...bounds, limits: apart });
    expect(said.match(/Permission denied/g)).toHaveLength(3);
    const slot = place.slot.directory;
    const modes = [slot, join(slot, "results"), join(slot, "work")].map((path) =>
      (statSync(path).mode & 0o777).toString(8),
    );
    expect(modes).toEqual(["711", "700", "700"]);
    const lent = ["results", "work", "control", "body", ...(CAN_ISOLATE ? ["init/end/status"] : [])];
    const owners = lent.map((name) => statSync(join(slot, name)).uid);
    expect(owners).toEqual(lent.map(() => 0));
  });

  test("is told its own home and name, where they were ours", async () => {
    using place = processPlace();
    const { HOME = "", PATH = "" } = process.env;
    const environment = { PATH, HOME, USER: "somebody else's choice" };
    const said = await logOf(place, 'echo "$HOME $USER"', within({ user: "nobody" }, { cwd: "/", environment }));
    const runner = findRunner("nobody", undefined);
    expect(said).toBe(`${typeof runner === "object" ? runner.user?.home : ""} somebody else's choice\n`);
  });

  test("may be bounded in every way at once", async () => {
    using place = processPlace();
    const bounds = can("memoryBytes") ? { memoryBytes: 50 * MEBIBYTE } : {};
    const launch = within({ user: "nobody", openFiles: 40, nice: 3, umask: 0o077, ...bounds }, { cwd: "/" });
    expect(await logOf(place, "id -u; ulimit -n; nice; umask", launch)).toBe(`${NOBODY}\n40\n3\n0077\n`);
  });

  test("is not started where its user cannot get to the store", () => {
    using closed = temporaryDirectory();
    using place = processPlace({ below: closed.path });
    expect(() => place.start("exit 0", within({ user: "nobody" }, { cwd: "/" }))).toThrow(
      /may not pass .*put the store/,
    );
  });
});

describe("users and groups", () => {
  test("are found by name and by number", () => {
    expect(findRunner("root", undefined)).toMatchObject({ account: { user: 0, group: 0 }, user: { name: "root" } });
    expect(findRunner("0", "7")).toMatchObject({ account: { user: 0, group: 7 } });
    expect(findRunner(undefined, "root")).toMatchObject({
      account: { user: process.getuid?.(), group: 0 },
      user: null,
    });
  });

  test("that are not there are told by name", () => {
    expect(findRunner("no-such-user", undefined)).toBe("there is no user no-such-user in /etc/passwd");
    expect(findRunner("root", "no-such-group")).toBe("there is no group no-such-group in /etc/group");
    expect(findRunner("54321", undefined)).toContain("say its `group`, too");
    expect(findRunner("54321", "7")).toMatchObject({ account: { user: 54_321, group: 7 }, user: null });
  });
});
