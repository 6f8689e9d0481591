import { placeOfCaller, type Place } from "./places.ts";

/** What was defined, and where. */
export interface DefinedJob {
  readonly source: Readonly<Record<string, unknown>>;
  readonly place: Place | null;
}

const defined = new Map<unknown, DefinedJob>();

/** Remembers a job that a module is defining at this moment. */
export const register = (job: object, source: DefinedJob["source"]): void =>
  void defined.set(job, { source, place: placeOfCaller() });

/** Everything that was defined in this process so far, in that order. */
export const definedJobs = (): ReadonlyMap<unknown, DefinedJob> => defined;
