import { expect, test } from "bun:test";
import { eventually, stays } from "../support/eventually.ts";
import { fill, smallDisk } from "../support/filesystems.ts";
import { forEachForm } from "./forms.ts";
import { Place, sh } from "./place.ts";

forEachForm("a store whose disk is full", (form) => {
  test("refuses a submit with one sentence and no id, and loses nothing", async () => {
    using disk = smallDisk("4m");
    await using place = new Place(form, disk.of("store"));
    const first = await place.submit("--", "true");
    place.write("body", new Uint8Array(300_000));
    const makeRoom = fill(disk.path);
    const refused = await place.reeve("submit", "--body-file", "body", "--", "true");
    expect(refused).toMatchObject({ code: 69, stdout: "" });
    expect(refused.stderr).toMatch(
      /^reeve: the disk of the store .* is full; nothing was recorded\n {2}make room, then try again\n$/,
    );
    makeRoom();
    expect((await place.list()).map(({ jobId }) => jobId)).toEqual([first]);
    const second = await place.submit("--body-file", "body", "--", "true");
    expect((await place.list()).map(({ jobId }) => jobId)).toEqual([second, first]);
    expect(await place.drain()).toMatchObject({ code: 0 });
  });

  test("is an error also where there is no room for a new one", async () => {
    using disk = smallDisk("1m");
    await using place = new Place(form, disk.of("store"));
    fill(disk.path);
    const refused = await place.reeve("submit", "--", "true");
    expect(refused).toMatchObject({ code: 69, stdout: "" });
    expect(refused.stderr).toMatch(/^reeve: .*\n( {2}.*\n)?$/);
    expect(refused.stderr).not.toContain("bug");
  });

  test("keeps a worker from claiming, which says so, forgets no ending and goes on when there is room", async () => {
    using disk = smallDisk("4m");
    await using place = new Place(form, disk.of("store"));
    const command = sh('echo "$REEVE_JOB_ID" >> ran; while [ ! -e go ]; do sleep 0.02; done').slice(1);
    const ids = await place.submitBatch(Array.from({ length: 24 }, () => ({ command })));
    const worker = await place.worker(["--concurrency", "4"]);
    await eventually("four run", () => place.lines("ran").length === 4);
    const makeRoom = fill(disk.path);
    place.write("go", "");
    await eventually("it reports trouble", () => worker.log().find(({ event }) => event === "trouble"));
    const { length: started } = place.lines("ran");
    await stays("nothing more is claimed", () => place.lines("ran").length === started, 1500);
    // Nothing is said to be done that has not been run.
    const done = await place.list("--phase", "COMPLETED");
    expect(done.length).toBeLessThanOrEqual(started);
    expect(await place.list()).toHaveLength(ids.length);

    makeRoom();
    expect(await place.reeve("wait", ...ids)).toMatchObject({ code: 0 });
    expect(worker.log().map(({ event }) => event)).toContain("healed");
    expect(place.lines("ran").toSorted()).toEqual(ids.toSorted());
    const attempts = (await place.list()).map(({ jobInfo }) => jobInfo.attempts.length);
    expect(attempts).toEqual(ids.map(() => 1));
    worker.signal("SIGTERM");
    expect((await worker.ended).signal).toBe("SIGTERM");
  });

  test("can be stopped while it is full, and the next worker loses nothing", async () => {
    using disk = smallDisk("4m");
    await using place = new Place(form, disk.of("store"));
    place.write("reeve.toml", '[worker]\nstop_budget = "4s"\n');
    const id = await place.submit(...sh('echo "$REEVE_ATTEMPT" >> ran; while [ ! -e go ]; do sleep 0.02; done'));
    const worker = await place.worker();
    await place.file("ran");
    const makeRoom = fill(disk.path);
    place.write("go", "");
    await eventually("it reports trouble", () => worker.log().find(({ event }) => event === "trouble"));
    worker.signal("SIGTERM");
    expect((await worker.ended).signal).toBe("SIGTERM");
    makeRoom();
    await place.drain();
    expect(await place.show(id)).toMatchObject({ phase: "COMPLETED", jobInfo: { failures: 0 } });
  });
});
