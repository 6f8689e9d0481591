import type { Lock, Locks } from "../../src/worker/ports.ts";
import type { StoreOptions } from "../../src/store/store.ts";
import type { SimulatedDatabase } from "./database.ts";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

type Changes = NonNullable<StoreOptions["changes"]>;
type Topic = Parameters<Changes["ring"]>[0];

/** Kernel locks: freed by any death, kept by whoever is only paused. */
export class LockTable {
  readonly #holders = new Map<string, Life>();
  readonly #isHeldBy: (life: Life) => boolean;

  constructor(isHeldBy: (life: Life) => boolean) {
    this.#isHeldBy = isHeldBy;
  }

  get held(): readonly string[] {
    return [...this.#holders].filter(([, life]) => !life.isDead).map(([directory]) => directory);
  }

  of(life: Life): Locks {
    return { tryTake: (directory) => this.#take(directory, life) };
  }

  #take(directory: string, life: Life): Lock | null {
    life.reach("before a lock is taken");
    const holder = this.#holders.get(directory);
    if (holder && this.#isHeldBy(holder)) return null;
    this.#holders.set(directory, life);
    return {
      release: () => {
        if (!life.isDead && this.#holders.get(directory) === life) this.#holders.delete(directory);
      },
    };
  }
}

interface Watcher {
  readonly life: Life;
  readonly topic: Topic;
  readonly callback: () => void;
}

/** How long a ring may be under way. */
const SLOWEST_RING_MS = 20;

/** The bells: rings come late, twice or not at all. */
export class Bells {
  readonly #world: World;
  readonly #watchers = new Set<Watcher>();
  /** How probable it is that a ring is lost, or cannot even be sent. */
  lost = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** @param database - must have committed something since the last ring. */
  of(life: Life, database: () => SimulatedDatabase | null): Changes {
    const rung = new Map<Topic, number>();
    return {
      close: () => {},
      ring: (topic) => {
        life.reach("before a ring");
        const { commits = 0, inTransaction = false } = database() ?? {};
        const isEarly = inTransaction || (rung.get(topic) ?? 0) >= commits;
        this.#world.check(!isEarly, "a ring comes after its commit", () => `${life.name} rings ${topic}`);
        rung.set(topic, commits);
        this.#ring(topic);
        life.reach("after a ring");
      },
      watch: (topic, callback) => {
        const watcher = { life, topic, callback };
        this.#watchers.add(watcher);
        return () => void this.#watchers.delete(watcher);
      },
    };
  }

  #ring(topic: Topic): void {
    const { random } = this.#world;
    if (random.chance(this.lost / 2)) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    for (const watcher of this.#watchers) {
      if (watcher.topic !== topic || watcher.life.isDead || random.chance(this.lost)) continue;
      const isStillThere = (): void => void (this.#watchers.has(watcher) && watcher.callback());
      this.#world.after(random.between(0, SLOWEST_RING_MS), watcher.life, isStillThere);
      if (random.chance(0.05)) this.#world.after(random.between(0, 2000), watcher.life, isStillThere);
    }
  }
}
