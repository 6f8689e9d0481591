/** What was defined, and where. */
export interface DefinedJob {
  readonly source: Readonly<Record<string, unknown>>;
  /** Made where it was defined, for its stack: what is in that is looked for only by those who tell of it. */
  readonly at: Error;
}

const defined = new Map<unknown, DefinedJob>();

/** Remembers a job that a module is defining at this moment. */
export const register = (job: object, source: DefinedJob["source"]): void =>
  void defined.set(job, { source, at: new Error("where") });

/** Everything that was defined in this process so far, in that order. */
export const definedJobs = (): ReadonlyMap<unknown, DefinedJob> => defined;
