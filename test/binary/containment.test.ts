import { expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownGroups } from "../../src/process/own-groups.ts";
import { eventually } from "../support/eventually.ts";
import { BOUNDS_MEMORY, HAS_GROUPS, HOME_DIRECTORY } from "../support/groups.ts";
import { isLiving } from "../support/processes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { IS_ROOT, NOBODY } from "../support/unprivileged.ts";
import { forEachForm, type Form } from "./forms.ts";
import { Place, sh } from "./place.ts";

/** One definition, with a shell for its command. */
const definition = (name: string, script: string, more: string): string =>
  `[jobs.${name}]\ncommand = ["sh", "-c", ${JSON.stringify(script)}]\n${more}\n`;

/** The groups of which a job wrote down its own (`cat /proc/self/cgroup > groups`) that workers have made. */
const groupsIn = (place: Place): string[] =>
  place.lines("groups").flatMap((line) => {
    const [, controllers = "", path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (!/\/reeve-[0-9a-f]{12}-\d+$/.test(path)) return [];
    const name = path.slice(path.lastIndexOf("/"));
    return [`${controllers === "" ? HOME_DIRECTORY : ownGroups().controllers.get(controllers)}${name}`];
  });

const entersGroups = (form: Form): boolean => HAS_GROUPS && !form.lacks.has("control groups");

forEachForm("containment", (form) => {
  test("control groups are there while the worker is, and gone with it", async () => {
    await using place = new Place(form);
    const id = await place.submit(...sh("cat /proc/self/cgroup > groups"));
    const worker = await place.worker();
    expect(await place.reeve("wait", id)).toMatchObject({ code: 0 });
    const groups = groupsIn(place);
    expect(groups).toHaveLength(entersGroups(form) ? 1 : 0);
    expect(groups.filter((path) => existsSync(path))).toEqual(groups);
    worker.signal("SIGTERM");
    await worker.ended;
    expect(groups.filter((path) => existsSync(path))).toEqual([]);
  });

  test.skipIf(!HAS_GROUPS)("what bears no mark of its job dies with it, where groups are asked for", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", '[worker]\ncontainment = "cgroup"\n');
    const stays = await place.submit(...sh("cat /proc/self/cgroup > groups; exec sleep 1000"));
    const stray = "(setsid env -i sleep 1000 <&- >&- 2>&- 3>&- & echo $! > stray)";
    const leaves = await place.submit(...sh(`while [ ! -s groups ]; do sleep 0.01; done; ${stray}`));
    await place.worker(["--concurrency", "2"]);
    expect(await place.reeve("wait", leaves)).toMatchObject({ code: 0 });
    expect(isLiving(Number(place.read("stray")))).toBe(false);
    expect(groupsIn(place)).toHaveLength(1);
    expect(await place.phase(stays)).toBe("EXECUTING");
  });

  test("a worker killed by force leaves groups that the next one removes, and what is in them ends", async () => {
    await using place = new Place(form);
    const script = 'test "$REEVE_ATTEMPT" = 2 && exit; cat /proc/self/cgroup > groups; echo $$ > pid; exec sleep 1000';
    await place.submit(...sh(script));
    const worker = await place.worker();
    const pid = Number(await place.file("pid"));
    worker.signal("SIGKILL");
    await worker.ended;
    expect(await place.drain()).toMatchObject({ code: 0 });
    expect(isLiving(pid)).toBe(false);
    expect(groupsIn(place).filter((path) => existsSync(path))).toEqual([]);
  });

  test.skipIf(!IS_ROOT || !HAS_GROUPS)(
    "a worker without rights does without groups, unless they are asked for",
    async () => {
      await using place = new Place(form);
      using theirs = temporaryDirectory();
      chownSync(theirs.path, NOBODY, NOBODY);
      const manner = { under: ["setpriv", `--reuid=${NOBODY}`, "--clear-groups"], cwd: theirs.path };
      const environment = { HOME: theirs.path, REEVE_STORE: theirs.of("store") };
      const submit = ["submit", "--quiet", "--", "true"];
      expect(await place.run(submit, { ...manner, environment })).toMatchObject({ code: 0 });
      expect(await place.run(["work", "--drain"], { ...manner, environment })).toMatchObject({ code: 0 });
      const asked = { ...environment, REEVE_CONTAINMENT: "cgroup" };
      writeFileSync(theirs.of("reeve.toml"), '[worker]\ncontainment = "cgroup"\n');
      const checked = await place.run(["check-config"], { ...manner, environment });
      expect(checked.stdout).toContain("worker.containment: No control group can be made");
      const { code, stderr } = await place.run(["work", "--drain"], { ...manner, environment: asked });
      expect({ code, stderr }).toEqual({
        code: 78,
        stderr: expect.stringMatching(/containment = "cgroup" cannot be had here: no control group can be made/),
      });
    },
  );
});

forEachForm("limits of resources", (form) => {
  test.skipIf(!BOUNDS_MEMORY)("memory that is used up is the cause, and is told in words", async () => {
    await using place = new Place(form);
    place.write(
      "reeve.toml",
      definition("eats", "cat /proc/self/cgroup > groups; exec tail /dev/zero", 'limits.memory = "30MB"'),
    );
    const id = await place.submit("eats");
    expect(await place.drain()).toMatchObject({ code: 1 });
    const { phase, errorSummary, jobInfo } = await place.show(id);
    expect(phase).toBe("ERROR");
    expect(errorSummary).toMatchObject({
      cause: "memory",
      message: expect.stringContaining("SIGKILL (9), killed; out of memory"),
    });
    expect(jobInfo.attempts).toMatchObject([{ signal: "SIGKILL", cause: "memory" }]);
    if (!form.lacks.has("child's resources")) expect(jobInfo.attempts[0]?.peakMemory).toBeWithin(20e6, 30_000_001);
    const groups = groupsIn(place);
    expect(groups.length).toBeGreaterThan(0);
    expect(groups.filter((path) => existsSync(path))).toEqual([]);
  });

  test("what cannot be had is told by check-config, and refused by the worker, with a way out", async () => {
    await using place = new Place(form);
    const wrong = 'limits = { user = "no-such-user" }';
    const without = 'limits = { user = "no-such-user", optional = ["user"] }';
    place.write("reeve.toml", definition("refused", "exit 0", wrong) + definition("goes", "exit 0", without));
    const checked = await place.ok("check-config");
    expect(checked).toMatch(/jobs\.refused: The limit user cannot be had here, since there is no user no-such-user/);
    expect(checked).toMatch(/jobs\.goes: The limit user is done without, since there is no user/);
    const [refused, goes] = [await place.submit("refused"), await place.submit("goes")];
    await place.drain();
    expect(await place.show(refused)).toMatchObject({ phase: "ERROR", errorSummary: { type: "fatal" } });
    expect(await place.phase(goes)).toBe("COMPLETED");
    expect(await place.ok("why", goes)).toContain("the limit user is done without");
  });

  test("a worker that stays waits with what it cannot hold a job to: another may", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", definition("refused", "exit 0", 'limits = { user = "no-such-user" }'));
    const id = await place.submit("refused");
    const worker = await place.worker();
    await eventually("its definition is paused", () => worker.log().some(({ event }) => event === "definition paused"));
    expect(await place.show(id)).toMatchObject({ phase: "QUEUED", jobInfo: { failures: 0 } });
  });

  test.skipIf(!IS_ROOT)(
    "a job and its exit handler run as the user of the definition, and their results are there",
    async () => {
      using passable = temporaryDirectory();
      chmodSync(passable.path, 0o711);
      await using place = new Place(form, passable.of("store"));
      const script = 'id -u > "$REEVE_RESULTS/uid"; echo half > "$REEVE_WORKDIR/half"; kill -SEGV $$';
      const handler = 'exit_handler = ["sh", "-c", "id -u; cat \\"$REEVE_WORKDIR/half\\""]';
      place.write("reeve.toml", definition("theirs", script, `${handler}\ncwd = "/"\nlimits = { user = "nobody" }`));
      const id = await place.submit("theirs");
      await place.drain();
      const { jobInfo } = await place.show(id);
      expect(jobInfo.attempts).toMatchObject([{ signal: "SIGSEGV" }]);
      expect(await place.ok("result", id, "uid")).toBe(`${NOBODY}\n`);
      expect(await place.ok("logs", "--exit-handler", id)).toBe(`${NOBODY}\nhalf\n`);
      expect(statSync(join(place.store, "reeve.db")).mode & 0o077).toBe(0);
    },
  );

  test("of processes and files hold what a command was submitted with", async () => {
    await using place = new Place(form);
    const id = await place.submit(
      "--limit",
      "open_files=33",
      "--limit",
      "nice=5",
      "--isolate",
      "pid",
      ...sh("ulimit -n; nice; echo $$"),
    );
    await place.drain();
    expect(await place.ok("logs", id)).toBe("33\n5\n2\n");
  });
});
