import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { eventually, stays } from "../support/eventually.ts";
import { isLiving } from "../support/processes.ts";
import { forEachForm } from "./forms.ts";
import { Place, sh, type Done } from "./place.ts";

/** A tree of three: the main process, a child, and one in a session of its own. */
const TREE = sh("sleep 1000 & setsid sleep 1000 & echo $$ >> began; wait");
/** It does not obey. */
const STUBBORN = sh('trap "echo said >> told" TERM; echo $$ >> began; while :; do sleep 0.05; done');

forEachForm("a signal to the worker", (form) => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGABRT"] as const) {
    test(`${signal}: the job is put back, its tree is gone, and the worker dies by it`, async () => {
      await using place = new Place(form);
      const id = await place.submit(...TREE);
      const worker = await place.worker();
      await eventually("the tree is there", () => place.jobProcesses().length >= 3 && place.read("began") !== "");
      worker.signal(signal);
      expect(await worker.ended).toMatchObject({ code: null, signal });
      expect(place.processes()).toEqual([]);
      const { phase, jobInfo, errorSummary } = await place.show(id);
      expect({ phase, failures: jobInfo.failures, lost: jobInfo.lost }).toEqual({
        phase: "QUEUED",
        failures: 0,
        lost: 0,
      });
      expect(jobInfo.attempts).toMatchObject([{ cause: "stop", signal: "SIGTERM", verdict: "release" }]);
      expect(errorSummary?.cause).toBe("stop");
      expect(readdirSync(`${place.store}/workers`)).toEqual([]);
    });
  }

  test("while nothing runs ends it at once", async () => {
    await using place = new Place(form);
    const worker = await place.worker();
    const before = performance.now();
    worker.signal("SIGTERM");
    expect((await worker.ended).signal).toBe("SIGTERM");
    expect(performance.now() - before).toBeLessThan(1500);
  });

  test("a hang-up is nothing to one that was started by nohup", async () => {
    await using place = new Place(form);
    const worker = await place.worker([], { under: ["nohup"] });
    worker.signal("SIGHUP");
    const id = await place.submit(...sh("grep SigIgn /proc/self/status"));
    expect(await place.reeve("wait", id)).toMatchObject({ code: 0 });
    // A job's signals have their default actions.
    if (!form.lacks.has("ignored signals")) expect(await place.ok("logs", id)).toMatch(/^SigIgn:\s*0+\n$/);
    worker.signal("SIGTERM");
    expect((await worker.ended).signal).toBe("SIGTERM");
  });

  test("SIGUSR1 lets what runs come to its end, and takes no more", async () => {
    await using place = new Place(form);
    const [running = "", queued = ""] = await place.submitBatch([
      { command: sh("touch began; while [ ! -e go ]; do sleep 0.02; done").slice(1) },
      { command: ["true"] },
    ]);
    const worker = await place.worker(["--concurrency", "1"]);
    await eventually("it runs", () => readdirSync(place.of()).includes("began"));
    worker.signal("SIGUSR1");
    await worker.says('"worker stopping"');
    place.write("go", "");
    expect(await worker.ended).toMatchObject({ code: 0, signal: null });
    expect([await place.phase(running), await place.phase(queued)]).toEqual(["COMPLETED", "QUEUED"]);
  });

  test("a second one within 2 s is the same stop, a later one ends everything now", async () => {
    await using place = new Place(form);
    const id = await place.submit("--grace", "20s", ...STUBBORN);
    const worker = await place.worker();
    const pid = Number(await place.file("began"));
    worker.signal("SIGINT");
    const asked = performance.now();
    await place.file("told");
    worker.signal("SIGTERM");
    await stays("it has its grace", () => isLiving(pid), asked + 2100 - performance.now());
    worker.signal("SIGTERM");
    const later = performance.now();
    expect((await worker.ended).signal).toBe("SIGINT");
    expect(performance.now() - later).toBeLessThan(2500);
    expect(place.processes()).toEqual([]);
    const { phase, jobInfo } = await place.show(id);
    expect({ phase, attempts: jobInfo.attempts }).toMatchObject({
      phase: "QUEUED",
      attempts: [{ cause: "stop", signal: "SIGKILL" }],
    });
    expect(place.lines("told")).toEqual(["said"]);
  });

  test("the stop budget cuts a long grace short", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", '[worker]\nstop_budget = "3s"\n');
    const id = await place.submit("--grace", "1h", ...STUBBORN);
    const worker = await place.worker();
    await place.file("began");
    const before = performance.now();
    worker.signal("SIGTERM");
    expect((await worker.ended).signal).toBe("SIGTERM");
    expect(performance.now() - before).toBeWithin(900, 3500);
    expect(await place.phase(id)).toBe("QUEUED");
    expect(place.processes()).toEqual([]);
  });

  test("what is sent to worker and job at once is a stop, not the job's failure", async () => {
    await using place = new Place(form);
    const id = await place.submit(...sh("echo $$ > began; exec sleep 1000"));
    const worker = await place.worker();
    const pid = Number(await place.file("began"));
    process.kill(pid, "SIGTERM");
    await eventually("the job is gone", () => !isLiving(pid));
    worker.signal("SIGTERM");
    expect((await worker.ended).signal).toBe("SIGTERM");
    expect(await place.show(id)).toMatchObject({ phase: "QUEUED", jobInfo: { failures: 0 } });
  });

  test("--max-time takes no more after it, and puts back what runs", async () => {
    await using place = new Place(form);
    const id = await place.submit(...TREE);
    const before = performance.now();
    const done: Done = await place.reeve("work", "--max-time", "500ms");
    expect(done).toMatchObject({ code: 0, signal: null });
    expect(performance.now() - before).toBeLessThan(4000);
    expect(await place.show(id)).toMatchObject({ phase: "QUEUED", jobInfo: { failures: 0 } });
    expect(place.processes()).toEqual([]);
  });
});
