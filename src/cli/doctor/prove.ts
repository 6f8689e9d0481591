import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../clock.ts";
import { DEFAULT_LIMITS } from "../../config/definition.ts";
import type { ProcessManager } from "../../process/manager.ts";
import type { Launch, RunningTree, Slot, StopOrder } from "../../process/port.ts";
import { Marks } from "./marked.ts";
import type { RungHere } from "./rungs.ts";
import { hasTakenForm, type Rung, type Shape } from "./shapes.ts";
import { Tools } from "./tools.ts";

/** What became of one shape on one rung. */
export type Verdict =
  | { readonly kind: "dies"; readonly tookMs: number }
  /** These lived when their tree was said to be gone; `later`: when no job ran any more. */
  | { readonly kind: "left"; readonly pids: readonly number[]; readonly later: "ended" | "left" }
  /** It was not said to be gone, though nothing of it lived. */
  | { readonly kind: "denied"; readonly said: string }
  /** Nothing was shown: it did not stand in time. */
  | { readonly kind: "unformed" }
  | { readonly kind: "cannot"; readonly why: string };

export interface Proof {
  readonly shape: Shape;
  readonly rung: Rung;
  readonly verdict: Verdict;
}

export interface ProveOptions {
  readonly rungs: readonly RungHere[];
  readonly shapes: readonly Shape[];
  readonly clock: Clock;
  /** `PATH` of what is started. */
  readonly path: string;
  /** Called when so many shapes have been seen to on a rung. */
  readonly onProgress: (rung: Rung, done: number) => void;
  /** When it is aborted, all that was started is ended at once. */
  readonly signal: AbortSignal;
}

/** As an abort does it, with little patience. */
const ORDER: StopOrder = { signal: "TERM", graceMs: 300 };
/** Milliseconds within which a shape has taken its form, also on a machine that is busy. */
const FORM_MS = 10_000;
const LOOK_EVERY_MS = 15;

/** Whether what the table of shapes says of it holds. */
export function isKept({ shape, rung, verdict }: Proof): boolean {
  if (verdict.kind === "left") return shape.escapes?.[rung] !== undefined && verdict.later === "ended";
  return verdict.kind === "dies" || verdict.kind === "cannot";
}

/** Starts every shape on every rung that can be had, ends it, and looks what is left. Leaves nothing behind. */
export async function prove(options: ProveOptions): Promise<Proof[]> {
  const marks = new Marks(options.clock);
  const directory = mkdtempSync(join(tmpdir(), "reeve-prove-"));
  const onAbort = (): void => void marks.endAll();
  options.signal.addEventListener("abort", onAbort);
  try {
    const proofs: Proof[] = [];
    for (const rung of options.rungs) proofs.push(...(await new Trial(options, rung, marks, directory).run()));
    return proofs;
  } finally {
    options.signal.removeEventListener("abort", onAbort);
    await marks.endAll();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** All shapes on one rung, side by side: they are nastier in company. */
class Trial {
  readonly #options: ProveOptions;
  readonly #here: RungHere;
  readonly #marks: Marks;
  readonly #directory: string;
  readonly #tools: Tools;
  #done = 0;

  constructor(options: ProveOptions, here: RungHere, marks: Marks, directory: string) {
    this.#options = options;
    this.#here = here;
    this.#marks = marks;
    this.#directory = join(directory, here.rung.replaceAll(" ", "-"));
    this.#tools = new Tools(options.path);
  }

  async run(): Promise<Proof[]> {
    const { shapes, signal } = this.#options;
    const { cannot: why } = this.#here;
    if (why !== null || signal.aborted) {
      return shapes.map((shape) => this.#proof(shape, { kind: "cannot", why: why ?? "it was stopped" }));
    }
    const manager = this.#here.manager();
    const proofs = await Promise.all(shapes.map(async (shape) => this.#proof(shape, await this.#try(shape, manager))));
    if (proofs.some(({ verdict }) => verdict.kind === "left")) await manager.sweep();
    const living = new Set(this.#marks.living().map(({ pid }) => pid));
    return proofs.map((proof) => ({ ...proof, verdict: afterSweep(proof.verdict, living) }));
  }

  #proof(shape: Shape, verdict: Verdict): Proof {
    this.#options.onProgress(this.#here.rung, (this.#done += 1));
    return { shape, rung: this.#here.rung, verdict };
  }

  async #try(shape: Shape, manager: ProcessManager): Promise<Verdict> {
    const missing = this.#tools.missing(shape);
    if (missing !== null) return { kind: "cannot", why: missing };
    const mark = this.#marks.make();
    const directory = join(this.#directory, mark);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const slot = manager.openSlot(directory);
    try {
      return await this.#startAndEnd(shape, mark, slot);
    } finally {
      slot.close();
    }
  }

  async #startAndEnd(shape: Shape, mark: string, slot: Slot): Promise<Verdict> {
    const { clock } = this.#options;
    const tree = slot.start(this.#launch(shape, mark));
    const hasForm = await this.#takesForm(shape, mark);
    const begun = clock.monotonic();
    tree.stop(ORDER);
    const said = await goneAtLast(tree);
    const tookMs = Math.round(clock.monotonic() - begun);
    const pids = this.#marks.living(mark).map(({ pid }) => pid);
    if (pids.length > 0) return { kind: "left", pids, later: "left" };
    if (said !== null) return { kind: "denied", said };
    return hasForm ? { kind: "dies", tookMs } : { kind: "unformed" };
  }

  #launch(shape: Shape, mark: string): Launch {
    const name = mark.replaceAll(".", "-");
    return {
      job: name,
      attempt: 1,
      role: "job",
      argv: this.#tools.command(shape, 'exec sleep "$1"', mark),
      cwd: this.#directory,
      environment: { PATH: this.#options.path },
      body: null,
      limits: { ...DEFAULT_LIMITS, graceMs: ORDER.graceMs, isolate: this.#here.isolate },
      jobDirectory: join(this.#directory, `${name}.kept`),
    };
  }

  /** False when it has not in time. */
  async #takesForm(shape: Shape, mark: string): Promise<boolean> {
    const { clock, signal } = this.#options;
    const end = clock.monotonic() + FORM_MS;
    // The main process, too, is a sleeper in the end.
    while (!hasTakenForm(shape, this.#marks.recent(mark), 1)) {
      if (signal.aborted || clock.monotonic() >= end) return false;
      await clock.sleep(LOOK_EVERY_MS);
    }
    return true;
  }
}

async function goneAtLast(tree: RunningTree): Promise<string | null> {
  await tree.exited;
  return tree.gone(ORDER);
}

function afterSweep(verdict: Verdict, living: ReadonlySet<number>): Verdict {
  if (verdict.kind !== "left") return verdict;
  return { ...verdict, later: verdict.pids.some((pid) => living.has(pid)) ? "left" : "ended" };
}
