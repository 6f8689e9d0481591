import type { Definition } from "../config/definition.ts";
import { lastWords } from "../config/wording.ts";
import { SpawnFailed, type Slot, type Spare, type TreeExit, type WarmSlot } from "../process/port.ts";
import { Freshness } from "../process/freshness.ts";
import type { Planner } from "./plan.ts";
import type { Ports } from "./ports.ts";
import { Picks } from "./picks.ts";

export interface SparesOptions {
  readonly ports: Pick<Ports, "clock" | "emit">;
  readonly planner: Planner;
  readonly definitions: ReadonlyMap<string, Definition>;
  /** Null: nothing can wait for a job here. */
  readonly newWarmSlot: () => WarmSlot | null;
}

/** Milliseconds after one has ended without a job before another is started; more each time. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

/** The jobs of one definition for which processes wait. */
interface Kept {
  readonly name: string;
  readonly file: string;
  readonly count: number;
  readonly waiting: Set<Waiting>;
  /** Those that ended without a job, since one has got one. */
  failures: number;
  isPaused: boolean;
}

/** A process that waits for a job. */
export interface Waiting {
  readonly kept: Kept;
  readonly slot: WarmSlot;
  readonly spare: Spare;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** Null: it was not ready yet. */
  freshness: Freshness | null;
  /** A request of a queue may use it. */
  isPicked: boolean;
}

/** Keeps processes ready for jobs of the definitions that want them. Each is for one job. */
export class Spares {
  readonly #options: SparesOptions;
  readonly #kept: ReadonlyMap<string, Kept>;
  readonly #free: WarmSlot[] = [];
  /** Slots that jobs have, or are about to. */
  readonly #lent = new Map<Slot, Waiting>();
  readonly #cancels = new Set<() => void>();
  readonly #ending = new Set<Promise<void>>();
  #mayStart: () => boolean = () => false;

  constructor(options: SparesOptions) {
    this.#options = options;
    this.#kept = new Map([...options.definitions.values()].flatMap(keptOf).map((kept) => [kept.name, kept]));
  }

  /** `mayStart`: whether there are going to be jobs. */
  begin(mayStart: () => boolean): void {
    this.#mayStart = mayStart;
    this.#fill();
  }

  picks(): Picks {
    return new Picks(this);
  }

  /** One that is ready for a job of this definition; null: none is. */
  find(definition: string | null): Waiting | null {
    const { waiting = [] } = this.#kept.get(definition ?? "") ?? {};
    return [...waiting].find((one) => !one.isPicked && this.#isReady(one)) ?? null;
  }

  #isReady(waiting: Waiting): boolean {
    waiting.freshness ??= freshnessOf(waiting);
    if (waiting.freshness === null || waiting.spare.hasEnded()) return false;
    if (waiting.freshness.isFresh) return true;
    this.#retire(waiting);
    return false;
  }

  /** A request is over that might have used it. */
  settle(waiting: Waiting, isUsed: boolean): void {
    waiting.isPicked = false;
    if (!isUsed && !waiting.spare.hasEnded()) return;
    waiting.kept.waiting.delete(waiting);
    if (!isUsed) return this.#retire(waiting);
    waiting.kept.failures = 0;
    this.#lent.set(waiting.slot, waiting);
    // First its job is to begin.
    this.#after(0, () => this.#fill());
  }

  /** Whether a slot is one of these; it has no job any more. `isInUse`: something of the job lives on in it. */
  takeBack(slot: Slot, isInUse: boolean): boolean {
    const waiting = this.#lent.get(slot);
    if (!waiting) return false;
    this.#lent.delete(slot);
    // Its job was not started after all.
    if (waiting.spare.isWaiting) this.#retire(waiting);
    else if (!isInUse) this.#free.push(waiting.slot);
    this.#fill();
    return true;
  }

  #fill(): void {
    for (const kept of this.#kept.values()) {
      while (this.#mayStart() && !kept.isPaused && kept.waiting.size < kept.count) {
        if (!this.#start(kept)) break;
      }
    }
  }

  #start(kept: Kept): boolean {
    const launch = this.#options.planner.ahead(kept.name);
    const slot = this.#free.pop() ?? this.#options.newWarmSlot();
    if (!launch || !slot) return false;
    const startedAt = this.#options.ports.clock.now();
    try {
      const spare = slot.prepare(launch);
      const waiting = { kept, slot, spare, startedAt, freshness: null, isPicked: false };
      kept.waiting.add(waiting);
      void spare.exited.then((exit) => this.#ended(waiting, exit));
      return true;
    } catch (error) {
      if (!(error instanceof SpawnFailed)) throw error;
      this.#free.push(slot);
      this.#failed(kept, error.message);
      return false;
    }
  }

  /** Of one that a request may use, that sees to it. */
  #ended(waiting: Waiting, exit: TreeExit): void {
    if (waiting.isPicked || !waiting.kept.waiting.has(waiting)) return;
    this.#failed(waiting.kept, `${howOf(exit)}${lastWords(waiting.spare.output())}`);
    this.#retire(waiting);
  }

  #failed(kept: Kept, why: string): void {
    const { emit } = this.#options.ports;
    const what = `no process waits for jobs of ${kept.name}, each of which starts one of its own: ${why}`;
    if (kept.failures === 0 && this.#mayStart()) emit({ type: "trouble", what });
    kept.isPaused = true;
    this.#after(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** kept.failures), () => {
      kept.isPaused = false;
      this.#fill();
    });
    kept.failures += 1;
  }

  #after(milliseconds: number, call: () => void): void {
    const cancel = this.#options.ports.clock.after(milliseconds, () => {
      this.#cancels.delete(cancel);
      call();
    });
    this.#cancels.add(cancel);
  }

  #retire(waiting: Waiting): void {
    waiting.kept.waiting.delete(waiting);
    const gone = waiting.spare.end().then(() => {
      this.#ending.delete(gone);
      this.#free.push(waiting.slot);
      this.#fill();
    });
    this.#ending.add(gone);
  }

  /** There are going to be no more jobs. Kept when nothing waits any more. */
  async end(): Promise<void> {
    this.#mayStart = () => false;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    for (const { waiting } of this.#kept.values()) for (const one of waiting) this.#retire(one);
    await Promise.all(this.#ending);
  }
}

function keptOf({ name, function: own, limits }: Definition): Kept[] {
  // What stands between or belongs to another user is made for one job.
  const isOfOneJob = limits.outlive || limits.isolate !== "none" || limits.resources.user !== undefined;
  if (!own || own.warm === 0 || isOfOneJob) return [];
  return [{ name, file: own.file, count: own.warm, waiting: new Set(), failures: 0, isPaused: false }];
}

function freshnessOf({ spare, startedAt, kept }: Waiting): Freshness | null {
  const files = spare.loaded();
  return files && new Freshness([kept.file, ...files], startedAt);
}

function howOf({ code, signal }: TreeExit): string {
  return signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`;
}
