import type { Exit } from "../../src/runtime/port.ts";
import type { Random } from "./random.ts";

export type How = Pick<Exit, "code" | "signal">;

/** A process that another one leaves behind. */
export interface Child {
  readonly runMs: number;
  /** Whether it ends when it is asked to. */
  readonly obeys: boolean;
}

/** What one virtual process will do. */
export interface Behaviour {
  /** The errno of a spawn that does not succeed. */
  readonly refusal: string | null;
  readonly runMs: number;
  readonly exit: How;
  /** How it ends on a signal that asks it to; null: it takes no notice. */
  readonly onTerm: How | null;
  /** How long that takes it. */
  readonly windUpMs: number;
  /** What it forks while it runs, by the milliseconds that it has run by then. */
  readonly children: readonly (Child & { readonly afterMs: number })[];
  /** What it was just forking when it ends. */
  readonly strays: readonly Child[];
  /** So long it waits in the kernel, where not even KILL reaches it. */
  readonly unkillableMs: number;
  /** So long after its start it takes its worker down with it. */
  readonly fatalAfterMs: number | null;
}

/** Exit codes that the limits of all jobs give a meaning. */
export const REJECT_CODE = 77;
export const RELEASE_CODE = 75;

const exit = (code: number): How => ({ code, signal: null });
const signalled = (signal: string): How => ({ code: null, signal });

/** What ends well, and soon. */
export const PLAIN: Behaviour = {
  refusal: null,
  runMs: 10,
  exit: exit(0),
  onTerm: signalled("SIGTERM"),
  windUpMs: 0,
  children: [],
  strays: [],
  unkillableMs: 0,
  fatalAfterMs: null,
};

type Programs = Readonly<Record<string, (random: Random) => Partial<Behaviour>>>;

const either = (random: Random, code: number): How => exit(random.chance(0.5) ? code : 0);

/** What a job may run, by the name that is its argv. */
const PROGRAMS: Programs = {
  quick: (random) => ({ runMs: random.between(0, 30) }),
  steady: (random) => ({ runMs: random.between(100, 8000), exit: exit(random.chance(0.95) ? 0 : 1) }),
  flaky: (random) => ({ runMs: random.between(1, 3000), exit: either(random, 1) }),
  failing: (random) => ({ runMs: random.between(1, 1000), exit: exit(1) }),
  rejecting: (random) => ({ runMs: random.between(1, 500), exit: either(random, REJECT_CODE) }),
  later: (random) => ({ runMs: random.between(1, 500), exit: either(random, RELEASE_CODE) }),
  crashing: (random) => ({ runMs: random.between(1, 2000), exit: signalled("SIGSEGV") }),
  killed: (random) => ({ runMs: random.between(1, 2000), exit: random.chance(0.5) ? signalled("SIGKILL") : exit(143) }),
  long: (random) => ({ runMs: random.between(20_000, 90_000), onTerm: random.pick([exit(0), exit(143), exit(1)]) }),
  careful: (random) => ({
    runMs: random.between(5000, 60_000),
    onTerm: random.pick([exit(0), signalled("SIGTERM")]),
    windUpMs: random.between(100, 15_000),
  }),
  stubborn: (random) => ({ runMs: random.between(5000, 60_000), onTerm: null }),
  crowded: (random) => ({
    runMs: random.between(1000, 40_000),
    children: [1, 2, 3].map(() => ({
      afterMs: random.between(0, 5000),
      runMs: random.between(1, 60_000),
      obeys: random.chance(0.5),
    })),
  }),
  littering: (random) => ({
    runMs: random.between(1, 3000),
    strays: [1, 2].map(() => ({ runMs: random.between(1, 60_000), obeys: random.chance(0.5) })),
  }),
  missing: (random) => ({ refusal: random.chance(0.6) ? "ENOENT" : null }),
  oversized: () => ({ refusal: "E2BIG" }),
  murderous: (random) => ({
    runMs: random.between(500, 3000),
    fatalAfterMs: random.chance(0.7) ? random.between(0, 400) : null,
  }),
  stuck: (random) => ({ runMs: random.between(1000, 20_000), unkillableMs: random.between(1000, 40_000) }),
};

/** What cleans up after a job. */
const EXIT_HANDLERS: Programs = {
  tidies: (random) => ({ runMs: random.between(1, 3000) }),
  "tidies slowly": (random) => ({ runMs: random.between(3000, 40_000) }),
  "tidies sometimes": (random) => ({ runMs: random.between(1, 2000), exit: either(random, 1) }),
  "does not tidy": (random) => ({ runMs: random.between(1, 1000), exit: exit(1) }),
  "tidies for ever": (random) => ({ runMs: random.between(10_000, 90_000), onTerm: random.pick([null, exit(0)]) }),
  "tidies and litters": (random) => ({
    runMs: random.between(1, 1000),
    children: [{ afterMs: 0, runMs: random.between(1, 60_000), obeys: random.chance(0.5) }],
    strays: [{ runMs: random.between(1, 60_000), obeys: random.chance(0.5) }],
  }),
  "breaks while it tidies": (random) => ({ runMs: random.between(1, 1000), exit: signalled("SIGSEGV") }),
  "is not there": () => ({ refusal: "ENOENT" }),
  "tidies murderously": (random) => ({
    runMs: random.between(100, 2000),
    fatalAfterMs: random.chance(0.5) ? random.between(0, 400) : null,
  }),
};

/** Those that run long enough for something to happen to them are met more often. */
export const LONG = ["steady", "long", "careful", "stubborn", "crowded", "stuck"];

export const PROGRAM_NAMES: readonly string[] = [...Object.keys(PROGRAMS), ...LONG];
export const EXIT_HANDLER_NAMES: readonly string[] = Object.keys(EXIT_HANDLERS);

export function behaviourOf(name: string, random: Random): Behaviour {
  const program = PROGRAMS[name] ?? EXIT_HANDLERS[name];
  if (!program) throw new Error(`there is no virtual program ${name}`);
  return { ...PLAIN, ...program(random) };
}
