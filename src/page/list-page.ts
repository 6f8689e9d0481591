import type { Definition } from "../config/definition.ts";
import type { Job, Parameter } from "../store/job.ts";
import type { Phase } from "../store/phases.ts";
import { errorSummary, MASK } from "../uws/document.ts";
import type { Activity } from "./chart-frame.ts";
import { activitySection } from "./charts.ts";
import { addressFor, filterForm, isFiltered, type Asked } from "./filter-form.ts";
import { html, type Html, type Part } from "./html.ts";
import { chips } from "./index-page.ts";
import { emptiness, section, type Page } from "./layout.ts";
import { newJobForm } from "./new-job.ts";
import { shortId } from "./reasons.ts";
import { age, badge, counted, progressBar, took, type Progress } from "./words.ts";

/** A job, as far as a list shows it. */
export interface Row {
  readonly job: Job;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly progress: Progress | null;
}

/** Where the list goes on, as its addresses have it; null: it does not. */
export interface Further {
  readonly newer: string | null;
  readonly older: string | null;
}

export interface ListFacts {
  readonly root: string;
  readonly url: string;
  readonly path: string;
  readonly name: string;
  readonly definition: Definition | null;
  readonly asked: Asked;
  /** Why what is asked cannot be answered. */
  readonly problem: string | null;
  readonly rows: readonly Row[];
  readonly further: Further;
  /** How many jobs are like what is asked for; as a text, since beyond some nobody counts. */
  readonly total: string;
  /** False: who asks is nobody in particular, and would see what others made. */
  readonly isShown: boolean;
  readonly counts: ReadonlyMap<Phase, number>;
  readonly activity: Activity;
  readonly now: number;
}

/** The jobs of one list, and how to make another. */
export const listPage = (facts: ListFacts): Page => ({
  root: facts.root,
  title: facts.name,
  crumbs: [{ title: facts.name, path: null }],
  still: html`<div class="title">
      <h1>${facts.name}</h1>
      <p class="soft">
        ${facts.definition?.description ?? (facts.definition ? "" : "Jobs without a definition, made on the command line.")}
      </p>
    </div>
    ${facts.definition && newJobForm(facts.definition, facts.path)}${filterForm(facts.path, facts.asked, facts.problem)}`,
  live: listLive(facts),
  command: `curl ${facts.url}`,
});

/** The parts of it that change. */
export const listLive = (facts: ListFacts): Html[] => [
  section(
    "jobs",
    html`Jobs <span class="chips">${chips(facts.counts, facts.path, facts.asked.phases)}</span>`,
    jobsTable(facts),
    pager(facts),
  ),
  ...(facts.isShown ? [activitySection(facts.activity)] : []),
];

function jobsTable({ rows, isShown, asked, now, definition, further }: ListFacts): Html {
  if (!isShown)
    return emptiness("Jobs of those who do not say who they are stand in no list: keep the address of yours.");
  if (rows.length === 0) {
    if (further.newer !== null) return emptiness("None is older.");
    if (isFiltered(asked)) return emptiness("No job is like that.");
    return emptiness(definition ? "No jobs yet. Make the first one above." : "No jobs yet.");
  }
  return html`<table class="jobs">
    <thead>
      <tr>
        <th scope="col">Phase</th>
        <th scope="col">Job</th>
        <th scope="col">Made</th>
        <th scope="col">Took</th>
        <th scope="col">What</th>
      </tr>
    </thead>
    <tbody>
      ${rows.map((row) => jobRow(row, now))}
    </tbody>
  </table>`;
}

/** Plain links: they work without a script, and stay true while jobs come. */
function pager({ path, asked, rows, further: { newer, older }, total }: ListFacts): Html | null {
  if (rows.length === 0 && newer === null) return null;
  return html`<nav class="pager" aria-label="Pages of the list">
    <p class="soft">${newer === null && older === null ? total : `${rows.length} of ${total}`}</p>
    <p class="row">
      ${newer !== null && html`<a class="button" href="${addressFor(path, asked, {})}">Newest</a><a class="button" rel="prev" href="${addressFor(path, asked, { NEWER: newer })}">Newer</a>`}${older !== null && html`<a class="button" rel="next" href="${addressFor(path, asked, { OLDER: older })}">Older</a>`}
    </p>
  </nav>`;
}

const jobRow = (row: Row, now: number): Html => {
  const { job, path } = row;
  return html`<tr>
    <td data-label="Phase">${badge(job.phase)}</td>
    <td data-label="Job">
      <a class="id" href="${path}">${shortId(job.id)}</a
      >${job.runId !== null && html` <span class="label" title="${job.runId}">${job.runId}</span>`}
    </td>
    <td data-label="Made">${age(job.createdAt, now)}</td>
    <td data-label="Took">${took(job.startedAt, job.endedAt, now)}</td>
    <td data-label="What">${whatOf(row, now)}</td>
  </tr>`;
};

function whatOf({ job, parameters, progress }: Row, now: number): Html {
  const error = job.phase === "COMPLETED" ? null : errorSummary(job);
  const why = waitingFor(job, now);
  return html`${parameters.length > 0 && html`<span class="params">${cut(parameters.map(summary).join("  "))}</span>`}${progress && job.phase !== "COMPLETED" && progressBar(progress)}${why !== null && html`<span class="note">${why}</span>`}${error && html`<span class="problem">${cut(error.message)}</span>`}`;
}

/** Why it does not run, where that is not for want of a free place. */
function waitingFor({ phase, waiting, queue, availableAt, heldBy, abortBy, attempts }: Job, now: number): Part {
  if (phase === "HELD" && waiting > 0) return `held: ${counted(waiting, "job")} that it waits for did not complete`;
  if (phase === "HELD") return heldBy === null ? "held" : `held by ${heldBy}`;
  if (abortBy !== null) return "is being aborted";
  if (phase !== "QUEUED") return null;
  if (queue === null && waiting > 0) return `waits for ${counted(waiting, "job")}`;
  const again = attempts > 0 ? "runs again" : "runs";
  if (availableAt !== null && availableAt > now) return html`${again} ${age(availableAt, now)}`;
  return queue === null ? null : "waits for its queue";
}

function summary({ name, values, secret, type }: Parameter): string {
  if (secret) return `${name}=${MASK}`;
  // Where an upload is kept is nobody's business.
  return `${name}=${type === undefined ? values.join(",") : "(a file)"}`;
}

const LONGEST = 140;
const cut = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
