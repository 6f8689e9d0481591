import type { Clock } from "../clock.ts";
import type { Limits } from "../config/definition.ts";
import { messageOf } from "../errors.ts";
import type { LeftOut } from "../store/job.ts";
import { OutputCut } from "./output-cut.ts";
import { OutputTimes } from "./output-times.ts";
import type { OutputFile, Probes } from "./probes.ts";

/** Between looks at an output that grows, in milliseconds: so exact are times, and so long may a limit be exceeded. */
const FASTEST_LOOK_MS = 20;
/** The same while nothing is written. A write that follows a long silence is seen late, but its time is right. */
const SLOWEST_LOOK_MS = { forTimes: 100, forLimit: 1000 };

/** What of the limits concerns output. */
export type OutputLimits = Pick<Limits, "output" | "outputLimitBytes" | "timestamps">;

/** Up to which offset an output may be cut, since whoever is to see it has seen it. */
export type SeenUpTo = (file: OutputFile) => number;

/** Null: there is nothing to look after. */
export function keeperFor(probes: Probes, limits: OutputLimits, seen?: SeenUpTo): OutputKeeper | null {
  return limits.outputLimitBytes === null && !limits.timestamps ? null : new OutputKeeper(probes, limits, seen);
}

/**
 * Looks after the outputs of one attempt while the program writes them: takes the middle out of what is too long and
 * notes times. It looks by the clock, since the kernel's notices (inotify(7)) would make each write of the program
 * three times as dear.
 */
export class OutputKeeper {
  readonly #outputs: readonly KeptOutput[];
  readonly #slowestMs: number;
  readonly #warnings = new Set<string>();
  #delayMs = FASTEST_LOOK_MS;
  #cancel: (() => void) | null = null;
  #ended = false;

  constructor(probes: Probes, limits: OutputLimits, seen: SeenUpTo = () => Number.POSITIVE_INFINITY) {
    const files: readonly OutputFile[] = limits.output === "separate" ? ["output", "errors"] : ["output"];
    this.#outputs = files.map((file) => new KeptOutput(probes, file, limits, () => seen(file)));
    this.#slowestMs = limits.timestamps ? SLOWEST_LOOK_MS.forTimes : SLOWEST_LOOK_MS.forLimit;
  }

  /** Looks now and then, until it is stopped. */
  start(clock: Clock): void {
    this.#cancel = clock.after(this.#delayMs, () => {
      const grows = this.#lookAtAll(false);
      this.#delayMs = grows ? FASTEST_LOOK_MS : Math.min(this.#delayMs * 2, this.#slowestMs);
      this.start(clock);
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  /** Nothing is written any more: a last look. */
  end(): void {
    this.stop();
    if (!this.#ended) this.#lookAtAll(true);
    this.#ended = true;
  }

  leftOut(file: OutputFile): LeftOut | null {
    return this.#outputs.find((output) => output.file === file)?.leftOut ?? null;
  }

  /** What could not be done. */
  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  #lookAtAll(last: boolean): boolean {
    return this.#outputs.map((output) => this.#lookAt(output, last)).includes(true);
  }

  /** A full disk, or a slot that the job has taken apart, costs the job a warning and the worker nothing. */
  #lookAt(output: KeptOutput, last: boolean): boolean {
    try {
      const grows = output.look(last);
      if (last && output.isKeptWhole) this.#warnings.add(KEPT_WHOLE);
      return grows;
    } catch (error) {
      this.#warnings.add(`its output could not be looked after: ${messageOf(error)}`);
      return false;
    }
  }
}

const KEPT_WHOLE = "its output is kept whole, since this filesystem cannot give back the middle of a file";

/** One of the files that a program writes to. */
class KeptOutput {
  readonly file: OutputFile;
  readonly #probes: Probes;
  readonly #cut: OutputCut | null;
  readonly #times: OutputTimes | null;
  #size = 0;

  constructor(
    probes: Probes,
    file: OutputFile,
    { outputLimitBytes: limit, timestamps }: OutputLimits,
    seen: () => number,
  ) {
    this.file = file;
    this.#probes = probes;
    this.#cut = limit === null ? null : new OutputCut(probes, file, limit, seen);
    this.#times = timestamps ? new OutputTimes(probes, file) : null;
  }

  get leftOut(): LeftOut | null {
    return this.#cut?.leftOut ?? null;
  }

  get isKeptWhole(): boolean {
    return this.#cut?.isImpossible ?? false;
  }

  /** Whether something was written since the look before. */
  look(last: boolean): boolean {
    // Before the cut, which counts as a write to the file.
    const { size, writtenAt } = this.#probes.look(this.file);
    const grows = size !== this.#size;
    if (size < this.#size) this.#forget();
    this.#size = size;
    if (grows) this.#times?.look(size, writtenAt);
    if (grows || last) this.#cut?.look(size, last);
    return grows;
  }

  /** The program itself has cut its output off: it is another now. */
  #forget(): void {
    this.#cut?.forget();
    this.#times?.forget();
  }
}
