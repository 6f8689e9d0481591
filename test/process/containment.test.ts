import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chooseGroups } from "../../src/process/containment.ts";
import { GroupHome } from "../../src/process/group-home.ts";
import { type RunningTree, SpawnFailed } from "../../src/process/port.ts";
import { SlotFiles } from "../../src/process/slot-files.ts";
import { runtime } from "../../src/runtime/index.ts";
import type { Runtime } from "../../src/runtime/port.ts";
import { eventually, within } from "../support/eventually.ts";
import { groupOf, HAS_GROUPS, HOME_DIRECTORY } from "../support/groups.ts";
import { order, processPlace, stoppedItself } from "../support/process-place.ts";
import { descriptorsOf, isLiving, livingWithArgument, procText } from "../support/processes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** Leaves session, group, parent, environment and descriptors behind. */
const STRAY = '( setsid env -i /bin/sleep "$MARK" <&- >&- 2>&- 3>&- & )';

/** The one process with the mark that is a program of its own by now. */
const stray = (mark: string): Promise<number> =>
  eventually("the stray has left all behind", () =>
    livingWithArgument(mark).find((pid) => procText(pid, "comm") === "sleep\n"),
  );

const FIXTURES = join(import.meta.dirname, "../fixtures");

describe.skipIf(!HAS_GROUPS)("a job in a control group", () => {
  test("has all that it starts in it, and the group is gone when the slot is closed", async () => {
    using place = processPlace({ containment: "cgroup" });
    const tree = place.start(`${STRAY}; kill -STOP $$`);
    await stoppedItself(tree.pid);
    const group = groupOf(tree.pid);
    expect(group).toMatch(/\/reeve-[0-9a-f]{12}-\d+$/);
    expect(groupOf(await stray(place.mark))).toBe(group);
    tree.kill();
    await tree.exited;
    expect(await tree.gone(order(0))).toBeNull();
    expect(existsSync(group)).toBe(true);
    place.slot.close();
    expect(existsSync(group)).toBe(false);
  });

  test("loses what bears no mark of it any more, also while another job runs", async () => {
    using place = processPlace({ containment: "cgroup" });
    using other = processPlace({ containment: "cgroup" });
    const second = place.manager.openSlot(other.directory.of("."));
    const running = second.start(other.launch('sleep "$MARK"'));
    const leaving = place.start(`${STRAY}; kill -STOP $$; exit 0`);
    const left = await stray(place.mark);
    process.kill(leaving.pid, "SIGCONT");
    await within("the main process ends", leaving.exited);
    expect(await leaving.gone(order(0))).toBeNull();
    expect(isLiving(left)).toBe(false);
    expect(isLiving(running.pid)).toBe(true);
    running.kill();
    await running.exited;
    await running.gone(order(0));
    second.close();
  });

  test("is followed by the next in the same group", async () => {
    using place = processPlace({ containment: "cgroup" });
    const groups: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      const tree = place.start("kill -STOP $$; exit 0");
      await stoppedItself(tree.pid);
      groups.push(groupOf(tree.pid));
      process.kill(tree.pid, "SIGCONT");
      await tree.exited;
      await tree.gone(order(0));
    }
    expect(new Set(groups).size).toBe(1);
  });

  test.each<[name: string, kill: (tree: RunningTree) => void]>([
    ["was killed by its worker", (tree) => tree.kill()],
    ["killed its own group", ({ pid }) => writeFileSync(join(groupOf(pid), "cgroup.kill"), "1")],
  ])("that %s leaves the next job alone", async (_, kill) => {
    using place = processPlace({ containment: "cgroup" });
    const tree = place.start("kill -STOP $$");
    await stoppedItself(tree.pid);
    kill(tree);
    expect(await within("it ends", tree.exited)).toMatchObject({ signal: "SIGKILL" });
    expect(await tree.gone(order(0))).toBeNull();
    expect((await place.run("exit 3")).exit).toMatchObject({ code: 3, signal: null });
  });

  test("that freezes its group dies all the same, and the next job has another", async () => {
    using place = processPlace({ containment: "cgroup" });
    const tree = place.start("kill -STOP $$; sleep 1000");
    await stoppedItself(tree.pid);
    const group = groupOf(tree.pid);
    writeFileSync(join(group, "cgroup.freeze"), "1");
    await eventually("it is frozen", () => readFileSync(join(group, "cgroup.events"), "utf8").includes("frozen 1"));
    tree.stop(order(50));
    expect(await within("it ends", tree.exited)).toMatchObject({ signal: "SIGKILL" });
    expect(await tree.gone(order(0))).toBeNull();
    const next = place.start("kill -STOP $$");
    await stoppedItself(next.pid);
    expect(groupOf(next.pid)).not.toBe(group);
    expect(existsSync(group)).toBe(false);
    next.kill();
    await next.exited;
    await next.gone(order(0));
  });

  test("that made groups of its own below is ended as a whole, and they go with its group", async () => {
    using place = processPlace({ containment: "cgroup" });
    const tree = place.start(`${STRAY}; kill -STOP $$; exit 0`);
    await stoppedItself(tree.pid);
    const group = groupOf(tree.pid);
    const left = await stray(place.mark);
    mkdirSync(join(group, "own", "below"), { recursive: true });
    writeFileSync(join(group, "own", "below", "cgroup.procs"), String(left));
    process.kill(tree.pid, "SIGCONT");
    await tree.exited;
    expect(await tree.gone(order(0))).toBeNull();
    expect(isLiving(left)).toBe(false);
    place.slot.close();
    expect(existsSync(group)).toBe(false);
  });

  test("is ended by its marks when somebody takes it out of its group", async () => {
    using place = processPlace({ containment: "cgroup" });
    const tree = place.start('sleep "$MARK" & sleep "$MARK"');
    for (const pid of [tree.pid, ...(await place.marked(2))])
      writeFileSync(join(HOME_DIRECTORY, "cgroup.procs"), String(pid));
    tree.kill();
    await within("it ends", tree.exited);
    expect(await tree.gone(order(0))).toBeNull();
    expect(livingWithArgument(place.mark)).toEqual([]);
  });

  test("is started also when somebody has removed the group of its slot", async () => {
    using place = processPlace({ containment: "cgroup" });
    const first = place.start("kill -STOP $$; exit 0");
    await stoppedItself(first.pid);
    const group = groupOf(first.pid);
    process.kill(first.pid, "SIGCONT");
    await first.exited;
    await first.gone(order(0));
    rmdirSync(group);
    expect((await place.run("exit 3")).exit).toMatchObject({ code: 3 });
  });
});

describe.skipIf(!HAS_GROUPS)("groups of workers that are dead", () => {
  const NAME = "reeve-0123456789ab-1";

  test("are removed by the next worker, those of the living are left alone", async () => {
    using living = processPlace({ containment: "cgroup" });
    await living.run("exit 0");
    const [own] = groupsOf(living);
    mkdirSync(join(HOME_DIRECTORY, NAME, "below"), { recursive: true });
    using next = processPlace({ containment: "cgroup" });
    expect(next.manager.count).toBe(0);
    expect(existsSync(join(HOME_DIRECTORY, NAME))).toBe(false);
    expect(own && existsSync(own)).toBe(true);
  });

  test("are not taken for those of a worker that is just making its own", async () => {
    await using sweeper = Bun.spawn([process.execPath, join(FIXTURES, "sweeping.ts"), HOME_DIRECTORY], {
      stdout: "pipe",
    });
    await sweeper.stdout.getReader().read();
    const home = new GroupHome(HOME_DIRECTORY, runtime.libc());
    for (let round = 0; round < 300; round += 1) {
      const group = home.make();
      expect(await Bun.spawn(["true"], { cgroup: group.path }).exited).toBe(0);
      home.remove(group);
    }
    sweeper.kill("SIGKILL");
  });

  test("stay as long as something lives in them", async () => {
    const path = join(HOME_DIRECTORY, NAME);
    mkdirSync(path);
    const child = Bun.spawn(["sleep", "1000"], { cgroup: path });
    chooseGroups("cgroup", runtime);
    expect(existsSync(path)).toBe(true);
    child.kill("SIGKILL");
    await child.exited;
    await eventually("it is removed", () => {
      chooseGroups("cgroup", runtime);
      return !existsSync(path);
    });
  });
});

/** Where the main processes of a place run. */
const groupsOf = (place: { readonly directory: { of(...names: string[]): string } }): string[] => {
  const identity = readFileSync(place.directory.of("slot-1", "identity"), "utf8");
  return identity.trim().split(" ").slice(4);
};

describe.skipIf(!HAS_GROUPS)("the group that an attempt's files name", () => {
  test("is looked at as often as one likes, and let go with the files", async () => {
    using place = processPlace({ containment: "cgroup" });
    const name = place.launch("exit 0");
    await place.run("exit 0", name);
    const before = descriptorsOf(process.pid)?.length;
    const files = new SlotFiles(place.slot.directory, runtime.libc());
    for (let round = 0; round < 5; round += 1) expect(files.groupOf(name)?.isPopulated()).toBe(false);
    expect(files.groupOf({ ...name, attempt: 2 })).toBeNull();
    for (const spoilt of ["%", "/tmp", "%2e%2e"]) {
      writeFileSync(files.path("identity"), `${name.job} 1 0 0 ${spoilt}`.padEnd(511, " "));
      expect(files.groupOf(name)).toBeNull();
    }
    files.close();
    expect(descriptorsOf(process.pid)).toHaveLength(before ?? 0);
  });
});

describe.skipIf(!HAS_GROUPS)("where a sandbox lets groups be made but nothing be started in them", () => {
  const SANDBOXED: Runtime = {
    ...runtime,
    spawn(argv, options) {
      if (options.group === undefined) return runtime.spawn(argv, options);
      throw Object.assign(new Error("Function not implemented"), { code: "ENOSYS" });
    },
  };

  test("a job is started without one", async () => {
    using place = processPlace({ containment: "auto", on: SANDBOXED });
    expect(await place.run("exit 3")).toMatchObject({ exit: { code: 3 }, left: null });
  });

  test("a job that must have one is not started", () => {
    using place = processPlace({ containment: "cgroup", on: SANDBOXED });
    expect(() => place.start("exit 3")).toThrow(SpawnFailed);
  });
});

describe("what is asked for", () => {
  test("is had, or refused with a sentence", () => {
    expect(chooseGroups("marks", runtime)).toBeNull();
    expect(chooseGroups("auto", { ...runtime, entersGroups: false })).toBeNull();
    if (!HAS_GROUPS) expect(() => chooseGroups("cgroup", runtime)).toThrow(/containment = "cgroup" cannot be had here/);
  });

  test("cannot be had below a directory that is no control group", () => {
    using directory = temporaryDirectory();
    expect(() => new GroupHome(directory.of("missing"), runtime.libc()).make()).toThrow(/ENOENT/);
  });
});
