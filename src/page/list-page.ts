import type { Definition } from "../config/definition.ts";
import type { Job, Parameter } from "../store/job.ts";
import { PHASES, type Phase } from "../store/phases.ts";
import { errorSummary, MASK } from "../uws/document.ts";
import type { Activity } from "./charts.ts";
import { html, type Html } from "./html.ts";
import { activitySection, chips } from "./index-page.ts";
import { emptiness, section, type Page } from "./layout.ts";
import { newJobForm } from "./new-job.ts";
import { age, badge, counted, progressBar, took, type Progress } from "./words.ts";

/** A job, as far as a list shows it. */
export interface Row {
  readonly job: Job;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly progress: Progress | null;
}

/** What is asked of a list, as it was written. */
export interface Asked {
  readonly phases: readonly string[];
  readonly after: string;
  /** Of the jobs so many, the newest. */
  readonly last: number;
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
  /** False: who asks is nobody in particular, and would see what others made. */
  readonly isShown: boolean;
  readonly counts: ReadonlyMap<Phase, number>;
  readonly activity: Activity;
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
    ${facts.definition && newJobForm(facts.definition, facts.path)} ${filters(facts)}`,
  live: listLive(facts),
  command: `curl ${facts.url}`,
});

/** The part of it that changes. */
export const listLive = (facts: ListFacts): Html =>
  html`${section("jobs", html`Jobs <span class="chips">${chips(facts.counts, facts.path)}</span>`, jobsTable(facts))}${activitySection(facts.activity)}`;

const LASTS = [25, 50, 100, 250, 1000] as const;

function filters({ path, asked, problem }: ListFacts): Html {
  const isOpen = problem !== null || asked.phases.length > 0 || asked.after !== "";
  const lasts = [...new Set([...LASTS, asked.last])].toSorted((one, other) => one - other);
  return html`<details class="card fold" ${isOpen && html` open`}>
    <summary>Filter</summary>
    <form method="get" action="${path}" class="filters">
      ${problem !== null && html`<p class="problem" role="alert">${problem}</p>`}
      <fieldset>
        <legend>Phase</legend>
        <div class="checks">
          ${PHASES.map(
            (phase) =>
              html`<label class="check"
                ><input
                  type="checkbox"
                  name="PHASE"
                  value="${phase}"
                  ${asked.phases.includes(phase) && html` checked`}
                />${phase.toLowerCase()}</label
              >`,
          )}
        </div>
      </fieldset>
      <label class="field"
        >Made after (UTC)<input
          name="AFTER"
          value="${asked.after}"
          placeholder="2026-05-01T09:30"
          inputmode="numeric"
          autocomplete="off"
          spellcheck="false"
      /></label>
      <label class="field"
        >Show<select name="LAST">
          ${lasts.map(
            (last) =>
              html`<option value="${last}" ${last === asked.last && html` selected`}>the newest ${last}</option>`,
          )}
        </select></label
      >
      <p class="row"><button class="button">Apply</button><a class="button quiet" href="${path}">Show all</a></p>
    </form>
  </details>`;
}

function jobsTable({ rows, isShown, asked, activity: { now }, definition }: ListFacts): Html {
  if (!isShown)
    return emptiness("Jobs of those who do not say who they are stand in no list: keep the address of yours.");
  if (rows.length === 0) {
    const isFiltered = asked.phases.length > 0 || asked.after !== "";
    if (isFiltered) return emptiness("No job is like that.");
    return emptiness(definition ? "No jobs yet. Make the first one above." : "No jobs yet.");
  }
  const more =
    rows.length === asked.last &&
    html`<p class="note">The newest ${counted(rows.length, "job")}; the filter has older ones.</p>`;
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
    </table>
    ${more}`;
}

const jobRow = ({ job, path, parameters, progress }: Row, now: number): Html =>
  html`<tr>
    <td data-label="Phase">${badge(job.phase)}</td>
    <td data-label="Job">
      <a class="id" href="${path}">${shortId(job.id)}</a
      >${job.runId !== null && html` <span class="label">${job.runId}</span>`}
    </td>
    <td data-label="Made">${age(job.createdAt, now)}</td>
    <td data-label="Took">${took(job.startedAt, job.endedAt, now)}</td>
    <td data-label="What">${whatOf(job, parameters, progress)}</td>
  </tr>`;

const SHORT = 8;
export const shortId = (id: string): string => id.slice(0, SHORT);

function whatOf(job: Job, parameters: readonly Parameter[], progress: Progress | null): Html {
  const error = job.phase === "COMPLETED" ? null : errorSummary(job);
  return html`${parameters.length > 0 && html`<span class="params">${cut(parameters.map(summary).join("  "))}</span>`}${progress && job.phase !== "COMPLETED" && progressBar(progress)}${error && html`<span class="problem">${cut(error.message)}</span>`}`;
}

function summary({ name, values, secret, type }: Parameter): string {
  if (secret) return `${name}=${MASK}`;
  // Where an upload is kept is nobody's business.
  return `${name}=${type === undefined ? values.join(",") : "(a file)"}`;
}

const LONGEST = 140;
const cut = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
