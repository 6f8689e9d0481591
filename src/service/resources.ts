import { answerResult } from "./result.ts";
import { changeJob, changeParameter, changeParameters, changing, deleteJob } from "./changes.ts";
import { createJob } from "./creation.ts";
import { xmlAnswer } from "./answers.ts";
import { capabilitiesXml } from "../uws/capabilities.ts";
import { answerHealth, answerMetrics } from "./health.ts";
import { answerIndex } from "./index-page.ts";
import { answerAsset, shownIndex, shownJob, shownList } from "./showing.ts";
import type { Exchange, List, ListedJob } from "./ports.ts";
import {
  answerDestruction,
  answerDuration,
  answerError,
  answerJob,
  answerList,
  answerOwner,
  answerParameter,
  answerParameters,
  answerPhase,
  answerQuote,
  answerResults,
} from "./reading.ts";

export type Method = "GET" | "POST" | "DELETE";
type Answer = Response | Promise<Response>;

/** What can be done with a resource; a method that is not here is not allowed. */
export type Resource<Target extends readonly unknown[]> = Readonly<
  Partial<Record<Method, (exchange: Exchange, ...target: Target) => Answer>>
>;

/** The service itself. */
export const INDEX: Resource<[]> = { GET: shownIndex(answerIndex) };

/** `/-/{name}`: a file of the pages. */
export const ASSET: Resource<[string]> = { GET: answerAsset };

/** `/{name}`, which no definition can be called. */
export const OF_SERVICE: Readonly<Record<string, Resource<[]>>> = {
  metrics: { GET: answerMetrics },
  health: { GET: answerHealth },
};

/** `/{list}`. */
export const LIST: Resource<[List]> = { GET: shownList(answerList), POST: createJob };

/** `/{list}/{name}`, where that is no job. */
export const OF_LIST: Readonly<Record<string, Resource<[List]>>> = {
  capabilities: { GET: (_, { url }) => xmlAnswer(capabilitiesXml(url)) },
};

/** `/{list}/{id}`. */
export const JOB: Resource<[ListedJob]> = { GET: shownJob(answerJob), POST: changeJob, DELETE: deleteJob };

/** `/{list}/{id}/{name}`. */
export const OF_JOB: Readonly<Record<string, Resource<[ListedJob]>>> = {
  phase: { GET: answerPhase, POST: changing("phase") },
  executionduration: { GET: answerDuration, POST: changing("executionDuration") },
  destruction: { GET: answerDestruction, POST: changing("destruction") },
  error: { GET: answerError },
  quote: { GET: answerQuote },
  owner: { GET: answerOwner },
  results: { GET: answerResults },
  parameters: { GET: answerParameters, POST: changeParameters },
};

/** `/{list}/{id}/{name}/…`: what the rest names. */
export const WITHIN_JOB: Readonly<Record<string, Resource<[ListedJob, string]>>> = {
  results: { GET: (exchange, { job }, id) => answerResult(exchange, job, id) },
  parameters: { GET: answerParameter, POST: changeParameter },
};
