import type { Clock } from "../../src/clock.ts";
import { LeaseLost, QueueTrouble, type RemoteQueue, type Terms } from "../../src/queue/port.ts";

export type AnswerKind = "ok" | "transient" | "refused" | "lost";

/** A request about a message. */
export interface Asked {
  readonly verb: "extend" | "acknowledge" | "release" | "bury";
  readonly receipt: string;
  /** By the clock that runs while the machine sleeps. */
  readonly at: number;
  /** Milliseconds of an extension, or of a delay. */
  readonly forMs: number | null;
  /** Null: it is under way. */
  answer: AnswerKind | null;
}

interface Settings {
  readonly name: string;
  readonly weight: number;
  readonly mostAtOnce: number;
  readonly terms: Terms;
}

const CALL_LIMIT_MS = 10_000;

/**
 * A queue elsewhere whose answers come when a test gives them; what gets none ends as the transport ends it. It knows
 * what nobody may ask of it about one message, and keeps that as `broken`.
 */
export class ToldQueue implements RemoteQueue {
  readonly name: string;
  readonly weight: number;
  readonly mostAtOnce: number;
  readonly terms: Terms;
  readonly putBackMs = 21_000;
  readonly asked: Asked[] = [];
  readonly broken: string[] = [];
  readonly #clock: Clock;
  readonly #renewed = new Map<string, string>();
  #underway: { readonly asked: Asked; readonly end: (kind: AnswerKind, grantedMs?: number) => void } | null = null;

  constructor(clock: Clock, settings: Partial<Settings> = {}) {
    this.#clock = clock;
    this.name = settings.name ?? "told";
    this.weight = settings.weight ?? 1;
    this.mostAtOnce = settings.mostAtOnce ?? 10;
    this.terms = settings.terms ?? { visibilityMs: 60_000, beatMs: 20_000 };
  }

  /** It waits for nothing. */
  hurry(): void {}

  get underway(): Asked | null {
    return this.#underway?.asked ?? null;
  }

  /** Of the request that is under way. */
  answer(kind: AnswerKind, grantedMs?: number): void {
    if (!this.#underway) throw new Error("nothing was asked");
    this.#underway.end(kind, grantedMs);
  }

  #ask(verb: Asked["verb"], receipt: string, forMs: number | null, limitMs: number): Promise<number> {
    const asked: Asked = { verb, receipt, at: this.#clock.boottime(), forMs, answer: null };
    this.#judge(asked);
    this.asked.push(asked);
    const answered = Promise.withResolvers<number>();
    const end = (kind: AnswerKind, grantedMs = forMs ?? 0): void => {
      cancel();
      this.#underway = null;
      asked.answer = kind;
      if (kind === "ok") answered.resolve(grantedMs);
      else if (kind === "lost") answered.reject(new LeaseLost(receipt));
      else answered.reject(new QueueTrouble(kind, `${verb} failed: ${kind}`));
    };
    const cancel = this.#clock.after(limitMs, () => end("transient"));
    this.#underway = { asked, end };
    return answered.promise;
  }

  #judge({ verb, receipt }: Asked): void {
    const settled = this.asked.find((one) => one.verb !== "extend" && one.answer === "ok");
    const lost = this.asked.some((one) => one.answer === "lost" && !this.#renewed.has(one.receipt));
    if (this.underway) this.broken.push(`${verb} beside ${this.underway.verb}`);
    if (settled) this.broken.push(`${verb} after ${settled.verb}`);
    if (lost) this.broken.push(`${verb} of what is lost`);
    if (this.#renewed.has(receipt)) this.broken.push(`${verb} with an old receipt`);
  }

  extend(receipt: string, milliseconds: number): Promise<number> {
    return this.#ask("extend", receipt, milliseconds, Math.min(this.terms.visibilityMs / 2, CALL_LIMIT_MS));
  }

  async acknowledge(receipt: string): Promise<void> {
    await this.#ask("acknowledge", receipt, null, CALL_LIMIT_MS);
  }

  async release(receipt: string, delayMs: number): Promise<void> {
    await this.#ask("release", receipt, delayMs, CALL_LIMIT_MS);
  }

  async bury(receipt: string): Promise<void> {
    await this.#ask("bury", receipt, null, 2 * CALL_LIMIT_MS);
  }

  renew(receipt: string, newer: string): void {
    this.#renewed.set(receipt, newer);
  }

  receive(): Promise<never[]> {
    throw new Error("nothing is received here");
  }

  nextDue(): null {
    return null;
  }

  isDrained(): boolean {
    return true;
  }

  async close(): Promise<void> {}
}
