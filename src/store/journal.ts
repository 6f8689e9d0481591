import type { StoreDatabase } from "./database.ts";

/** What the journal needs of time. */
export interface JournalClock {
  /** Calls back when the events of this moment have been taken in. */
  soon(callback: () => void): void;
  /** Calls back after so many milliseconds, unless that is taken back by what it gives. */
  after(milliseconds: number, callback: () => void): () => void;
}

export interface JournalOptions {
  readonly clock: JournalClock;
  readonly random: () => number;
  /** Called after each commit, before anyone who waits for it goes on. */
  readonly onCommit: () => void;
  /**
   * What to do when the disk is full or the store stays locked: a verb of the command line fails, a worker keeps what
   * it has to say and goes on when it can.
   */
  readonly patience: "fail" | "wait";
  /** How often a locked store is tried before that is an error, where it is one. */
  readonly busyTries?: number;
  /** Told when a commit has to wait, and again (with null) when it went through. */
  readonly onTrouble?: (error: unknown) => void;
}

interface Entry {
  run(): void;
  done(): void;
  fail(error: unknown): void;
}

const BUSY_RETRY_MS = 10;
const FULL_RETRY_MS = 500;
/** How often a verb tries a locked store: about ten seconds, with what SQLite itself waits each time. */
const BUSY_TRIES = 150;

/**
 * Group commit: what is written in one moment shares one transaction, so that a worker's endings and the claims that
 * follow them cost one sync of the disk. A write is done, and its promise kept, only when the transaction is on disk.
 */
export class Journal {
  readonly #database: StoreDatabase;
  readonly #options: JournalOptions;
  #waiting: Entry[] = [];
  #scheduled = false;
  /** The commit that only patient writes wait for, and how long the least patient of them said that it can wait. */
  #late: { readonly withinMs: number; readonly cancel: () => void } | null = null;
  #tries = 0;
  #closed = false;

  constructor(database: StoreDatabase, options: JournalOptions) {
    this.#database = database;
    this.#options = options;
  }

  /**
   * Runs `work` in the next shared transaction. It may be run more than once, since a transaction that did not go
   * through is tried again: it must do nothing but read and write the store.
   *
   * @param withinMs for so long it may wait for another write to share its transaction with
   */
  write<T>(work: () => T, withinMs = 0): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let value: { readonly of: T } | undefined;
      this.#waiting.push({
        run: () => (value = { of: work() }),
        done: () => value && resolve(value.of),
        fail: reject,
      });
      this.#schedule(withinMs);
    });
  }

  /** Nothing is written any more, and what waits is never answered: for a process that is about to end. */
  close(): void {
    this.#closed = true;
  }

  #schedule(withinMs: number): void {
    if (this.#scheduled) return;
    if (withinMs > 0) return this.#scheduleLate(withinMs);
    this.#scheduled = true;
    this.#options.clock.soon(() => this.#flush());
  }

  #scheduleLate(withinMs: number): void {
    if (this.#late && this.#late.withinMs <= withinMs) return;
    this.#late?.cancel();
    this.#late = { withinMs, cancel: this.#options.clock.after(withinMs, () => this.#flush()) };
  }

  #flush(): void {
    this.#scheduled = false;
    this.#late?.cancel();
    this.#late = null;
    const batch = this.#waiting;
    this.#waiting = [];
    if (!this.#closed && batch.length > 0) this.#commit(batch);
  }

  #commit(batch: readonly Entry[]): void {
    try {
      this.#database.transaction(() => batch.forEach((entry) => entry.run()));
    } catch (error) {
      return this.#recover(batch, error);
    }
    this.#committed(batch);
  }

  #committed(batch: readonly Entry[]): void {
    if (this.#tries > 0) this.#options.onTrouble?.(null);
    this.#tries = 0;
    this.#wakeOthers();
    for (const entry of batch) entry.done();
  }

  #wakeOthers(): void {
    try {
      this.#options.onCommit();
    } catch {
      // On a full disk there may be no room for a bell. A lost ring does no harm, since others look by themselves now
      // and then; those who wait for this commit would wait for ever.
    }
  }

  #recover(batch: readonly Entry[], error: unknown): void {
    const trouble = this.#database.trouble(error);
    if (trouble === "mistake") return this.#separate(batch, error);
    const wait = trouble === "full" ? FULL_RETRY_MS : BUSY_RETRY_MS;
    if (trouble === "broken" || !this.#mayWait(trouble)) return this.#giveUp(batch, error);
    if (this.#tries === 1) this.#options.onTrouble?.(error);
    this.#waiting.unshift(...batch);
    this.#scheduled = true;
    // The jitter lets processes that met on the lock miss each other next time.
    this.#options.clock.after(wait * (0.5 + this.#options.random()), () => this.#flush());
  }

  #giveUp(batch: readonly Entry[], error: unknown): void {
    this.#tries = 0;
    for (const entry of batch) entry.fail(error);
  }

  #mayWait(trouble: "busy" | "full"): boolean {
    this.#tries += 1;
    if (this.#options.patience === "wait") return true;
    return trouble === "busy" && this.#tries < (this.#options.busyTries ?? BUSY_TRIES);
  }

  /** One write of several was wrong: each gets a transaction of its own, so that only that one fails. */
  #separate(batch: readonly Entry[], error: unknown): void {
    if (batch.length === 1) return batch.forEach((entry) => entry.fail(error));
    for (const entry of batch) this.#commit([entry]);
  }
}
