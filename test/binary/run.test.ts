import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { eventually } from "../support/eventually.ts";
import { fill, smallDisk } from "../support/filesystems.ts";
import { descriptorsOf, isLiving, procText, statusOf } from "../support/processes.ts";
import { only } from "../support/temporary.ts";
import { COMPILED, forEachForm, scaled, type Form, testWhere } from "./forms.ts";
import { Place, sh, type Done, type Manner } from "./place.ts";

/** The program in a shell's pipeline: `"$@"` is `reeve run` with these arguments. */
function inShell(place: Place, script: string, args: readonly string[], manner: Manner = {}): Promise<Done> {
  return place.startProgram(["sh", "-c", script, "sh", ...place.form.argv, "run", ...args], manner).ended;
}

/** Writes down who it is, and stays. */
const sleeping = (name: string): string[] => sh(`echo $$ > ${name}; exec sleep 1000`);

/** For what depends on no runtime. */
const onceOf = (form: Form) => testWhere(form === COMPILED);

/** The job of the only run there was. */
const theJob = async (place: Place) => only(await place.list());

forEachForm("how `run` ends", (form) => {
  const once = onceOf(form);

  test("with the command's own exit code", async () => {
    await using place = new Place(form);
    const codes = [0, 1, 7, 126, 255];
    const all = await Promise.all(codes.map((code) => place.reeve("run", ...sh(`exit ${code}`))));
    expect(all.map(({ code }) => code)).toEqual(codes);
    expect(all.map(({ stdout, stderr }) => stdout + stderr).join("")).toBe("");
  });

  test("with 127 where there is no such program, with 126 where it is none, and says which", async () => {
    await using place = new Place(form);
    place.write("plain", "text\n", 0o644);
    const [missing, plain, there] = await Promise.all([
      place.reeve("run", "--", "no-such-program"),
      place.reeve("run", "--", "./plain"),
      place.reeve("run", "--", "sh", "-c", "no-such-program"),
    ]);
    expect(missing).toMatchObject({ code: 127, stderr: 'reeve: "no-such-program" was not started: no such program\n' });
    expect(plain).toMatchObject({ code: 126, stderr: 'reeve: "./plain" was not started: it is not executable\n' });
    expect(there).toMatchObject({ code: 127, stderr: expect.not.stringContaining("reeve:") });
  });

  const deaths: NodeJS.Signals[] = ["SIGKILL", "SIGTERM", "SIGSEGV", "SIGABRT"];
  const others: NodeJS.Signals[] = [
    "SIGINT",
    "SIGHUP",
    "SIGQUIT",
    "SIGPIPE",
    "SIGBUS",
    "SIGFPE",
    "SIGILL",
    "SIGTRAP",
    "SIGUSR1",
    "SIGALRM",
    "SIGXCPU",
    "SIGSYS",
  ];
  const mirrored = form === COMPILED ? [...deaths, ...others] : deaths;

  test("by the signal that ended the command, as its parent sees it", async () => {
    await using place = new Place(form);
    for (let index = 0; index < mirrored.length; index += 2) {
      const pair = mirrored.slice(index, index + 2);
      const all = await Promise.all(pair.map((name) => place.reeve("run", ...sh(`kill -${name.slice(3)} $$`))));
      expect(all).toEqual(pair.map((signal) => ({ code: null, signal, stdout: "", stderr: "" })));
    }
    expect((await place.list()).map(({ jobInfo }) => jobInfo.signal).toSorted()).toEqual(mirrored.toSorted());
  });

  testWhere(form.name !== "deno")("by a signal for real-time use, too", async () => {
    await using place = new Place(form);
    const done = await inShell(place, '"$@"; echo $?', sh("kill -40 $$"));
    expect(done.stdout).toBe("168\n");
  });

  test("with 124 when its time is over, however it is ended then", async () => {
    await using place = new Place(form);
    const [obeys, exits, resists] = await Promise.all([
      place.reeve("run", "--timeout", "200ms", "--", "sleep", "1000"),
      place.reeve("run", "--timeout", "200ms", ...sh('trap "exit 0" TERM; while :; do sleep 0.02; done')),
      place.reeve(
        "run",
        "--timeout",
        "200ms",
        "--grace",
        "200ms",
        ...sh('trap "" TERM; setsid sleep 1000 & sleep 1000'),
      ),
    ]);
    for (const done of [obeys, exits, resists]) {
      expect(done).toMatchObject({ code: 124, stdout: "", stderr: expect.stringMatching(/^reeve: timed out: .*\n$/m) });
    }
    expect(place.processes()).toEqual([]);
    const jobs = await place.list();
    expect(jobs.map(({ phase, jobInfo }) => [phase, jobInfo.attempts.map(({ cause }) => cause)])).toEqual(
      jobs.map(() => ["ERROR", ["timeout"]]),
    );
    expect(jobs.map(({ jobInfo }) => jobInfo.signal).toSorted()).toEqual(["SIGKILL", "SIGTERM", null]);
  });

  once("with 1 when somebody aborts the job", async () => {
    await using place = new Place(form);
    const running = place.start(["run", ...sh("setsid sleep 1000 & echo began > began; sleep 1000")]);
    await place.file("began");
    const { jobId } = await theJob(place);
    await place.ok("abort", jobId);
    expect(await running.ended).toMatchObject({ code: 1, stderr: expect.stringMatching(/^reeve: aborted by /m) });
    expect(place.processes()).toEqual([]);
    expect(await place.show(jobId)).toMatchObject({ phase: "ABORTED", jobInfo: { signal: "SIGTERM" } });
  });

  once("with 2 for what is no command, with 69 and nothing started where nothing can be recorded", async () => {
    await using place = new Place(form);
    place.write("file", "");
    const command = ["--", "touch", "started"];
    for (const args of [
      ["run"],
      ["run", "--"],
      ["run", "touch", "started"],
      ["run", "--max-attempts", "2", ...command],
    ]) {
      expect(await place.reeve(...args)).toMatchObject({
        code: 2,
        stdout: "",
        stderr: expect.stringContaining("reeve"),
      });
    }
    expect(await place.reeve("run", "--store", "file", ...command)).toMatchObject({
      code: 69,
      stdout: "",
      stderr: expect.stringMatching(/^reeve: the store .*file cannot be written/),
    });
    expect(existsSync(place.of("started"))).toBe(false);
  });

  once(
    "on a full disk with 69 before it starts anything; where it fills up meanwhile, as the command did",
    async () => {
      using disk = smallDisk("8m");
      await using place = new Place(form, disk.of("store"));
      await place.ok("run", "--", "true");
      const running = place.start(["run", ...sh("echo began > began; while [ ! -e go ]; do sleep 0.02; done; exit 7")]);
      await place.file("began");
      const makeRoom = fill(disk.path);
      place.write("go", "");
      expect(await running.ended).toMatchObject({
        code: 7,
        stderr: expect.stringMatching(/^reeve: the end of job .* was not recorded: /m),
      });
      const refused = await place.reeve("run", "--", "touch", "started");
      expect(refused).toMatchObject({ code: 69, stdout: "", stderr: expect.stringContaining("full") });
      expect(existsSync(place.of("started"))).toBe(false);
      makeRoom();
      await place.drain();
      const lost = (await place.list()).find(({ jobInfo }) => jobInfo.command?.includes("sh"));
      expect(lost).toMatchObject({ phase: "ERROR", jobInfo: { attempts: [{ ending: "lost" }] } });
    },
  );
});

forEachForm("what a command in the foreground is given", (form) => {
  test("our stdin: a pipe, a file, or none", async () => {
    await using place = new Place(form);
    place.write("file", "from a file\n");
    const [pipe, file, closed] = await Promise.all([
      place.run(["run", ...sh("cat")], { stdin: "from a pipe\n" }),
      inShell(place, '"$@" < file', ["--", "readlink", "/proc/self/fd/0"]),
      inShell(place, '"$@" <&-', sh("cat; readlink /proc/self/fd/0")),
    ]);
    expect([pipe, file, closed]).toMatchObject([{ code: 0 }, { code: 0 }, { code: 0 }]);
    expect(pipe.stdout).toBe("from a pipe\n");
    expect(file.stdout).toBe(`${place.of("file")}\n`);
    expect(closed.stdout).toBe("/dev/null\n");
  });

  test("stdin as far as it reads, and no further: the rest is for whoever comes next", async () => {
    await using place = new Place(form);
    const done = await inShell(place, 'printf "1\\n2\\n3\\n" | { "$@"; cat; }', sh("read line; echo got $line"));
    expect(done.stdout).toBe("got 1\n2\n3\n");
  });

  test("our directory and environment, without what could harm it, and nothing is expanded", async () => {
    await using place = new Place(form);
    const environment = {
      A: "1",
      SECRET: "2",
      BUN_X: "1",
      NOTIFY_SOCKET: "/x",
      WATCHDOG_USEC: "1",
      WATCHDOG_PID: "1",
    };
    const { stdout } = await place.run(["run", "--env", "B=3", "--", "env"], { environment });
    const seen = new Map(
      stdout.split("\n").map((line) => [line.split("=")[0] ?? "", line.slice(line.indexOf("=") + 1)]),
    );
    for (const [name, value] of Object.entries({
      ...place.environment,
      A: "1",
      SECRET: "2",
      B: "3",
      REEVE_ATTEMPT: "1",
    }))
      expect([name, seen.get(name)]).toEqual([name, value]);
    const never = ["BUN_X", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "REEVE_QUEUE", "REEVE_MESSAGE_ID"];
    expect(never.filter((name) => seen.has(name))).toEqual([]);
    expect(seen.get("REEVE_JOB_ID")).toBe((await theJob(place)).jobId);

    const [here, there, plain] = await Promise.all([
      place.reeve("run", "--", "pwd"),
      place.reeve("run", "--cwd", "/usr", "--", "pwd"),
      place.reeve("run", "--", "printf", "%s|", "{body}", "{{", "$HOME", "a b", ""),
    ]);
    expect([here.stdout, there.stdout, plain.stdout]).toEqual([`${place.of()}\n`, "/usr\n", "{body}|{{|$HOME|a b||"]);
  });

  test("a session of its own, default signal actions, and exactly the descriptors 0 to 3", async () => {
    await using place = new Place(form);
    const running = place.start([
      "run",
      ...sh('grep -E "^Sig(Ign|Blk)" /proc/self/status; echo $$ > began; exec sleep 1000'),
    ]);
    const pid = Number(await place.file("began"));
    expect(statusOf(pid, "NSsid")).toBe(String(pid));
    await eventually("it is shown", () => /^SigBlk:\s0+\nSigIgn:\s0+\n$/.test(running.stdout()));
    // While a program is being loaded it has more.
    if (!form.lacks.has("inherited descriptors"))
      await eventually("it has these four", () => descriptorsOf(pid)?.join() === "0,1,2,3");
    running.signal("SIGTERM");
    await running.ended;
  });
});

forEachForm("what a command in the foreground writes", (form) => {
  const once = onceOf(form);

  test("is shown byte for byte, stdout and stderr apart, and kept so", async () => {
    await using place = new Place(form);
    const [out, error] = [randomBytes(1_000_003), randomBytes(300_001)];
    place.write("out", out);
    place.write("error", error);
    const done = await inShell(place, '"$@" > shown.out 2> shown.error', sh("cat error >&2 & cat out; wait"));
    expect(done.code).toBe(0);
    expect(readFileSync(place.of("shown.out")).equals(out)).toBe(true);
    expect(readFileSync(place.of("shown.error")).equals(error)).toBe(true);
    const { jobId } = await theJob(place);
    await place.startProgram(["sh", "-c", '"$@" > kept', "sh", ...form.argv, "logs", jobId, "--stream", "stderr"])
      .ended;
    expect(readFileSync(place.of("kept")).equals(error)).toBe(true);
  });

  test("comes in the order written where both of ours are one", async () => {
    await using place = new Place(form);
    const lines = Array.from({ length: 200 }, (_, line) => `${line}\n`).join("");
    const script = "i=0; while [ $i -lt 200 ]; do echo $i >&$((1 + i % 2)); i=$((i + 1)); done";
    const done = await inShell(place, '"$@" 2>&1 | cat', sh(script));
    expect(done.stdout).toBe(lines);
    expect(await place.ok("logs", (await theJob(place)).jobId)).toBe(lines);
  });

  once("cannot act on the terminal by what we repeat of it, and our own lines begin as lines", async () => {
    await using place = new Place(form);
    const done = await inShell(place, '"$@" 2>&1 | cat', sh(`printf "nonsense \\033[2J\\n" >&3; printf unended`));
    expect(done.stdout).toMatch(/^unended\nreeve: not a message .*nonsense /);
    expect(done.stdout).not.toContain("\u001b");
  });

  test("is shown as it comes", async () => {
    await using place = new Place(form);
    const running = place.start(["run", ...sh("echo one; echo two >&2; read line; echo three")], { stdin: "\n" });
    await running.ended;
    expect([running.stdout(), running.stderr()]).toEqual(["one\nthree\n", "two\n"]);
    const waiting = place.start(["run", ...sh("printf one; printf two >&2; while [ ! -e go ]; do sleep 0.02; done")]);
    await eventually("it is shown", () => waiting.stdout() === "one" && waiting.stderr() === "two");
    place.write("go", "");
    expect(await waiting.ended).toMatchObject({ code: 0, stdout: "one", stderr: "two" });
  });

  test("is not lost on a slow reader, nor held in memory", async () => {
    await using place = new Place(form);
    const size = scaled(form, 200, 50) * 1024 * 1024;
    const reader = "{ until [ -e go ]; do sleep 0.02; done; head -c 1000; until [ -e on ]; do sleep 0.02; done; cat; }";
    const random = `openssl enc -aes-128-ctr -K 0 -iv 0 -in /dev/zero 2>/dev/null | head -c ${size} | tee copy`;
    const done = inShell(
      place,
      `"$@" | ${reader} > shown; cmp shown copy && echo same`,
      sh(`${random}; echo over > over`),
    );
    await place.file("over");
    place.write("go", "");
    await eventually("the job has ended", async () => (await theJob(place)).phase === "COMPLETED");
    const pid = only(place.processes().filter((one) => isReeve(one, form)));
    expect(Number.parseInt(statusOf(pid, "VmHWM") ?? "", 10)).toBeLessThan(scaled(form, 110, 200) * 1024);
    place.write("on", "");
    expect(await done).toMatchObject({ stdout: "same\n", stderr: "" });
  });

  test("has a reader that goes away: the tree is stopped, and we end by SIGPIPE", async () => {
    await using place = new Place(form);
    const script = '{ "$@"; echo "exit code $?" >&2; } | head -n 1';
    const done = await inShell(place, script, sh('trap "" PIPE; setsid sleep 1000 & while :; do echo line; done'));
    expect(done).toMatchObject({ stdout: "line\n", stderr: "exit code 141\n" });
    expect(place.processes()).toEqual([]);
    expect(await theJob(place)).toMatchObject({ phase: "ABORTED", errorSummary: { cause: "stop" } });
  });

  once("has a reader that cannot take it: the tree is stopped, and it is said", async () => {
    await using place = new Place(form);
    const done = await inShell(place, '"$@" > /dev/full', sh("echo line; exec sleep 1000"));
    expect(done).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^reeve: its output could not be passed on: .*(ENOSPC|No space left)/),
    });
    expect(place.processes()).toEqual([]);
  });

  test("is written by itself where it is asked for, to the very same place, and not kept", async () => {
    await using place = new Place(form);
    const told =
      "readlink /proc/$$/fd/1 /proc/$$/fd/2 | cat > fds; grep -h flags /proc/$$/fdinfo/1 | cat > flags; echo out; echo error >&2";
    const done = await inShell(place, 'readlink /proc/$$/fd/1 /proc/$$/fd/2 | cat > ours; "$@" | cat', [
      "--direct",
      ...sh(told),
    ]);
    expect(done).toMatchObject({ code: 0, stdout: "out\n", stderr: "error\n" });
    expect(place.lines("fds")[0]).toMatch(/^pipe:/);
    expect(place.lines("fds")[1]).toBe(place.lines("ours")[1] ?? "");
    expect(place.read("flags")).toBe("flags:\t01\n");
    const { jobId } = await theJob(place);
    expect(await place.reeve("logs", jobId)).toMatchObject({
      code: 0,
      stdout: "",
      stderr: expect.stringContaining("was not kept"),
    });
    expect(await place.reeve("run", "--direct", "--output", "log", "--", "true")).toMatchObject({ code: 2 });
  });

  once("is cut in the record only, when it is limited", async () => {
    await using place = new Place(form);
    const script = "i=0; while [ $i -lt 30 ]; do seq 20000; sleep 0.03; i=$((i + 1)); done";
    const done = await inShell(place, '"$@" | md5sum', ["--output-limit", "64KiB", ...sh(script)]);
    expect(done.stdout).toBe((await place.startProgram(["sh", "-c", `{ ${script}; } | md5sum`]).ended).stdout);
    expect((await place.ok("logs", (await theJob(place)).jobId)).length).toBeLessThan(500_000);
  });
});

const isReeve = (pid: number, { argv }: Form): boolean =>
  procText(pid, "cmdline")?.startsWith(`${argv.join("\0")}\0run\0`) ?? false;

forEachForm("the record of a command in the foreground", (form) => {
  const once = onceOf(form);

  test("says what was run, by nobody's queue", async () => {
    await using place = new Place(form);
    await place.run(["run", "--run-id", "nightly", ...sh("echo out; echo error >&2; exit 3")], {
      environment: { A: "1" },
    });
    const job = await theJob(place);
    expect(job).toMatchObject({
      phase: "ERROR",
      runId: "nightly",
      errorSummary: { message: "exit code 3" },
      jobInfo: {
        attempts: [{ number: 1, ending: "exited", exitCode: 3, verdict: "leave" }],
        command: ["sh", "-c", "echo out; echo error >&2; exit 3", "sh"],
        cwd: place.of(),
        queue: null,
        buried: null,
      },
    });
    expect(await place.ok("logs", job.jobId, "--stream", "stdout")).toBe("out\n");
    expect(await place.ok("logs", job.jobId, "--stream", "stderr")).toBe("error\n");
    expect(await place.reeve("wait", job.jobId)).toMatchObject({ code: 3 });
    const story = await place.ok("why", job.jobId);
    expect(story).toContain(`run from ${place.of()}`);
    expect(story).toContain("ERROR: exited 3");
    expect(JSON.parse(await place.ok("dead", "list", "--json"))).toEqual([]);
    // What is run again is the queue's.
    const again = (await place.ok("retry", job.jobId, "--quiet")).trim();
    await place.drain();
    expect(await place.show(again)).toMatchObject({ phase: "ERROR", jobInfo: { queue: "sqlite", verdict: "bury" } });
  });

  once("is the last line on stderr with --json", async () => {
    await using place = new Place(form);
    const done = await place.reeve("run", "--json", ...sh("printf out; printf error >&2; exit 3"));
    expect(done).toMatchObject({ code: 3, stdout: "out" });
    const [first, second = "", ...rest] = done.stderr.split("\n");
    expect([first, rest]).toEqual(["error", [""]]);
    expect(JSON.parse(second)).toMatchObject({ phase: "ERROR", jobInfo: { exitCode: 3 } });
  });

  test("is no worker's: none takes it, none waits for it, and none that is there counts as one", async () => {
    await using place = new Place(form);
    const running = place.start([
      "run",
      ...sh("echo began > began; while [ ! -e go ]; do sleep 0.02; done; echo $REEVE_ATTEMPT"),
    ]);
    await place.file("began");
    const { jobId } = await theJob(place);
    expect((await place.reeve("submit", "--", "true")).stderr).toContain("no worker is running");
    expect(await place.reeve("work", "--drain")).toMatchObject({ code: 0 });
    expect(await place.phase(jobId)).toBe("EXECUTING");
    place.write("go", "");
    expect(await running.ended).toMatchObject({ code: 0, stdout: "1\n" });
    const { jobInfo } = await place.show(jobId);
    expect(jobInfo.attempts).toMatchObject([{ number: 1, exitCode: 0 }]);
  });

  test("of one that was killed is ERROR when a worker comes, which ends its tree first and never runs it", async () => {
    await using place = new Place(form);
    const script =
      'trap "" TERM; echo $REEVE_ATTEMPT >> began; setsid env -i sleep 1000 & echo said; echo $! $$ > pids; while :; do sleep 0.02; done';
    const running = place.start(["run", "--grace", "200ms", ...sh(script)]);
    const pids = (await place.file("pids")).trim().split(" ").map(Number);
    running.signal("SIGKILL");
    await running.ended;
    expect(pids.map(isLiving)).toEqual([true, true]);
    expect(await place.drain()).toMatchObject({ code: 0 });
    expect(pids.map(isLiving)).toEqual([false, false]);
    expect(place.lines("began")).toEqual(["1"]);
    const job = await theJob(place);
    expect(job).toMatchObject({ phase: "ERROR", jobInfo: { attempts: [{ ending: "lost" }] } });
    expect(await place.ok("logs", job.jobId)).toBe("said\n");
  });

  test("of one that was killed is put in order by the next command, too; a worker's jobs are left to workers", async () => {
    await using place = new Place(form);
    const running = place.start(["run", ...sleeping("run")]);
    const pids = [Number(await place.file("run"))];
    const queued = await place.submit(...sleeping("worker"));
    const worker = await place.worker();
    pids.push(Number(await place.file("worker")));
    for (const one of [running, worker]) {
      one.signal("SIGKILL");
      await one.ended;
    }
    expect(await place.ok("run", "--", "echo", "next")).toBe("next\n");
    expect(pids.map(isLiving)).toEqual([false, true]);
    const jobs = await place.list();
    expect(jobs.map(({ phase }) => phase)).toEqual(["COMPLETED", "EXECUTING", "ERROR"]);
    expect(jobs[1]?.jobId).toBe(queued);
  });

  once("is forgotten when its time has come, where nothing but `run` is ever started", async () => {
    await using place = new Place(form);
    await place.ok("run", ...sh("seq 10000"));
    const { jobId } = await theJob(place);
    const database = new Database(`${place.store}/reeve.db`);
    database.run("UPDATE jobs SET destruction = 1");
    database.close();
    await place.ok("run", "--", "true");
    expect((await theJob(place)).jobId).not.toBe(jobId);
    expect(existsSync(`${place.store}/jobs/${jobId.slice(0, 2)}/${jobId}`)).toBe(false);
  });

  test("leaves nothing behind but itself", async () => {
    await using place = new Place(form);
    await place.ok("run", ...sh("setsid env -i sleep 1000 <&- >&- 2>&- 3>&- &"));
    expect(place.processes()).toEqual([]);
    expect(await place.startProgram(["ls", `${place.store}/workers`]).ended).toMatchObject({ stdout: "" });
  });
});
