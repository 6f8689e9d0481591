import type { Job } from "../store/job.ts";
import { isPhase, type Phase } from "../store/phases.ts";
import { errorSummary, errorTextOf, isoTime, MASK, shownOwner } from "../uws/document.ts";
import { readFilters, valuesOf } from "../uws/filters.ts";
import { durationOf, jobsFrame, jobXml, parametersXml, resultsXml } from "../uws/job-xml.ts";
import { quoteOf } from "../uws/quote.ts";
import { listResults } from "../uws/results.ts";
import { textAnswer, xmlAnswer, xmlStream } from "./answers.ts";
import { jobsDocument } from "./jobs-document.ts";
import { answerUpload } from "./result.ts";
import { hasList } from "./owners.ts";
import type { Exchange, List, ListedJob } from "./ports.ts";
import { factsFor, jobFor } from "./told.ts";
import { busy, malformed, notFound, RETRY_SECONDS, tooMany } from "./refusal.ts";

/** A page is read at once, so that a huge list does not hold up everybody else. */
export function answerList({ store, query, caller }: Exchange, { definition, url }: List): Response {
  const filters = readFilters(query);
  if ("problem" in filters) throw malformed(filters.problem);
  if (!hasList(caller)) return xmlAnswer(jobsFrame.start + jobsFrame.end);
  const { owner } = caller;
  const document = jobsDocument(store, { ...filters, owner, definition: definition?.name ?? null }, url);
  return typeof document === "string" ? xmlAnswer(document) : xmlStream(document);
}

/** UWS 1.1, section 2.2.1.3: only in these phases is a change waited for. */
const PASSING: ReadonlySet<Phase> = new Set(["PENDING", "QUEUED", "EXECUTING"]);

/** The job, when it has left its phase if that is asked for. */
export async function answerJob(exchange: Exchange, { job, url }: ListedJob): Promise<Response> {
  const { query, waiters, request, store } = exchange;
  const milliseconds = request.method === "HEAD" ? 0 : waitOf(exchange);
  if (milliseconds === 0 || !PASSING.has(job.phase) || !isWaitedFor(job, query)) {
    return xmlAnswer(documentOf(exchange, job, url));
  }
  refuseCrowd(exchange);
  await waiters.wait(job, milliseconds, request.signal);
  return xmlAnswer(documentOf(exchange, existing(store.jobs.bySeq(job.seq)), url));
}

function refuseCrowd({ waiters, caller: { owner }, limits }: Exchange): void {
  if (waiters.isFull) throw busy("Too many requests wait for changes of jobs.");
  if (owner === null || waiters.countOf(owner) < limits.waitersPerOwner) return;
  throw tooMany("Too many of your requests wait for changes of jobs.", RETRY_SECONDS);
}

/** In milliseconds; what is no number of seconds asks for nothing. */
function waitOf({ query, limits }: Exchange): number {
  const [text = "", another] = valuesOf(query, "wait");
  if (another !== undefined) return 0;
  if (text === "-1") return limits.waitMs;
  return /^\d+$/.test(text) ? Math.min(Number(text) * 1000, limits.waitMs) : 0;
}

/** With PHASE, only a job that is in it is waited for. */
function isWaitedFor({ phase }: Job, query: URLSearchParams): boolean {
  const phases = valuesOf(query, "phase");
  return phases.length === 0 || phases.filter(isPhase).includes(phase);
}

function existing(job: Job | undefined): Job {
  if (job) return job;
  throw notFound();
}

/** What is read of it beside its row is of one moment. */
function documentOf(exchange: Exchange, job: Job, url: string): string {
  const { store } = exchange;
  return store.atOnce(() => {
    const facts = factsFor(exchange, job);
    return jobXml({ ...facts, listed: listResults(store, job, facts.results), url });
  });
}

type Read = (exchange: Exchange, target: ListedJob) => Response;

export const answerPhase: Read = (_, { job }) => textAnswer(job.phase);
export const answerDuration: Read = (_, { job }) => textAnswer(String(durationOf(job)));
export const answerDestruction: Read = (_, { job }) => textAnswer(isoTime(job.destruction) ?? "");
export const answerOwner: Read = (_, { job }) => textAnswer(shownOwner(job) ?? "");
export const answerQuote: Read = ({ store, clock }, { job }) =>
  textAnswer(isoTime(quoteOf(store, job, clock.now())) ?? "");

export function answerError({ caller }: Exchange, { job }: ListedJob): Response {
  const error = errorSummary(jobFor(caller, job));
  return textAnswer(error === null ? "" : errorTextOf(error));
}

export const answerResults: Read = ({ store }, { job, url }) => xmlAnswer(resultsXml(listResults(store, job), url));

export const answerParameters: Read = ({ store }, { job, url }) =>
  xmlAnswer(parametersXml(store.jobs.inputs(job.seq).parameters, url));

/** The value by itself; the items of a list are lines, and what came as a file is given back as one. */
export function answerParameter(exchange: Exchange, { job }: ListedJob, name: string): Response {
  const { store } = exchange;
  const wanted = name.toLowerCase();
  const parameter = store.jobs.inputs(job.seq).parameters.find((one) => one.name.toLowerCase() === wanted);
  if (!parameter) throw notFound();
  const { secret, type, values } = parameter;
  if (secret || type === undefined) return textAnswer(secret ? MASK : values.join("\n"));
  return answerUpload(exchange, job, values[0] ?? "", type);
}
