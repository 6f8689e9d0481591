import type { Job, Parameter } from "../store/job.ts";
import type { JobRef } from "../store/jobs.ts";
import { errorSummary, errorTextOf, isoTime, MASK, shownOwner, type ErrorSummary, type JobFacts } from "./document.ts";
import { jobInfoMarkup } from "./job-info-xml.ts";
import type { ListedResult } from "./results.ts";
import { element, isXmlText, markup, sequence, xmlDocument, xmlFrame, type Markup } from "./xml.ts";

const NAMESPACES = {
  "xmlns:uws": "http://www.ivoa.net/xml/UWS/v1.0",
  "xmlns:xlink": "http://www.w3.org/1999/xlink",
  "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
};
const VERSION = { version: "1.1" };

/** What is longer, in characters, is given by reference. */
const LONGEST_VALUE = 50_000;
/** The schema's executionDuration is a 32-bit integer. */
export const LONGEST_DURATION = 2 ** 31 - 1;

/** What a document needs beside the facts that `--json` prints. */
export interface XmlFacts extends JobFacts {
  readonly listed: readonly ListedResult[];
  /** The absolute address of the job. */
  readonly url: string;
}

/** `uws:job`: UWS 1.1, section 2.2.2.2. */
export function jobXml(facts: XmlFacts): string {
  const { job, inputs, listed, url } = facts;
  const error = errorSummary(job);
  const parts = [
    element("uws:jobId", {}, job.id),
    job.runId === null ? null : element("uws:runId", {}, job.runId),
    nillable("uws:ownerId", shownOwner(job)),
    element("uws:phase", {}, job.phase),
    nillable("uws:quote", isoTime(facts.quote)),
    element("uws:creationTime", {}, isoTime(job.createdAt)),
    nillable("uws:startTime", isoTime(job.startedAt)),
    nillable("uws:endTime", isoTime(job.endedAt)),
    element("uws:executionDuration", {}, String(durationOf(job))),
    nillable("uws:destruction", isoTime(job.destruction)),
    element("uws:parameters", {}, parameterMarkup(inputs.parameters, url)),
    element("uws:results", {}, resultMarkup(listed, url)),
    error && errorMarkup(error),
    jobInfoMarkup(facts),
  ];
  return xmlDocument(element("uws:job", { ...NAMESPACES, ...VERSION }, ...parts));
}

/** Seconds, as clients are told them. */
export const durationOf = ({ executionDuration }: Job): number => Math.min(executionDuration, LONGEST_DURATION);

const nillable = (name: string, value: string | null): Markup =>
  value === null ? element(name, { "xsi:nil": "true" }) : element(name, {}, value);

/** Whether a value can stand in the document itself. */
export const isInline = (value: string): boolean => value.length <= LONGEST_VALUE && isXmlText(value);

function parameterMarkup(parameters: readonly Parameter[], url: string): Markup {
  return sequence(parameters.flatMap((parameter) => elementsOf(parameter, url)));
}

/** A list has an element for each of its items, which clients read as one. */
function elementsOf({ name, values, secret, type }: Parameter, url: string): Markup[] {
  const shown = secret ? [MASK] : values;
  if (type !== undefined || !shown.every(isInline)) {
    return [element("uws:parameter", { id: name, byReference: "true" }, addressOf(url, "parameters", name))];
  }
  return shown.map((value) => element("uws:parameter", { id: name, byReference: "false" }, value));
}

/** Each part of a path stands for itself, whatever is in it. */
export const addressOf = (url: string, ...names: readonly string[]): string =>
  names.reduce((before, name) => `${before}/${PLAIN_NAME.test(name) ? name : encodedPath(name)}`, url);

/** As nearly all of them are. */
const PLAIN_NAME = /^[\w-]+$/;
const encodedPath = (name: string): string => name.toWellFormed().split("/").map(encodeURIComponent).join("/");

const resultMarkup = (results: readonly ListedResult[], url: string): Markup =>
  sequence(
    results.map(({ id, type, size }) =>
      element("uws:result", {
        id,
        "xlink:type": "simple",
        "xlink:href": addressOf(url, "results", id),
        size: String(size),
        "mime-type": type,
      }),
    ),
  );

/** Of what is said in more than the message, the error's own resource has all. */
function errorMarkup(error: ErrorSummary): Markup {
  const hasDetail = String(errorTextOf(error) !== error.message || !isXmlText(error.message));
  return element("uws:errorSummary", { type: error.type, hasDetail }, element("uws:message", {}, error.message));
}

/** `uws:parameters`, which has no version. */
export const parametersXml = (parameters: readonly Parameter[], url: string): string =>
  xmlDocument(element("uws:parameters", NAMESPACES, parameterMarkup(parameters, url)));

/** `uws:results`, which has no version. */
export const resultsXml = (results: readonly ListedResult[], url: string): string =>
  xmlDocument(element("uws:results", NAMESPACES, resultMarkup(results, url)));

/** `uws:jobs`, in the order given, in pieces: before, between and after what {@link jobrefXml} gives. */
export const jobsFrame = xmlFrame("uws:jobs", { ...NAMESPACES, ...VERSION });

/** A job as an entry of a list; `url` is the list's. */
export function jobrefXml(job: JobRef, url: string): string {
  const { id, phase, runId, createdAt } = job;
  const owner = shownOwner(job);
  const run = runId === null ? null : markup`<uws:runId>${runId}</uws:runId>`;
  const whose = owner === null ? null : markup`<uws:ownerId>${owner}</uws:ownerId>`;
  return markup`<uws:jobref id="${id}" xlink:type="simple" xlink:href="${addressOf(url, id)}"><uws:phase>${phase}</uws:phase>${run}${whose}<uws:creationTime>${isoTime(createdAt)}</uws:creationTime></uws:jobref>`
    .xml;
}
