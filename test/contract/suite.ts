import { messageOf } from "../../src/errors.ts";

type RuntimeName = "bun" | "deno";

/** One promise of a port, to be kept by every implementation on every runtime. */
export interface Case<Subject> {
  readonly name: string;
  run(subject: Subject): Promise<void>;
  /** Runtimes that do not keep it, and why. One that does after all is a mistake in this list. */
  readonly exceptions?: Partial<Readonly<Record<RuntimeName, string>>>;
}

/** What became of a case, as it is printed by a runtime that has no `bun test`. */
export interface Line {
  readonly name: string;
  readonly ok: boolean;
  readonly error?: string;
  /** Why this runtime does not keep the promise. */
  readonly exception?: string;
}

/** Runs one case on this runtime. An exception is all right only as long as it is one. */
export async function runCase<S>(one: Case<S>, subject: S, runtime: RuntimeName): Promise<Line> {
  const { name } = one;
  const exception = one.exceptions?.[runtime];
  const error = await failureOf(() => one.run(subject));
  if (exception === undefined) return error === null ? { name, ok: true } : { name, ok: false, error };
  if (error !== null) return { name, ok: true, exception };
  return { name, ok: false, exception, error: `${runtime} keeps this promise by now: it is no exception any more` };
}

async function failureOf(run: () => Promise<void>): Promise<string | null> {
  try {
    await run();
    return null;
  } catch (error) {
    return error instanceof Error && error.stack ? error.stack : messageOf(error);
  }
}

/**
 * One line of JSON for each case, in order. The first argument of the program says how many to leave out: a case that
 * takes the whole process with it must not hide the others.
 */
export async function printCases<S>(cases: readonly Case<S>[], subject: S, runtime: RuntimeName): Promise<void> {
  const done = Number(process.argv[2] ?? 0);
  for (const one of cases.slice(done)) console.log(JSON.stringify(await runCase(one, subject, runtime)));
}
