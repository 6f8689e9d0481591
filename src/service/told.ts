import type { Job, JobError } from "../store/job.ts";
import { readFacts, type JobFacts } from "../uws/document.ts";
import { quoteOf } from "../uws/quote.ts";
import type { Caller, Exchange } from "./ports.ts";

/** Where and as what a job runs is the operator's business: the local user's, that is. */
const isOperator = ({ owner }: Caller): boolean => owner === null;

/** As `explainSpawn` words it. */
const PROGRAM = /"(?:[^"\\]|\\.)*" was not started: /;
const DIRECTORY = /its directory .* is not there/s;
const withoutPlaces = (text: string): string =>
  text.replace(PROGRAM, "").replace(DIRECTORY, "its directory is not there");

/** A job as a caller may know it: nobody else has a use for what the command line would tell further. */
export function jobFor(caller: Caller, job: Job): Job {
  if (isOperator(caller) || job.error === null) return job;
  // The store itself wrote it.
  const { hint: _, detail: __, ...error } = JSON.parse(job.error) as JobError;
  return { ...job, error: JSON.stringify({ ...error, message: withoutPlaces(error.message) }) };
}

/** All that a caller may know of a job. */
export function factsFor({ store, clock, caller }: Exchange, job: Job): JobFacts {
  const facts = readFacts(store, jobFor(caller, job), quoteOf(store, job, clock.now()));
  if (isOperator(caller)) return facts;
  return {
    ...facts,
    attempts: facts.attempts.map((one) => ({ ...one, detail: one.detail && withoutPlaces(one.detail) })),
    // It has addresses in it.
    workerTrouble: facts.workerTrouble && "it is kept from its queue",
  };
}
