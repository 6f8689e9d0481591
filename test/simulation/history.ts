import { STAY } from "../../src/worker/ports.ts";
import { checkEnd } from "./end-checks.ts";
import { Faults } from "./faults.ts";
import { Crashed } from "./life.ts";
import { breakWorker, type Mutation } from "./mutations.ts";
import { Users } from "./users.ts";
import { UNKNOWN_AFTER_MS, Workplace } from "./workplace.ts";
import { World, type Violation } from "./world.ts";

export interface HistoryOptions {
  readonly seed: number;
  readonly mutation?: Mutation;
  /** More happens than usually. */
  readonly isDense?: boolean;
  /** Print each line as it happens. */
  readonly show?: boolean;
}

export interface HistoryEnd {
  readonly seed: number;
  readonly violation: Violation | null;
  readonly hash: string;
  /** The last lines of what happened. */
  readonly tail: readonly string[];
  readonly events: number;
  readonly jobs: number;
  readonly workers: number;
}

/** Longer than all jobs can take one after the other. */
const LONGEST_DRAIN_MS = 4 * 3_600_000;

const LOOK_EVERY_MS = 4000;
const MOST_ROUNDS = 100;

/** From an empty store, through faults, to a store where all has come to rest. */
export async function runHistory({ seed, mutation, isDense, show }: HistoryOptions): Promise<HistoryEnd> {
  const world = new World(seed, show ?? false);
  const place = new Workplace(world, mutation ?? null);
  const unheard = (error: unknown): void => {
    if (error instanceof Crashed) return;
    world.violate("no promise is broken that nobody hears of", String(error instanceof Error ? error.stack : error));
  };
  process.on("unhandledRejection", unheard);
  const repair = breakWorker(mutation ?? null);
  try {
    await tell(place, isDense ?? false);
  } finally {
    process.off("unhandledRejection", unheard);
    repair();
    place.close();
  }
  return {
    seed,
    violation: world.violation,
    hash: world.trace.hash(),
    tail: world.trace.tail(),
    events: world.events,
    jobs: place.ledger.jobs.size,
    workers: place.workers.length,
  };
}

async function tell(place: Workplace, isDense: boolean): Promise<void> {
  const { world } = place;
  const { random } = world;
  const lengthMs = random.between(5000, 120_000);
  const users = new Users(place);
  const faults = new Faults(place);
  for (let action = isDense ? 40 : random.between(2, 30); action > 0; action -= 1) {
    world.after(random.between(0, lengthMs), null, () => users.act());
  }
  for (let worker = random.between(0, 2); worker > 0; worker -= 1) place.startWorker(STAY, false);
  lookOn(place);
  // A part of all histories is calm, so that what is slow without a fault shows.
  faults.plan(isDense ? 30 : random.chance(0.1) ? 0 : random.between(1, 16), lengthMs);
  await world.run(() => false, lengthMs);
  world.say("", "from here on all goes well");
  users.end();
  faults.end();
  users.resumeAll();
  await comeToRest(place, faults);
  if (world.violation === null) checkEnd(place);
}

/** Looks at what no event tells of. */
function lookOn(place: Workplace): void {
  place.checks.look();
  place.world.after(LOOK_EVERY_MS, null, () => lookOn(place));
}

/** Those who are there are asked to end; fresh workers do what is left. */
async function comeToRest(place: Workplace, faults: Faults): Promise<void> {
  const { world, workers } = place;
  // Whose disk is broken has to end without being asked.
  for (const one of workers) if (!one.life.isDead && !one.life.diskIsBroken) faults.stop(one);
  await drain(place, 2);
  // What nobody can know of is given up after a while.
  for (let round = 0; round === 0 || (round < MOST_ROUNDS && hasUnknown(place)); round += 1) {
    await world.run(() => false, UNKNOWN_AFTER_MS);
    await drain(place, 1);
  }
}

function hasUnknown({ observer, world }: Workplace): boolean {
  return world.violation === null && observer.rows().some(({ phase }) => phase === "UNKNOWN");
}

/** Jobs that kill their workers are not healed by good weather, hence several rounds. */
async function drain(place: Workplace, count: number): Promise<void> {
  const { world, workers } = place;
  for (let round = 0; round < MOST_ROUNDS && world.violation === null; round += 1) {
    const fresh = Array.from({ length: count }, () => place.startWorker({ ...STAY, drain: true }, true));
    const isOver = await world.run(() => workers.every(({ life }) => life.isDead), LONGEST_DRAIN_MS);
    const left = fresh.filter(({ life }) => !life.isDead).map(({ life }) => life.name);
    world.check(isOver, "what is to be drained is drained", () => `still at work: ${left.join(" ")}`);
    if (fresh.every(({ isDone }) => isDone)) return;
  }
  world.violate("what is to be drained is drained", `${MOST_ROUNDS} rounds of workers died of it`);
}
