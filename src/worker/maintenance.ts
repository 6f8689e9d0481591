import { messageOf } from "../errors.ts";
import type { Ports } from "./ports.ts";
import { removeLeftovers } from "./leftovers.ts";
import { reap } from "./reaper.ts";
import type { Recovery } from "./recovery.ts";
import { giveUpUnseen, type UnseenOptions } from "./unseen.ts";

export interface MaintenanceOptions extends UnseenOptions {
  readonly ports: Ports;
  readonly recovery: Recovery;
  /** Milliseconds between rounds. */
  readonly recoveryIntervalMs: number;
  /** Beside a command: it is begun with only where there is something to do, and ends nothing when it fails. */
  readonly foreground: boolean;
  /** After each round: what was put back may be claimed. */
  readonly poke: () => void;
  readonly onFault: (error: unknown) => void;
}

/** What is done now and then beside the jobs: recovery for dead workers, destruction, a look at the store's file. */
export class Maintenance {
  readonly #options: MaintenanceOptions;
  #rounds = 0;
  #hasAdopted = false;
  #stopped = false;
  #cancel: () => void = () => {};
  #round: Promise<void> = Promise.resolve();

  constructor(options: MaintenanceOptions) {
    this.#options = options;
  }

  /** Whether the dead that were there at the start have been seen to. */
  get hasRecovered(): boolean {
    return this.#rounds > 0;
  }

  /** Whether what has outlived these has been adopted. */
  get hasAdopted(): boolean {
    return this.#hasAdopted || this.#options.foreground;
  }

  start(): void {
    if (this.#options.foreground && !this.#isNeeded()) this.#later();
    else this.#begin();
  }

  /** Where nothing but commands in the foreground is ever run, they have to see to it. */
  #isNeeded(): boolean {
    const { ports, recovery } = this.#options;
    return ports.store.forgetting.due(ports.clock.now(), 1).length > 0 || recovery.isNeeded();
  }

  #begin(): void {
    const { foreground, onFault, ports } = this.#options;
    this.#round = this.#go().catch((error: unknown) => {
      if (foreground) ports.emit({ type: "trouble", what: messageOf(error) });
      else onFault(error);
    });
  }

  #later(): void {
    this.#cancel = this.#options.ports.clock.after(this.#options.recoveryIntervalMs, () => this.#begin());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#round;
  }

  async #go(): Promise<void> {
    const { ports, recovery, poke } = this.#options;
    ports.store.mustBeInPlace();
    await recovery.pass(() => {
      this.#hasAdopted = true;
      poke();
    });
    await giveUpUnseen(this.#options);
    removeLeftovers(ports);
    if (!this.#stopped) await reap(ports);
    if (!this.#stopped) await ports.processes.sweep();
    this.#rounds += 1;
    poke();
    if (!this.#stopped) this.#later();
  }
}
