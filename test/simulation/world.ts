import { messageOf } from "../../src/errors.ts";
import { EventQueue, type Due } from "./event-queue.ts";
import { Crashed, type Life } from "./life.ts";
import { Random } from "./random.ts";
import { Trace } from "./trace.ts";

/** An arbitrary day on which every history begins, in milliseconds since 1970. */
const FIRST_DAY = Date.UTC(2030, 0, 1);
/** More events than that: something goes round in circles. */
const MOST_EVENTS = 150_000;

interface Event extends Due {
  /** Whose callback it is; null: the world's own. */
  readonly life: Life | null;
  readonly run: () => void;
}

/** What was promised and did not hold. */
export interface Violation {
  readonly invariant: string;
  readonly detail: string;
}

/** Virtual time and everything that is due in it. One seed makes one history. */
export class World {
  readonly random: Random;
  readonly trace: Trace;
  readonly #events = new EventQueue<Event>();
  #jumpedBy = 0;
  #performed = 0;
  #violation: Violation | null = null;
  /** Monotonic, in milliseconds since the world began. */
  now = 0;
  /** The furthest that the wall clock ever stood. */
  latestWall = FIRST_DAY;
  /** When the wall clock last jumped. */
  jumpedAt = Number.NEGATIVE_INFINITY;
  /** When a write to the store last failed: until then things may have been late. */
  storeFailedAt = Number.NEGATIVE_INFINITY;

  constructor(seed: number, show: boolean) {
    this.random = new Random(seed);
    this.trace = new Trace(show);
  }

  get violation(): Violation | null {
    return this.#violation;
  }

  get events(): number {
    return this.#performed;
  }

  wall(): number {
    const wall = FIRST_DAY + this.now + this.#jumpedBy;
    this.latestWall = Math.max(this.latestWall, wall);
    return wall;
  }

  jump(milliseconds: number): void {
    this.wall();
    this.#jumpedBy += milliseconds;
    this.jumpedAt = this.now;
    this.say("", `the wall clock jumps by ${milliseconds / 1000} s`);
  }

  /** Somebody sets the wall clock right: no time that was ever recorded is in the future now. */
  setClock(): void {
    this.#jumpedBy += this.latestWall - this.wall();
    this.jumpedAt = this.now;
  }

  say(who: string, what: string): void {
    this.trace.add(this.now, who, what);
  }

  /** Only noted, since who broke it may catch what is thrown; the world ends after this event. */
  violate(invariant: string, detail: string): void {
    if (this.#violation !== null) return;
    this.#violation = { invariant, detail };
    this.say("", `VIOLATION: ${invariant}: ${detail}`);
  }

  check(holds: boolean, invariant: string, detail: () => string): void {
    if (!holds) this.violate(invariant, detail());
  }

  /** Gives the way to call it off. */
  after(milliseconds: number, life: Life | null, run: () => void): () => void {
    let isOff = false;
    const event = { at: this.now + Math.max(0, milliseconds), tie: this.random.next(), life };
    this.#events.push({ ...event, run: () => isOff || run() });
    return () => {
      isOff = true;
    };
  }

  /** Runs what is due until `isOver`, at the longest for so many milliseconds. Gives whether it was over. */
  async run(isOver: () => boolean, milliseconds: number): Promise<boolean> {
    const end = this.now + milliseconds;
    while (this.#violation === null && !isOver()) {
      const event = this.#events.pop();
      if (!event || event.at > end) {
        if (event) this.#events.push(event);
        this.now = end;
        return isOver();
      }
      this.now = event.at;
      this.#perform(event);
      await settled();
    }
    return this.#violation === null;
  }

  #perform({ life, run }: Event): void {
    this.#performed += 1;
    if (this.#performed > MOST_EVENTS) this.violate("it comes to an end", `${MOST_EVENTS} events`);
    try {
      if (life) life.perform(run);
      else run();
    } catch (error) {
      if (error instanceof Crashed) return;
      this.violate("nothing is thrown that nobody catches", `${life?.name ?? "the world"}: ${messageOf(error)}`);
    }
  }
}

/** When all promises have done what they can without another event. */
function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
