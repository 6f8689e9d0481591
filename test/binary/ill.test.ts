import { expect, test } from "bun:test";
import { chmodSync, cpSync, existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { eventually, within } from "../support/eventually.ts";
import { unchangeable } from "../support/filesystems.ts";
import { descriptorsOf } from "../support/processes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { ALONE } from "./alone.ts";
import { forEachForm } from "./forms.ts";
import { Place, sh, type Running } from "./place.ts";

const WAITS = `${ALONE}; echo began >> began; while [ ! -e go ]; do sleep 0.02; done; echo ran >> ran`;

async function gaveUp(worker: Running, sentence: RegExp): Promise<void> {
  const done = await within("the worker gives up", worker.ended);
  expect(done).toMatchObject({ code: 69, signal: null });
  expect(done.stderr).toMatch(sentence);
}

forEachForm("a worker whose store", (form) => {
  test("cannot be written any more ends its jobs and itself; the next one loses nothing", async () => {
    await using place = new Place(form);
    const ids = [await place.submit(...sh(WAITS)), await place.submit(...sh(`${WAITS}; sleep 1; [ -e well ]`))];
    const worker = await place.worker(["--concurrency", "2"]);
    await eventually("both run", () => place.lines("began").length === 2);
    {
      using _ = unchangeable(`${place.store}/reeve.db-wal`);
      place.write("go", "");
      await gaveUp(worker, /^reeve: the store .* (?:cannot be written|does not work)/m);
      expect(place.processes()).toEqual([]);
    }
    place.write("well", "");
    expect(await place.drain()).toMatchObject({ code: 0 });
    expect(place.read("twice")).toBe("");
    const ends = await Promise.all(ids.map((id) => place.show(id)));
    // What had ended, and could not be recorded, is lost as well.
    expect(ends.map(({ phase, jobInfo }) => [phase, jobInfo.lost])).toEqual([
      ["COMPLETED", 1],
      ["COMPLETED", 1],
    ]);
  });

  test("is put back from a copy does not start what others will start from that", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", '[worker]\nrecovery_interval = "1h"\n');
    const worker = await place.worker();
    const id = await place.submit("--delay", "1s", ...sh("echo ran >> ran"));
    for (const end of ["", "-wal", "-shm"]) renameSync(`${place.store}/reeve.db${end}`, place.of(`lost${end}`));
    for (const end of ["", "-wal"]) cpSync(place.of(`lost${end}`), `${place.store}/reeve.db${end}`);
    await gaveUp(worker, /^reeve: the store .* was replaced or removed/m);
    expect(place.read("ran")).toBe("");
    expect(await place.drain()).toMatchObject({ code: 0 });
    expect(place.lines("ran")).toEqual(["ran"]);
    expect(await place.phase(id)).toBe("COMPLETED");
  });

  test("is removed with all that is in it ends its jobs and itself, and makes none anew", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", '[worker]\nrecovery_interval = "100ms"\n');
    await place.submit(...sh(`setsid sleep 1000 & ${WAITS}`));
    const worker = await place.worker();
    await place.file("began");
    rmSync(place.store, { recursive: true });
    await gaveUp(worker, /^reeve: the store .* was replaced or removed/m);
    expect(place.processes()).toEqual([]);
    expect(existsSync(`${place.store}/reeve.db`)).toBe(false);
  });
});

/** What becomes short for a worker, and the definition whose jobs feel it. */
interface Shortage {
  readonly what: string;
  readonly job: string;
  readonly canBeMade: boolean;
  /** Leaves so few to the worker that not all of its jobs can run at once. */
  bind(pid: number): void;
}

function limit(pid: number, what: string, most: number): void {
  const { success, stderr } = Bun.spawnSync(["prlimit", "--pid", String(pid), `--${what}=${most}:${most}`]);
  if (!success) throw new Error(`cannot here: prlimit: ${stderr.toString()}`);
}

const NAP = '[jobs.nap]\ncommand = ["sleep", "0.2"]\nbackoff = "20ms"\n';
/** Nobody else's: the processes of a user are counted together. */
const STRANGER = 20_000 + (process.pid % 10_000);

const SHORTAGES: readonly Shortage[] = [
  {
    what: "descriptors",
    job: NAP,
    canBeMade: true,
    bind: (pid) => limit(pid, "nofile", (descriptorsOf(pid) ?? []).length + 25),
  },
  {
    what: "processes",
    // The kernel counts those of the jobs' user, and not the threads that the worker's runtime needs for itself.
    job: `${NAP}cwd = "/"\nlimits = { user = "${STRANGER}", group = "${STRANGER}" }\n`,
    canBeMade: process.getuid?.() === 0,
    bind: (pid) => limit(pid, "nproc", 3),
  },
];

forEachForm("a worker that runs out of", (form) => {
  for (const { what, job, canBeMade, bind } of SHORTAGES) {
    test.skipIf(!canBeMade)(
      `${what} takes nothing for a while and says so; no job fails, none runs twice`,
      async () => {
        // The jobs' user has to get to the store.
        using passable = temporaryDirectory();
        chmodSync(passable.path, 0o711);
        await using place = new Place(form, passable.of("store"));
        place.write("reeve.toml", job);
        const worker = await place.worker(["--concurrency", "6"]);
        bind(worker.pid);
        const ids = await place.submitBatch(Array.from({ length: 6 }, () => ({ job: "nap" })));
        expect(await place.reeve("wait", ...ids)).toMatchObject({ code: 0 });
        const all = await place.list();
        const ends = all.map(({ jobInfo }) => jobInfo.attempts.map(({ ending }) => ending));
        // The last attempt of each is the only one that ran.
        expect(ends.map((endings) => endings.filter((ending) => ending !== "spawn failed"))).toEqual(
          ids.map(() => ["exited"]),
        );
        expect(all.every(({ jobInfo }) => jobInfo.failures + jobInfo.lost === 0)).toBe(true);
        expect(worker.log().map(({ event }) => event)).toContain("taking nothing");
        worker.signal("SIGTERM");
        expect((await within("the worker ends", worker.ended)).signal).toBe("SIGTERM");
        expect(place.processes()).toEqual([]);
        expect(readdirSync(`${place.store}/workers`)).toEqual([]);
      },
    );
  }
});
