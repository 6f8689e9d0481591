import type { Launch, TreeName } from "../../src/process/port.ts";
import type { Ending } from "../../src/store/job.ts";
import type { Life } from "./life.ts";
import type { Sender, VirtualProcess } from "./process-table.ts";
import type { Kept } from "./processes.ts";
import type { How } from "./programs.ts";

/** What one tree really did, whatever anybody wrote down of it. */
export interface TreeFacts {
  readonly launch: Launch;
  /** Whose child it is. */
  readonly life: Life;
  readonly main: VirtualProcess;
  /** Where its end is kept; null: nowhere. */
  readonly kept: Kept | null;
  /** Who has it now; null: it was let go, or its end was told. */
  holder: Life | null;
  end: MainEnd | null;
}

export interface MainEnd {
  readonly how: How;
  readonly at: number;
  /** Milliseconds that it ran, without those in which it stood still. */
  readonly ranMs: number;
  /** Who sent the signal that it died by; null: it ended by itself. */
  readonly killer: Sender | null;
  /** Who asked it to end. */
  readonly asked: VirtualProcess["asked"];
}

/** One attempt: its own tree, and those that cleaned up after it. */
export interface AttemptFacts {
  tree: TreeFacts | null;
  readonly tries: TreeFacts[];
}

/** Saw all trees, from the spawn to the end. */
export class Witness {
  readonly #attempts = new Map<string, AttemptFacts>();
  readonly #byPid = new Map<number, TreeFacts>();

  of({ job, attempt }: Pick<TreeName, "job" | "attempt">): AttemptFacts {
    const name = `${job}.${attempt}`;
    const known = this.#attempts.get(name) ?? { tree: null, tries: [] };
    this.#attempts.set(name, known);
    return known;
  }

  spawned(life: Life, launch: Launch, main: VirtualProcess, kept: Kept | null): void {
    const facts: TreeFacts = { launch, life, main, kept, holder: life, end: null };
    this.#byPid.set(main.pid, facts);
    const attempt = this.of(launch);
    if (launch.role === "job") attempt.tree = facts;
    else attempt.tries.push(facts);
  }

  ended(main: VirtualProcess, how: How, at: number): TreeFacts | undefined {
    const facts = this.#byPid.get(main.pid);
    if (facts) facts.end = { how, at, ranMs: main.ranMs, killer: main.killer, asked: main.asked };
    return facts;
  }
}

/** It ended by itself, and nobody had asked it to. */
export const endedByItself = (end: MainEnd | null): boolean =>
  end !== null && end.killer === null && end.asked.size === 0;

export const endingOf = ({ how }: MainEnd): Ending =>
  how.code === null ? { kind: "signalled", signal: how.signal } : { kind: "exited", code: how.code };
