import { Database } from "bun:sqlite";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, existsSync, openSync } from "node:fs";
import { systemClock } from "../../src/clock.ts";
import { Marks, type Marked } from "../../src/cli/doctor/marked.ts";
import { hasTakenForm, SHAPES, type Rung, type Shape } from "../../src/cli/doctor/shapes.ts";
import { Tools } from "../../src/cli/doctor/tools.ts";
import { eventually } from "../support/eventually.ts";
import { endAll, isLiving, statusOf } from "../support/processes.ts";
import { COMPILED, FORMS, type Form } from "./forms.ts";
import { PATH, Place, type Running } from "./place.ts";

setDefaultTimeout(120_000);

/** How a rung is forced. */
/** Of ways that are looked at side by side only the first gets these, since they keep the machine busy. */
const BUSY = new Set(SHAPES.filter(({ name }) => /fast|starts the next|tree of 50/.test(name)).map(({ name }) => name));

interface RungToForce {
  readonly rung: Rung;
  readonly containment: string;
  readonly isolate: string;
}

const RUNGS: readonly RungToForce[] = [
  { rung: "cgroup", containment: "cgroup", isolate: "none" },
  { rung: "pid namespace", containment: "marks", isolate: "pid" },
  { rung: "marks", containment: "marks", isolate: "none" },
];

/** A main process says who it is, and then stays, or ends when it is told to. */
const STAYS = 'echo $$ >"main.$1"; exec sleep "$1"';
const exits = (code: number): string => `echo $$ >"main.$1"; read _ <go; exit ${code}`;

/** The jobs of one way, and what can be done to them. */
interface Scene {
  readonly place: Place;
  readonly jobs: readonly Job[];
  readonly worker: Running;
  readonly marks: Marks;
}

interface Job {
  readonly id: string;
  readonly shape: Shape;
  readonly way: Way;
  readonly mark: string;
}

interface Way {
  readonly name: string;
  /** What the main process does when the shape stands. */
  readonly end: string;
  /** Of a line of a batch. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** What makes the jobs end. */
  readonly act: (scene: Scene) => Promise<unknown> | unknown;
  /** In which phase they are then. */
  readonly phase: string;
  /** They are forgotten as soon as they are in it. */
  readonly forgets?: true;
}

/** A pipe that somebody reads from is opened for a moment. */
function letGo({ place }: Scene): void {
  closeSync(openSync(place.of("go"), "w"));
}

/** Its pid in the namespace in which it runs. */
const innermostPid = (pid: number): string | undefined => statusOf(pid, "NSpid")?.split(/\s+/).at(-1);

/** They told their pids, each of its own namespace. */
function mainProcesses({ place, jobs, marks }: Scene): number[] {
  const own = new Map(jobs.map(({ mark }) => [mark, place.read(`main.${mark}`).trim()]));
  const found = marks.living().filter(({ mark, pid }) => innermostPid(pid) === (own.get(mark) ?? "none"));
  expect(found).toHaveLength(jobs.length);
  return found.map(({ pid }) => pid);
}

/** Of those that are named together, each waits for the one before. */
async function deleteAll({ place, jobs }: Scene): Promise<void> {
  const ids = jobs.map(({ id }) => id);
  await Promise.all([0, 1, 2, 3].map((rest) => place.reeve("delete", ...ids.filter((_, index) => index % 4 === rest))));
}

function setDestruction({ place, jobs }: Scene): void {
  using database = new Database(`${place.store}/reeve.db`);
  database.run("PRAGMA busy_timeout = 5000");
  for (const { id } of jobs) {
    database.run("UPDATE jobs SET destruction = 1, destruction_kept = 1 WHERE id = ?", [id]);
  }
}

const ABORT: Way = {
  name: "an abort",
  end: STAYS,
  act: ({ place, jobs }) => place.reeve("abort", "--no-wait", ...jobs.map(({ id }) => id)),
  phase: "ABORTED",
};

const DEATH: Way = {
  name: "the death of the worker, and recovery by the next",
  end: STAYS,
  fields: { max_lost: 1 },
  async act({ place, worker }) {
    worker.signal("SIGKILL");
    await worker.ended;
    await place.worker();
  },
  phase: "ERROR",
};

/** Those that can be looked at side by side are. */
const WAYS: readonly (readonly Way[])[] = [
  [
    { name: "the main process exits with 0", end: exits(0), act: letGo, phase: "COMPLETED" },
    { name: "the main process exits with 1", end: exits(1), act: () => {}, phase: "ERROR" },
    {
      name: "KILL to the main process by somebody else",
      end: STAYS,
      act: (scene) => endAll(mainProcesses(scene)),
      phase: "ERROR",
    },
  ],
  [
    ABORT,
    { name: "a timeout", end: STAYS, fields: { timeout: "4s" }, act: () => {}, phase: "ERROR" },
    { name: "an overrun", end: STAYS, fields: { execution_duration: "4s" }, act: () => {}, phase: "ABORTED" },
  ],
  [
    { name: "a delete", end: STAYS, act: deleteAll, phase: "ABORTED", forgets: true },
    { name: "its destruction", end: STAYS, act: setDestruction, phase: "ABORTED", forgets: true },
  ],
  [{ name: "a stop of the worker", end: STAYS, act: ({ worker }) => worker.signal("SIGTERM"), phase: "QUEUED" }],
  [DEATH],
];

/** Ends jobs of all shapes in these ways, and gives a sentence for each that was final before all of it was gone. */
async function play(form: Form, { rung, containment, isolate }: RungToForce, ways: readonly Way[]): Promise<string[]> {
  const marks = new Marks(systemClock, 50);
  await using place = new Place(form);
  await using _rest = { [Symbol.asyncDispose]: () => marks.endAll() };
  Bun.spawnSync(["mkfifo", place.of("go")]);
  place.write("reeve.toml", '[worker]\nrecovery_interval = "100ms"\n');
  const jobs = await submitAll(place, ways, marks, isolate);
  const manner = { environment: { REEVE_CONTAINMENT: containment } };
  const worker = await place.worker(["--concurrency", String(jobs.length)], manner);
  await allStand(place, jobs, marks, worker);

  const seen = watch(place, jobs, marks);
  await Promise.all(ways.map((way) => way.act({ place, worker, marks, jobs: jobs.filter((job) => job.way === way) })));
  const found = await seen;
  if (ways.some(({ phase }) => phase === "QUEUED")) {
    await worker.ended;
    expect(marks.living()).toEqual([]);
  }
  return found.filter(({ job }) => job.shape.escapes?.[rung] === undefined).map(({ what }) => `${rung}: ${what}`);
}

async function submitAll(place: Place, ways: readonly Way[], marks: Marks, isolate: string): Promise<Job[]> {
  const tools = new Tools(PATH);
  const shapes = SHAPES.filter((shape) => tools.missing(shape) === null);
  const cast = ways.flatMap((way, index) => {
    const some = index === 0 ? shapes : shapes.filter((shape) => !BUSY.has(shape.name));
    return some.map((shape) => ({ way, shape, mark: marks.make() }));
  });
  const lines = cast.map(({ way: { end, fields }, shape, mark }) => {
    const command = tools.command(shape, end, mark);
    return { command, grace: "300ms", isolate, ...fields };
  });
  const ids = await place.submitBatch(lines);
  return cast.map((one, index) => ({ ...one, id: ids[index] ?? "" }));
}

/** Each has stood: some of them have not much time for it. */
async function allStand(place: Place, jobs: readonly Job[], marks: Marks, worker: Running): Promise<void> {
  const missing = new Set(jobs);
  const look = (): boolean => {
    for (const job of missing) if (stands(place, job, marks)) missing.delete(job);
    return missing.size === 0;
  };
  await eventually("all shapes stand", look).catch(async () => {
    const stories = await Promise.all([...missing].map(({ id }) => place.ok("why", id)));
    throw new Error([...[...missing].map(({ shape }) => shape.name), ...stories, worker.stderr()].join("\n"));
  });
}

function stands(place: Place, { shape, mark, way }: Job, marks: Marks): boolean {
  return existsSync(place.of(`main.${mark}`)) && hasTakenForm(shape, marks.recent(mark), way.end === STAYS ? 1 : 0);
}

interface Seen {
  readonly job: Job;
  readonly what: string;
}

/** Looks, in the moment in which a job's end shows in the store, what of it lives. */
async function watch(place: Place, jobs: readonly Job[], marks: Marks): Promise<Seen[]> {
  using database = new Database(`${place.store}/reeve.db`, { readonly: true });
  const phases = database.query<{ id: string; phase: string }, []>("SELECT id, phase FROM jobs");
  const running = new Set(jobs);
  const seen: Seen[] = [];
  const look = (): boolean => {
    const phaseOf = new Map(phases.all().map(({ id, phase }) => [id, phase]));
    const ended = [...running].filter(({ id }) => phaseOf.get(id) !== "EXECUTING");
    const living = ended.length === 0 ? [] : marks.living();
    for (const job of ended) {
      running.delete(job);
      const what = wrongWith(job, phaseOf.get(job.id) ?? null, living);
      if (what !== null) seen.push({ job, what: `${job.shape.name}: ${job.way.name}: ${what}` });
    }
    return running.size === 0;
  };
  await eventually("all jobs have ended", look, 60_000);
  return seen;
}

function wrongWith({ mark, way }: Job, phase: string | null, living: readonly Marked[]): string | null {
  const left = living.filter((one) => one.mark === mark).map(({ pid }) => pid);
  if (left.length > 0) return `${left.join(", ")} lived when it was ${phase}`;
  return phase === way.phase || (phase === null && way.forgets) ? null : `it is ${phase}`;
}

describe.each(RUNGS.map((rung) => [rung.rung, rung] as const))("on the rung of %s", (_rung, rung) => {
  test.each(WAYS.map((ways) => [ways.map(({ name }) => name).join("; "), ways] as const))(
    "jobs of all shapes are gone when they are final after %s",
    async (_ways, ways) => {
      expect(await play(COMPILED, rung, ways)).toEqual([]);
    },
  );
});

test.each(FORMS.filter((form) => form !== COMPILED).map((form) => [form.name, form] as const))(
  "jobs of all shapes are gone when they are final after an abort (%s)",
  async (_name, form) => {
    expect(await play(form, { rung: "marks", containment: "marks", isolate: "none" }, [ABORT])).toEqual([]);
  },
);

const MARKED = 'sleep "$1" & ( setsid sleep "$1" & ); ( setsid env -i sleep "$1" & );';
const UNMARKED = '( setsid env -i sleep "$1" <&- >&- 2>&- 3>&- & );';

test.each([
  ["cgroup", MARKED + UNMARKED, 4],
  // What bears no mark is taken for a stray.
  ["marks", MARKED, 3],
])(
  "what a job with keep_descendants leaves lives on when it and its worker end (%s)",
  async (containment, script, count) => {
    const marks = new Marks(systemClock);
    await using place = new Place(COMPILED);
    await using _rest = { [Symbol.asyncDispose]: () => marks.endAll() };
    const mark = marks.make();
    Bun.spawnSync(["mkfifo", place.of("go")]);
    const id = await place.submit("--keep-descendants", "--", "sh", "-c", `${script} read _ <go; exit 0`, "sh", mark);
    const worker = await place.worker([], { environment: { REEVE_CONTAINMENT: containment } });
    const left = await eventually("all are there", () => {
      const sleepers = marks.living(mark).filter(({ isSleeper }) => isSleeper);
      return sleepers.length === count && sleepers.map(({ pid }) => pid);
    });
    closeSync(openSync(place.of("go"), "w"));
    expect(await place.reeve("wait", id)).toMatchObject({ code: 0 });
    expect(left.filter((pid) => !isLiving(pid))).toEqual([]);
    worker.signal("SIGTERM");
    expect((await worker.ended).signal).toBe("SIGTERM");
    expect(left.filter((pid) => !isLiving(pid))).toEqual([]);
  },
);
