import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Emit } from "../events.ts";
import { LeaseLost, QueueTrouble, type Message, type RemoteQueue } from "../queue/port.ts";
import type { Verdict } from "../store/job.ts";
import { tellOnce } from "./tell.ts";

export interface LeaseOptions {
  readonly queue: RemoteQueue;
  readonly message: Message;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly emit: Emit;
  /** Milliseconds that it takes to end the job: it is begun with while the lease still lasts. */
  readonly endingMs: number;
  /** An extension failed; another one is tried. */
  readonly onMissed: () => void;
  /** The job must not go on. */
  readonly onLost: (why: string) => void;
  /** Nothing of it must go on for a moment: its message may be another's now, or will be. */
  readonly onOver: () => void;
  /** The queue lets nobody keep a message for longer: what stands still has to be put back. */
  readonly onLast: () => void;
}

/** How a queue took what it was told. */
export type Told =
  | { readonly kind: "told" }
  /** It is another's by now, or nobody's. */
  | { readonly kind: "lost" }
  | { readonly kind: "failed"; readonly trouble: QueueTrouble };

/** Of what goes on as it should, a line now and then is enough. */
const TELL_EVERY_MS = 15_000;
/** After an extension that failed. The call itself has tried more than once by then. */
const AGAIN_MS = 1000;
/** What is kept to see the tree gone, beside its grace. */
const RESERVE_MS = 2000;
/** Of that, what a kill takes. */
const KILL_MS = 1000;
/** Between two tries to tell. */
const TELL_AGAIN_MS = 500;

/**
 * The right to run one message, kept by extending it ("beats"), for a job and for as long as its queue has not been
 * told what became of it. No two requests about it are ever under way together, since the one that lands last wins: an
 * extension after the delete would bring a ghost back, one after the release would undo its delay.
 *
 * Times are by the clock that runs on while the machine sleeps.
 */
export class Lease {
  readonly #options: LeaseOptions;
  #message: Message;
  #until: number;
  #beatAt: number;
  readonly #givenUp = Promise.withResolvers<void>();
  #underway: Promise<void> | null = null;
  #isTelling = false;
  /** It is extended no more. */
  #isOver = false;
  /** Its queue has said so. */
  #isLost = false;
  #isKilled = false;
  #toldAt: number;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#message = options.message;
    this.#until = options.message.leasedUntil;
    this.#toldAt = options.clock.boottime();
    this.#beatAt = this.#nextBeat(this.#until - options.queue.terms.visibilityMs);
  }

  /** Kept when it is. */
  get givenUp(): Promise<void> {
    return this.#givenUp.promise;
  }

  /** Nothing is to be begun for its job any more. */
  get isGivenUp(): boolean {
    return this.#isOver;
  }

  /** As it came the last time. */
  get message(): Message {
    return this.#message;
  }

  /** When to look at it next: as long as a request is under way, no other can be made. */
  get dueAt(): number {
    if (this.#isOver) return this.#isKilled || this.#isTelling ? Number.POSITIVE_INFINITY : this.#killAt;
    return this.#underway ? this.#giveUpAt : Math.min(this.#beatAt, this.#giveUpAt);
  }

  /** Before its end as long as there is a tree to kill. */
  get #giveUpAt(): number {
    return this.#isTelling ? this.#until : this.#until - this.#options.endingMs - RESERVE_MS;
  }

  /** When what is left of its job is given no more time. */
  get #killAt(): number {
    return this.#until - KILL_MS;
  }

  /** It may be another's by now: no request is made about it. */
  get #isNotOurs(): boolean {
    return this.#isLost || this.#options.clock.boottime() >= this.#until;
  }

  /** Sooner than asked for by up to a fifth, so that the beats of many messages do not fall together. */
  #nextBeat(from: number): number {
    return from + this.#options.queue.terms.beatMs * (1 - 0.2 * this.#options.random());
  }

  /** Does what is due: extends it, or notices that it is lost. */
  look(): void {
    const now = this.#options.clock.boottime();
    if (this.#isOver) return this.#killInTime(now);
    if (now >= this.#giveUpAt) return this.#lose("no extension succeeded in time");
    if (now >= this.#beatAt && !this.#underway) void this.#inTurn(() => this.#beat());
  }

  #lose(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#isTelling) return;
    this.#givenUp.resolve();
    this.#options.onLost(why);
    this.#killInTime(this.#options.clock.boottime());
  }

  /** Where the machine slept there was less time than the job's grace takes. */
  #killInTime(now: number): void {
    if (this.#isTelling || this.#isKilled || (!this.#isLost && now < this.#killAt)) return;
    this.#isKilled = true;
    this.#options.onOver();
  }

  /** One request after the other. */
  async #inTurn<T>(request: () => Promise<T>): Promise<T> {
    while (this.#underway) await this.#underway;
    const done = request();
    this.#underway = done.then(
      () => void (this.#underway = null),
      () => void (this.#underway = null),
    );
    return done;
  }

  async #beat(): Promise<void> {
    const { queue, clock } = this.#options;
    const asked = clock.boottime();
    const { visibilityMs } = queue.terms;
    try {
      const grantedMs = await this.#withNewest((receipt) => queue.extend(receipt, visibilityMs));
      this.#until = asked + grantedMs;
      this.#beatAt = this.#nextBeat(asked);
      if (grantedMs < visibilityMs) this.#options.onLast();
      this.#say(`its message is ours for ${Math.round(grantedMs / 1000)} s more`, "lease extended");
    } catch (error) {
      this.#beatAt = clock.boottime() + AGAIN_MS;
      if (error instanceof LeaseLost) this.#lose("the queue says that it is not ours any more");
      else this.#missed(error);
    }
  }

  #missed(error: unknown): void {
    this.#options.onMissed();
    this.#say(`its lease was not extended: ${messageOf(error)}`, "lease not extended");
  }

  /** A receipt that became old while it was under way says nothing of the newer one. */
  async #withNewest<T>(request: (receipt: string) => Promise<T>): Promise<T> {
    for (;;) {
      const receipt = this.#message.receipt;
      try {
        return await request(receipt);
      } catch (error) {
        if (!(error instanceof LeaseLost)) throw error;
        if (receipt !== this.#message.receipt) continue;
        this.#isLost = true;
        throw error;
      }
    }
  }

  #say(what: string, type: "lease extended" | "lease not extended"): void {
    const { clock, emit } = this.#options;
    const { job } = this.#message;
    const now = clock.boottime();
    if (now - this.#toldAt < TELL_EVERY_MS) return;
    this.#toldAt = now;
    emit({ type, job: job.id, attempt: job.attempts, what });
  }

  /** The message has come again: this receipt is the one that counts now. */
  renew(newer: Pick<Message, "receipt" | "receiveCount" | "isLast">): void {
    // Answers may overtake each other.
    if (newer.receiveCount < this.#message.receiveCount) return;
    this.#options.queue.renew(this.#message.receipt, newer.receipt);
    this.#message = { ...this.#message, ...newer };
  }

  /** Tells the queue what was decided, for as long as the lease can be kept. */
  async settle(verdict: Verdict): Promise<Told> {
    this.#isTelling = true;
    // What was given up so that its tree could be ended in time may be ours still.
    this.#isOver = this.#isNotOurs;
    const told = verdict.kind === "leave" ? ({ kind: "told" } as const) : await this.#settle(verdict);
    this.#isOver ||= told.kind !== "failed";
    return told;
  }

  async #settle(verdict: Verdict): Promise<Told> {
    for (;;) {
      try {
        await this.#inTurn(() => this.#tell(verdict));
        return { kind: "told" };
      } catch (error) {
        if (error instanceof LeaseLost) return { kind: "lost" };
        if (!(error instanceof QueueTrouble)) throw error;
        if (error.kind !== "transient") return { kind: "failed", trouble: error };
      }
      this.look();
      await this.#options.clock.sleep(TELL_AGAIN_MS);
    }
  }

  /** A beat that was under way may have shown that there is nothing to tell. */
  async #tell(verdict: Verdict): Promise<void> {
    if (this.#isNotOurs) throw new LeaseLost(this.#message.receipt);
    await this.#withNewest((receipt) => tellOnce(this.#options.queue, receipt, verdict));
  }

  /** Keeps the message from everybody for a last time: nobody could do anything with it. */
  async park(milliseconds: number): Promise<void> {
    this.#isOver = true;
    try {
      await this.#inTurn(async () => {
        if (!this.#isNotOurs) await this.#withNewest((receipt) => this.#options.queue.extend(receipt, milliseconds));
      });
    } catch (error) {
      if (!(error instanceof LeaseLost) && !(error instanceof QueueTrouble)) throw error;
    }
  }
}
