import type { Clock } from "../clock.ts";
import { TREE_VARIABLE } from "./environment.ts";
import { allProcesses, environmentOf, isAlive } from "./proc.ts";
import type { TreeMarks } from "./tree.ts";

/** Those who ask within so many milliseconds share one look. */
const SHARED_MS = 20;

const COOKIE = `${TREE_VARIABLE}=`;

/** What one look at all processes tells of trees: it may name more than are left of one, and never fewer. */
interface Seen {
  readonly sessions: ReadonlySet<number>;
  readonly cookies: ReadonlySet<string>;
}

/**
 * Tells of many trees at once whether anything of them may be left. A look at all processes takes milliseconds on a
 * busy machine, and trees that were adopted together often end together.
 */
export class Census {
  readonly #clock: Clock;
  #next: Promise<Seen> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** False: at a moment after the question nothing was left that leads back to it but by a file. */
  async mayHaveLeft({ cookie, leader }: TreeMarks): Promise<boolean> {
    this.#next ??= this.#look();
    const { sessions, cookies } = await this.#next;
    return cookies.has(cookie) || (leader !== null && sessions.has(leader.pid));
  }

  async #look(): Promise<Seen> {
    await this.#clock.sleep(SHARED_MS);
    this.#next = null;
    const living = [...allProcesses()].filter(isAlive);
    return {
      sessions: new Set(living.flatMap(({ session, group }) => [session, group])),
      cookies: new Set(living.flatMap(({ pid }) => environmentOf(pid).filter((entry) => entry.startsWith(COOKIE)))),
    };
  }
}
