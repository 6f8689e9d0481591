import { expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { existsSync, readdirSync } from "node:fs";
import { eventually } from "../support/eventually.ts";
import { isLiving } from "../support/processes.ts";
import { forEachForm } from "./forms.ts";
import { Place, sh } from "./place.ts";

forEachForm("limits", (form) => {
  test("a timeout is TERM, the grace, KILL; the cause is kept, and wait exits with 124", async () => {
    await using place = new Place(form);
    const stubborn = sh('trap "date +%s%3N" TERM; date +%s%3N; while :; do sleep 0.02; done');
    const id = await place.submit("--timeout", "300ms", "--grace", "500ms", ...stubborn);
    expect(await place.drain()).toMatchObject({ code: 1 });

    const [began = 0, told = 0, ...more] = (await place.ok("logs", id)).match(/\d{13}/g)?.map(Number) ?? [];
    expect(more).toEqual([]);
    expect(told - began).toBeGreaterThanOrEqual(200);
    const job = await place.show(id);
    const [attempt] = job.jobInfo.attempts;
    expect(attempt).toMatchObject({ cause: "timeout", signal: "SIGKILL", exitCode: null, ending: "signalled" });
    expect(Date.parse(attempt?.endTime ?? "") - told).toBeGreaterThanOrEqual(400);
    expect(job).toMatchObject({ phase: "ERROR", errorSummary: { cause: "timeout" } });
    expect(await place.reeve("wait", id)).toMatchObject({ code: 124 });
    expect(place.processes()).toEqual([]);
  });

  test("a job that obeys its timeout is a failure by that cause all the same, and may be tried again", async () => {
    await using place = new Place(form);
    const script = 'test "$REEVE_ATTEMPT" = 2 && exit 0; trap "exit 0" TERM; while :; do sleep 0.02; done';
    place.write(
      "reeve.toml",
      `[jobs.slow]\ncommand = ["sh", "-c", ${JSON.stringify(script)}]\ntimeout = "200ms"\nmax_attempts = 2\nbackoff = "1ms"\n`,
    );
    const id = await place.submit("slow");
    expect(await place.drain()).toMatchObject({ code: 0 });
    const { phase, jobInfo } = await place.show(id);
    expect({ phase, failures: jobInfo.failures }).toEqual({ phase: "COMPLETED", failures: 1 });
    expect(jobInfo.attempts.map(({ cause, exitCode }) => [cause, exitCode])).toEqual([
      ["timeout", 0],
      [null, 0],
    ]);
  });

  test("an execution duration that is overrun aborts the job for good", async () => {
    await using place = new Place(form);
    const id = await place.submit("--execution-duration", "1s", "--max-attempts", "3", ...sh("exec sleep 1000"));
    expect(await place.drain()).toMatchObject({ code: 1 });
    const job = await place.show(id);
    expect(job).toMatchObject({ phase: "ABORTED", executionDuration: 1, errorSummary: { cause: "overrun" } });
    expect(job.jobInfo.attempts).toMatchObject([{ cause: "overrun", signal: "SIGTERM" }]);
    expect(await place.reeve("wait", id)).toMatchObject({ code: 124 });
    expect(place.processes()).toEqual([]);
  });

  test("an abort ends the whole tree, whatever sessions and signals it has made its own", async () => {
    await using place = new Place(form);
    const script = `trap "" TERM HUP INT
      sleep 1000 & echo $! >> pids
      setsid sh -c 'trap "" TERM; echo $$ >> pids; sleep 1000; sleep 1000' &
      setsid env -i sleep 1000 & echo $! >> pids
      (exec 1>&- 2>&- 3>&-; exec setsid sleep 1000) & echo $! >> pids
      echo $$ >> pids; wait; sleep 1000`;
    const id = await place.submit("--grace", "200ms", ...sh(script));
    await place.worker();
    const pids = await eventually("five are there", () => {
      const lines = place.lines("pids").map(Number);
      return lines.length === 5 && lines;
    });
    expect(await place.ok("abort", id)).toBe(`${id}\n`);
    expect(pids.filter(isLiving)).toEqual([]);
    expect(place.jobProcesses()).toEqual([]);
    expect(await place.show(id)).toMatchObject({ phase: "ABORTED", jobInfo: { signal: "SIGKILL" } });
  });

  test("what a job leaves in the background is ended before it is final", async () => {
    await using place = new Place(form);
    const script =
      "sleep 1000 & setsid sleep 1000 & setsid env -i sleep 1000 & (sleep 1000 >&- 2>&- 3>&- &); echo done";
    const id = await place.submit(...sh(script));
    const worker = await place.worker();
    expect(await place.reeve("wait", id)).toMatchObject({ code: 0 });
    expect(place.processes().filter((pid) => pid !== worker.pid)).toEqual([]);
    expect(await place.ok("logs", id)).toBe("done\n");
    expect(await place.phase(id)).toBe("COMPLETED");
  });

  test("processor time and peak memory are recorded, or said to be unknown", async () => {
    await using place = new Place(form);
    const id = await place.submit("--", "awk", "BEGIN { for (i = 0; i < 2000000; i++) x += i }");
    await place.drain();
    const [attempt] = (await place.show(id)).jobInfo.attempts;
    if (form.lacks.has("child's resources")) expect(attempt).toMatchObject({ cpuUser: null, peakMemory: null });
    else expect(attempt?.cpuUser).toBeWithin(0.01, 30);
  });
});

/** What a client will be able to ask for; the command line has no word for it. */
function setDestruction(place: Place, id: string, at: number): void {
  const database = new Database(`${place.store}/reeve.db`);
  database.run("UPDATE jobs SET destruction = ?, destruction_kept = 1 WHERE id = ?", [at, id]);
  database.close();
}

forEachForm("destruction", (form) => {
  test("an ended job goes with its files, a running one is ended first, others stay", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", '[worker]\nrecovery_interval = "100ms"\n');
    const ended = await place.submit(
      ...sh('head -c 50000 /dev/zero > "$REEVE_RESULTS/big"; touch "$REEVE_WORKDIR/kept"'),
    );
    const other = await place.submit("--", "true");
    await place.drain();
    const files = `${place.store}/jobs/${ended.slice(0, 2)}/${ended}`;
    expect(readdirSync(files)).not.toEqual([]);
    const running = await place.submit(...sh("sleep 1000 & echo $$ > pid; wait"));
    const worker = await place.worker();
    await place.file("pid");
    const tree = place.jobProcesses();
    expect(tree.length).toBeGreaterThanOrEqual(2);

    for (const id of [ended, running]) setDestruction(place, id, Date.now() - 1);
    await eventually("both are forgotten", async () => (await place.list()).length === 1);
    expect(tree.filter(isLiving)).toEqual([]);
    expect((await place.list()).map(({ jobId }) => jobId)).toEqual([other]);
    await eventually("the files are gone", () => !existsSync(files));
    expect(await place.reeve("show", ended)).toMatchObject({ code: 3 });
    const phases = worker
      .log()
      .flatMap(({ event, job, phase }) => (event === "job ended" && job === running ? [phase] : []));
    expect(phases).toEqual(["ABORTED"]);
  });

  test("a queued job that is due is not run any more", async () => {
    await using place = new Place(form);
    const id = await place.submit(...sh("touch ran"));
    setDestruction(place, id, Date.now() - 1);
    expect(await place.drain()).toMatchObject({ code: 0 });
    expect(await place.reeve("show", id)).toMatchObject({ code: 3 });
    expect(readdirSync(place.of())).toEqual([]);
  });
});
