import type { Clock } from "../../src/clock.ts";
import type { World } from "./world.ts";

/** Thrown into whatever runs when its process is killed; nothing that it does then has any effect. */
export class Crashed extends Error {
  override readonly name = "Crashed";
}

/** Timers of a busy machine come late by up to so many milliseconds. */
const LATE_MS = 3;

/** One virtual operating system process with everything that belongs to it alone. */
export class Life {
  readonly name: string;
  readonly world: World;
  readonly clock: Clock;
  #state: "running" | "paused" | "asleep" | "dead" = "running";
  #held: (() => void)[] = [];
  #pointsLeft: number;
  readonly #begunAt: number;
  #disturbedAt = Number.NEGATIVE_INFINITY;
  #asleepSince = 0;
  #sleptMs = 0;
  readonly #atDeath: (() => void)[] = [];
  /** Every write fails: its disk is gone. */
  diskIsBroken = false;

  /** @param pointsLeft - crash points that it survives. */
  constructor(name: string, world: World, pointsLeft: number) {
    this.name = name;
    this.world = world;
    this.#pointsLeft = pointsLeft;
    this.#begunAt = world.now;
    this.clock = makeClock(this);
  }

  get isDead(): boolean {
    return this.#state === "dead";
  }

  get isRunning(): boolean {
    return this.#state === "running";
  }

  /** Whether it was there, and nothing kept it from what it had to do since then. */
  wasUndisturbedSince(at: number): boolean {
    return this.#state === "running" && this.#begunAt <= at && this.#disturbedAt < at;
  }

  /** Whether it was paused at some time since then, and goes on. */
  wasPausedSince(at: number): boolean {
    return this.#disturbedAt >= at;
  }

  atDeath(callback: () => void): void {
    this.#atDeath.push(callback);
  }

  say(what: string): void {
    this.world.say(this.name, what);
  }

  perform(run: () => void): void {
    if (this.#state === "running") run();
    else if (this.#state !== "dead") this.#held.push(run);
  }

  /** SIGSTOP. */
  pause(): void {
    if (this.#state !== "running") return;
    this.say("is paused");
    this.#state = "paused";
  }

  /** SIGCONT: all that came meanwhile comes now, in any order. */
  resume(): void {
    if (this.#state !== "paused") return;
    this.#goOn();
  }

  /** The clock of timers, which stands still while the machine sleeps. */
  monotonic(): number {
    return (this.#state === "asleep" ? this.#asleepSince : this.world.now) - this.#sleptMs;
  }

  /** The clock of leases. */
  boottime(): number {
    return this.world.now;
  }

  /** The machine sleeps: no timer goes on. */
  sleep(): void {
    if (this.#state !== "running") return;
    this.say("falls asleep");
    this.#state = "asleep";
    this.#asleepSince = this.world.now;
  }

  wake(): void {
    if (this.#state !== "asleep") return;
    this.#sleptMs += this.world.now - this.#asleepSince;
    this.#goOn();
  }

  #goOn(): void {
    this.say("goes on");
    this.#state = "running";
    this.#disturbedAt = this.world.now;
    for (const run of this.#held) this.world.after(0, this, run);
    this.#held = [];
  }

  /** SIGKILL, or its own end: its callbacks never come. */
  die(why: string): void {
    if (this.#state === "dead") return;
    this.say(`dies: ${why}`);
    this.#state = "dead";
    this.#held = [];
    for (const callback of this.#atDeath) callback();
  }

  /** To be called where a dead process cannot be. */
  mustLive(): void {
    if (this.#state === "dead") throw new Crashed(this.name);
  }

  /** A place between two effects, where it may be killed. */
  reach(point: string): void {
    this.mustLive();
    this.#pointsLeft -= 1;
    if (this.#pointsLeft >= 0) return;
    this.die(`killed ${point}`);
    throw new Crashed(this.name);
  }

  /** From here on nothing kills it by chance. */
  survive(): void {
    this.#pointsLeft = Number.POSITIVE_INFINITY;
  }
}

/** A promise of a dead process is neither kept nor broken. */
export function whileItLives<T>(promise: Promise<T>): Promise<T> {
  return promise.catch((error: unknown) => {
    if (error instanceof Crashed) return new Promise<T>(() => {});
    throw error;
  });
}

function makeClock(life: Life): Clock {
  const { world } = life;
  const after: Clock["after"] = (milliseconds, callback) => {
    if (life.isDead) return () => {};
    const due = life.monotonic() + Math.max(0, milliseconds);
    const arm = (): (() => void) =>
      world.after(Math.ceil(due - life.monotonic()) + world.random.between(0, LATE_MS), life, () => {
        if (life.monotonic() >= due) callback();
        else cancel = arm();
      });
    let cancel = arm();
    return () => cancel();
  };
  return {
    now: () => world.wall(),
    monotonic: () => life.monotonic(),
    boottime: () => life.boottime(),
    after,
    soon: (callback) => void (life.isDead || world.after(0, life, callback)),
    sleep: (milliseconds) => new Promise((resolve) => void after(milliseconds, resolve)),
  };
}
