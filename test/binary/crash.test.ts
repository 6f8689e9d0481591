import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import type { JobDocument } from "../../src/uws/document.ts";
import { eventually } from "../support/eventually.ts";
import { isLiving } from "../support/processes.ts";
import { ALONE } from "./alone.ts";
import { forEachForm, scaled } from "./forms.ts";
import { Place, sh, type Running } from "./place.ts";

async function killed(worker: Running): Promise<void> {
  worker.signal("SIGKILL");
  expect((await worker.ended).signal).toBe("SIGKILL");
}

forEachForm("a worker that dies or stands still", (form) => {
  const jobs = scaled(form, 200, 40);

  test(`kill -9 twice in the middle of ${jobs} jobs: the next worker finishes them, none is lost or beside itself`, async () => {
    await using place = new Place(form);
    const command = sh(`${ALONE}; sleep 0.03; echo "$REEVE_JOB_ID" >> ran`).slice(1);
    const ids = await place.submitBatch(Array.from({ length: jobs }, () => ({ command })));
    const orphans: number[] = [];
    for (const share of [0.2, 0.5]) {
      const worker = await place.worker(["--concurrency", "4"]);
      await eventually("many have run", () => place.lines("ran").length >= jobs * share, 60_000);
      await killed(worker);
      orphans.push(...place.jobProcesses());
    }
    expect(await place.drain("--concurrency", "4")).toMatchObject({ code: 0 });

    expect(place.read("twice")).toBe("");
    const ran = place.lines("ran");
    expect([...new Set(ran)].toSorted()).toEqual(ids.toSorted());
    const all = await place.list();
    expect(all.map(({ phase }) => phase)).toEqual(ids.map(() => "COMPLETED"));
    // What ran to its last line more than once was cut off after it.
    const again = new Set(all.filter(({ jobInfo }) => jobInfo.attempts.length > 1).map(({ jobId }) => jobId));
    expect(ran.filter((id, index) => ran.indexOf(id) !== index && !again.has(id))).toEqual([]);
    expect(again.size).toBeWithin(1, 9);
    const lost = all.flatMap(({ jobInfo }) => jobInfo.attempts).filter(({ ending }) => ending === "lost");
    expect(lost).toHaveLength(all.reduce((sum, { jobInfo }) => sum + jobInfo.lost, 0));
    expect(orphans.filter((pid) => isLiving(pid) && place.processes().includes(pid))).toEqual([]);
    expect(place.processes()).toEqual([]);
    expect(readdirSync(`${place.store}/workers`)).toEqual([]);
  });

  test("orphans of a killed worker, of whatever session, are gone before their job runs again", async () => {
    await using place = new Place(form);
    const id = await place.submit(
      "--grace",
      "300ms",
      ...sh(`${ALONE}; echo "$REEVE_ATTEMPT" >> began
      if [ "$REEVE_ATTEMPT" = 1 ]; then trap "" TERM; setsid env -i sleep 1000 & echo $! $$ > pids; wait; sleep 1000; fi`),
    );
    const worker = await place.worker();
    const pids = (await place.file("pids")).trim().split(" ").map(Number);
    await killed(worker);
    expect(pids.map(isLiving)).toEqual([true, true]);
    const next = place.drain();
    await eventually("it is run again", () => place.lines("began").length === 2);
    expect(pids.filter(isLiving)).toEqual([]);
    expect(await next).toMatchObject({ code: 0 });
    expect(place.read("twice")).toBe("");
    expect(await place.show(id)).toMatchObject({ phase: "COMPLETED", jobInfo: { lost: 1, failures: 0 } });
  });

  test("a job that is lost again and again is given up", async () => {
    await using place = new Place(form);
    const id = await place.submit("--max-lost", "2", ...sh("echo said; touch began.$REEVE_ATTEMPT; exec sleep 1000"));
    for (const attempt of [1, 2]) {
      const worker = await place.worker();
      await eventually("it runs", () => readdirSync(place.of()).includes(`began.${attempt}`));
      await killed(worker);
    }
    await place.drain();
    const job = await place.show(id);
    expect(job).toMatchObject({ phase: "ERROR", jobInfo: { lost: 2 } });
    expect(job.jobInfo.attempts.map(({ ending }) => ending)).toEqual(["lost", "lost"]);
    expect(await place.ok("logs", id)).toBe("said\n");
    expect(place.processes()).toEqual([]);
  });

  test("an abort that was asked of a worker which then died is carried out by the next", async () => {
    await using place = new Place(form);
    const id = await place.submit(...sh("touch began; exec sleep 1000"));
    const worker = await place.worker();
    await eventually("it runs", () => readdirSync(place.of()).includes("began"));
    await killed(worker);
    expect(await place.reeve("abort", id)).toMatchObject({
      code: 69,
      stderr: expect.stringContaining("its worker is gone"),
    });
    await place.drain();
    expect(await place.phase(id)).toBe("ABORTED");
    expect(place.processes()).toEqual([]);
  });

  test("a worker that is stopped keeps its jobs through several recovery passes, and finishes them afterwards", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", '[worker]\nrecovery_interval = "50ms"\n');
    const wait = "echo $$ > pid.$1; while [ ! -e go.$1 ]; do sleep 0.02; done; echo $1 >> ran";
    const submit = (name: string): Promise<string> => place.submit("--max-lost", "1", ...sh(wait, name));
    const one = ["--concurrency", "1"];

    const ofStopped = await submit("stopped");
    const stopped = await place.worker(one);
    const pid = Number(await place.file("pid.stopped"));
    stopped.signal("SIGSTOP");
    // Has the only place of the worker that looks.
    const ofLooking = await submit("looking");
    const looking = await place.worker(one);
    await place.file("pid.looking");

    for (const round of [1, 2, 3]) {
      // That another one's job is taken from it shows that there was a pass.
      const ofDead = await submit(`dead${round}`);
      const dead = await place.worker(one);
      await place.file(`pid.dead${round}`);
      await killed(dead);
      await eventually("the dead one's job is seen to", async () => (await place.phase(ofDead)) === "ERROR");
    }
    const job: JobDocument = await place.show(ofStopped);
    expect(job).toMatchObject({ phase: "EXECUTING", jobInfo: { lost: 0, worker: stopped.log()[0]?.worker } });
    expect(isLiving(pid)).toBe(true);

    stopped.signal("SIGCONT");
    for (const name of ["stopped", "looking"]) place.write(`go.${name}`, "");
    expect(await place.reeve("wait", ofStopped, ofLooking)).toMatchObject({ code: 0 });
    expect((await place.show(ofStopped)).jobInfo.attempts).toMatchObject([{ worker: job.jobInfo.worker, exitCode: 0 }]);
    expect(place.lines("ran").toSorted()).toEqual(["looking", "stopped"]);
    looking.signal("SIGTERM");
    await looking.ended;
  });
});
