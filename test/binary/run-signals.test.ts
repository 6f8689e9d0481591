import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { eventually, stays, within } from "../support/eventually.ts";
import { idsOf, isLiving, procText, stateOf } from "../support/processes.ts";
import { only } from "../support/temporary.ts";
import { COMPILED, forEachForm, testWhere } from "./forms.ts";
import { Place, sh, type Running } from "./place.ts";

const OWN_NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc"];
const STOPS = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGABRT"] as const;

/**
 * A command whose two children write down each of these signals, and go on; a third one is in another session. The two
 * are no background jobs of the shell, which would have them ignore some.
 */
function listening(signals: readonly NodeJS.Signals[]): string[] {
  const names = signals.map((signal) => signal.slice(3));
  const child = (who: string): string => {
    const traps = names.map((name) => `trap "echo ${who} ${name} >> told" ${name};`);
    return `{ ${traps.join(" ")} echo >> there; while [ ! -e go ]; do sleep 0.02; done; exit 5; }`;
  };
  return sh(`setsid sleep 1000 & trap : ${names.join(" ")}; ${child("one")} | ${child("other")}`);
}

const bothThere = (place: Place) => eventually("both are there", () => place.read("there").length === 2);
const told = (place: Place): string[] => place.lines("told").toSorted();
const theJob = async (place: Place) => only(await place.list());

forEachForm("a signal to `run`", (form) => {
  /** What depends on no runtime. */
  const once = testWhere(form === COMPILED);

  test.each(form === COMPILED ? [...STOPS] : ["SIGINT" as const])(
    "%s is passed on to the tree as it is, and begins its stop; we end by it",
    async (signal) => {
      await using place = new Place(form);
      const running = place.start(["run", "--grace", "300ms", ...listening([signal])]);
      await bothThere(place);
      running.signal(signal);
      const name = signal.slice(3);
      await eventually("both have heard it", () => told(place).join() === `one ${name},other ${name}`);
      expect(await running.ended).toMatchObject({ code: null, signal, stdout: "" });
      expect(running.stderr()).not.toContain("reeve:");
      expect(place.processes()).toEqual([]);
      expect(await theJob(place)).toMatchObject({
        phase: "ABORTED",
        errorSummary: { cause: "stop" },
        jobInfo: { attempts: [{ cause: "stop", signal: "SIGKILL" }] },
      });
    },
  );

  test("USR1, USR2 and WINCH are passed on and end nothing; TSTP does not make it stand still", async () => {
    await using place = new Place(form);
    const signals = ["SIGUSR1", "SIGUSR2", "SIGWINCH"] as const;
    const running = place.start(["run", ...listening(signals)]);
    await bothThere(place);
    for (const signal of signals) {
      running.signal(signal);
      await eventually(
        "both have heard it",
        () => told(place).filter((line) => line.endsWith(signal.slice(3))).length === 2,
      );
    }
    running.signal("SIGTSTP");
    await stays("it goes on", () => stateOf(running.pid) !== "T", 100);
    place.write("go", "");
    expect(await running.ended).toMatchObject({ code: 5, signal: null });
    expect(told(place)).toHaveLength(6);
  });

  once("reaches a command in a pid namespace of its own, and nothing that stands between", async () => {
    await using place = new Place(form);
    const running = place.start(["run", "--isolate", "pid", ...listening(["SIGUSR1", "SIGTERM"])]);
    await bothThere(place);
    running.signal("SIGUSR1");
    await eventually("both have heard it", () => told(place).join() === "one USR1,other USR1");
    place.write("go", "");
    expect(await running.ended).toMatchObject({ code: 5, signal: null });
  });

  test("ends us by itself, also when the command then exits by its own will", async () => {
    await using place = new Place(form);
    const running = place.start([
      "run",
      ...sh('trap "echo bye; exit 0" TERM; echo > there; while :; do sleep 0.02; done'),
    ]);
    await place.file("there");
    running.signal("SIGTERM");
    expect(await running.ended).toMatchObject({ code: null, signal: "SIGTERM", stdout: "bye\n" });
    expect(await theJob(place)).toMatchObject({ phase: "ABORTED", jobInfo: { exitCode: 0 } });
  });

  once("that comes again is passed on again; after 2 s it ends everything at once, whatever the grace", async () => {
    await using place = new Place(form);
    const running = place.start(["run", "--grace", "1h", ...listening(["SIGINT", "SIGTERM"])]);
    await bothThere(place);
    running.signal("SIGINT");
    const asked = performance.now();
    await eventually("both have heard it", () => told(place).length === 2);
    // On a machine that is too busy it is a later one by now.
    if (performance.now() - asked < 1500) {
      running.signal("SIGTERM");
      await eventually("both have heard both", () => told(place).length === 4);
      await stays("it has its grace", () => place.processes().length > 3, asked + 2100 - performance.now());
    }
    await eventually("it is a later one", () => performance.now() - asked > 2000);
    running.signal("SIGTERM");
    expect(await within("it ends", running.ended)).toMatchObject({ signal: "SIGINT" });
    expect(place.processes()).toEqual([]);
  });

  test("that was ignored at the start stays so, and a hang-up under nohup ends nothing", async () => {
    await using place = new Place(form);
    const running = place.start(["run", ...listening(["SIGHUP"])], { under: ["nohup"] });
    await bothThere(place);
    running.signal("SIGHUP");
    running.signal("SIGUSR2");
    expect(told(place)).toEqual([]);
    await eventually("USR2 has ended it", () => !isLiving(running.pid));
    expect(await running.ended).toMatchObject({ code: null, signal: "SIGUSR2" });
  });

  test("to a command that is gone while its output still waits for a reader ends us at once", async () => {
    await using place = new Place(form);
    const script = '{ "$@"; echo "exit code $?" >&2; } | { read line; while [ ! -e go ]; do sleep 0.02; done; }';
    const running = place.startProgram([
      "sh",
      "-c",
      script,
      "sh",
      ...form.argv,
      "run",
      ...sh("seq 1000000; echo $PPID > parent"),
    ]);
    const pid = Number(await place.file("parent"));
    await eventually("its end is recorded", async () => (await theJob(place)).phase === "COMPLETED");
    expect(isLiving(pid)).toBe(true);
    process.kill(pid, "SIGTERM");
    await eventually("it is gone", () => !isLiving(pid));
    place.write("go", "");
    expect((await running.ended).stderr).toContain("exit code 143");
  });

  test("has the exit handler run, as for a worker", async () => {
    await using place = new Place(form);
    const handler = ["sh", "-c", 'echo "$REEVE_CAUSE" >> handled'].flatMap((word) => ["--exit-handler", word]);
    const running = place.start(["run", ...handler, ...listening(["SIGTERM"])]);
    await bothThere(place);
    running.signal("SIGTERM");
    expect(await running.ended).toMatchObject({ code: null, signal: "SIGTERM" });
    expect(place.lines("handled")).toEqual(["stop"]);
    expect(place.processes()).toEqual([]);
    expect((await place.reeve("run", "--timeout", "100ms", ...handler, "--", "sleep", "1000")).code).toBe(124);
    expect(place.lines("handled")).toEqual(["stop", "timeout"]);
  });

  once("that cuts the exit handler short leaves it owed: a worker pays, and runs nothing else", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", '[worker]\nstop_budget = "3s"\n');
    const script = 'echo "$REEVE_CAUSE" >> handled; while [ ! -e quick ]; do sleep 0.02; done';
    const handler = ["sh", "-c", script].flatMap((word) => ["--exit-handler", word]);
    const running = place.start(["run", ...handler, ...listening(["SIGTERM"])]);
    await bothThere(place);
    running.signal("SIGTERM");
    expect(await running.ended).toMatchObject({ code: null, signal: "SIGTERM" });
    expect(place.processes()).toEqual([]);
    const { length: tries } = place.lines("handled");
    place.write("quick", "");
    await place.drain();
    expect(place.lines("handled").slice(tries)).toEqual(["stop"]);
    expect(place.read("there").length).toBe(2);
    expect(await theJob(place)).toMatchObject({ phase: "ABORTED", jobInfo: { queue: null, buried: null } });
  });
});

/** `run` itself, as it is seen from outside of its namespace. */
async function inside(place: Place, { pid }: Running): Promise<number> {
  const isIt = (one: number): boolean =>
    idsOf(one)?.parent === pid && procText(one, "cmdline")?.includes("\0run\0") === true;
  return eventually("it is there", () => place.processes().find(isIt));
}

forEachForm("`run` as process 1", (form) => {
  test("exits with what stands for a signal: the command's, or its own", async () => {
    await using place = new Place(form);
    const died = place.run(["run", ...sh("kill -SEGV $$")], { under: OWN_NAMESPACE });
    const running = place.start(["run", ...listening(["SIGINT"])], { under: OWN_NAMESPACE });
    await bothThere(place);
    process.kill(await inside(place, running), "SIGTERM");
    expect(await running.ended).toMatchObject({ code: 143, signal: null });
    expect(await died).toMatchObject({ code: 139, signal: null });
    expect(await place.run(["run", ...sh("exit 9")], { under: OWN_NAMESPACE })).toMatchObject({ code: 9 });
    expect(place.processes()).toEqual([]);
  });

  test("reaps what the command has left to it", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", '[worker]\nrecovery_interval = "50ms"\n');
    const orphans = "for i in 1 2 3; do ( sleep 0.01 & ); done; echo > there; while [ ! -e go ]; do sleep 0.02; done";
    const running = place.start(["run", ...sh(orphans)], { under: OWN_NAMESPACE });
    await place.file("there");
    const pid = await inside(place, running);
    const children = (): string => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    await eventually("only the command is left", () => children().split(" ").length === 1);
    place.write("go", "");
    expect(await running.ended).toMatchObject({ code: 0 });
  });
});
