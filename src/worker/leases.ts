import type { ActiveJob } from "./active-job.ts";
import { Lease } from "./lease.ts";
import type { Store } from "../store/store.ts";
import type { Ports } from "./ports.ts";

/** A machine that slept is noticed so late at most: timers stand still with it. */
const LOOK_EVERY_MS = 1000;
const SOONEST_MS = 5;
/** What is counted shares its commit with what has to be recorded. */
const COUNT_WITHIN_MS = 1000;

/** Keeps all leases of a worker. Nothing is done while there are none. */
export class Leases {
  readonly #ports: Pick<Ports, "clock" | "random" | "emit" | "store">;
  readonly #onFault: (error: unknown) => void;
  readonly #leases = new Set<Lease>();
  #cancel: (() => void) | null = null;

  constructor(ports: Pick<Ports, "clock" | "random" | "emit" | "store">, onFault: (error: unknown) => void) {
    this.#ports = ports;
    this.#onFault = onFault;
  }

  /** How many messages are ours, or are still to be told of. */
  get size(): number {
    return this.#leases.size;
  }

  /** Kept until its queue has been told what became of it. Null: what is recorded is all. */
  of(active: ActiveJob): Lease | null {
    const { queue, message, planned } = active.started;
    if (!queue) return null;
    const lease = new Lease({
      ...this.#ports,
      queue,
      message,
      endingMs: planned.limits.graceMs,
      onMissed: () => this.#count((tallies) => tallies.beatMissed(queue.name)),
      onLost: (why) => {
        this.#count((tallies) => tallies.leaseLost(queue.name));
        this.#lost(active, why);
      },
      onOver: () => active.kill(),
      onLast: () => void (active.isSuspended && active.end("stop")),
    });
    this.#leases.add(lease);
    this.#rearm();
    return lease;
  }

  #lost(active: ActiveJob, why: string): void {
    const { job } = active.started;
    this.#ports.emit({ type: "lease lost", job: job.id, attempt: job.attempts, why });
    active.end("lease lost");
  }

  #count(how: (tallies: Store["tallies"]) => void): void {
    const { store } = this.#ports;
    store.write(() => how(store.tallies), COUNT_WITHIN_MS).catch(this.#onFault);
  }

  /** Its queue has been told, or cannot be. */
  drop(lease: Lease): void {
    this.#leases.delete(lease);
    if (this.#leases.size === 0) this.#rearm();
  }

  #rearm(): void {
    this.#cancel?.();
    this.#cancel = null;
    if (this.#leases.size === 0) return;
    const soonest = Math.min(...[...this.#leases].map(({ dueAt }) => dueAt)) - this.#ports.clock.boottime();
    this.#cancel = this.#ports.clock.after(Math.max(SOONEST_MS, Math.min(soonest, LOOK_EVERY_MS)), () => {
      this.#cancel = null;
      for (const lease of this.#leases) lease.look();
      this.#rearm();
    });
  }

  /** Messages that came again while they were run have another receipt now. */
  async takeNewerReceipts(worker: string): Promise<void> {
    if (this.#leases.size === 0 || this.#newerReceipts(worker).length === 0) return;
    await this.#ports.store.write(() => this.takeNewerNow(worker));
  }

  /** The same, within a transaction. */
  takeNewerNow(worker: string): void {
    const { newerReceipts } = this.#ports.store.deliveries;
    for (const job of this.#newerReceipts(worker)) newerReceipts.handedOver(job);
  }

  /** Gives the rows of the jobs whose leases have another receipt now. */
  #newerReceipts(worker: string): readonly number[] {
    const newer = this.#ports.store.deliveries.newerReceipts.of(worker);
    for (const lease of this.#leases) {
      const again = newer.get(lease.message.job.seq);
      if (again) lease.renew(again);
    }
    return [...newer.keys()];
  }
}
