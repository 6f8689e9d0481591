import { describeEnding } from "../store/endings.ts";
import type { Ending } from "../store/job.ts";
import { isMissingProgram, isShortOfResources } from "./ending.ts";
import type { Ports } from "./ports.ts";

const FIRST_MS = 1000;
const LONGEST_MS = 60_000;

/** What this worker does not take for a while: a definition whose program is missing, or anything at all. */
export class Pauses {
  readonly #ports: Pick<Ports, "clock" | "emit">;
  readonly #wake: () => void;
  readonly #paused = new Set<string>();
  readonly #steps = new Map<string | null, number>();
  #nothing = false;

  constructor(ports: Pick<Ports, "clock" | "emit">, wake: () => void) {
    this.#ports = ports;
    this.#wake = wake;
  }

  get definitions(): readonly string[] {
    return [...this.#paused];
  }

  get takesNothing(): boolean {
    return this.#nothing;
  }

  /** `stays`: this worker can wait for a program to be installed. */
  ended(definition: string | null, ending: Ending, stays: boolean): void {
    if (isShortOfResources(ending)) this.takeNothing(ending);
    else if (stays && definition !== null && isMissingProgram(ending)) this.pause(definition, ending);
    else this.worked(definition);
  }

  pause(definition: string, ending: Ending): void {
    if (this.#paused.has(definition)) return;
    this.#paused.add(definition);
    const forMs = this.#nextStep(definition);
    const why = describeEnding({ ending, cause: null });
    this.#ports.emit({ type: "definition paused", definition, why, forMs });
    this.#ports.clock.after(forMs, () => {
      this.#paused.delete(definition);
      this.#wake();
    });
  }

  /** No memory, no descriptors, no processes left: more of the same would only fail too. */
  takeNothing(ending: Ending): void {
    if (this.#nothing) return;
    this.#nothing = true;
    const forMs = this.#nextStep(null);
    this.#ports.emit({ type: "taking nothing", why: describeEnding({ ending, cause: null }), forMs });
    this.#ports.clock.after(forMs, () => {
      this.#nothing = false;
      this.#wake();
    });
  }

  /** A start that succeeded begins the backoff anew. */
  worked(definition: string | null): void {
    if (this.#steps.size === 0) return;
    this.#steps.delete(null);
    if (definition !== null) this.#steps.delete(definition);
  }

  #nextStep(what: string | null): number {
    const step = this.#steps.get(what) ?? 0;
    this.#steps.set(what, step + 1);
    return Math.min(FIRST_MS * 2 ** step, LONGEST_MS);
  }
}
