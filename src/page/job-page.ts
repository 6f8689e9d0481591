import { isFinal, type Phase } from "../store/phases.ts";
import { errorSummary, MASK } from "../uws/document.ts";
import { addressOf, durationOf, isInline, type XmlFacts } from "../uws/job-xml.ts";
import type { ListedResult } from "../uws/results.ts";
import { formatDuration } from "../config/durations.ts";
import { html, type Html, type Part } from "./html.ts";
import { emptiness, section, type Page } from "./layout.ts";
import { attempts } from "./attempts-table.ts";
import { named, reasons, shortId, type Circumstances, type Other } from "./reasons.ts";
import { badge, byteSize, counted, progressBar, timeAndAge, took, type Progress } from "./words.ts";

/** The end of what an attempt wrote. */
export interface Tail {
  readonly name: string;
  readonly text: string;
  /** There is more before it. */
  readonly isCut: boolean;
}

/** All that a page of a job shows. */
export interface JobPageFacts extends XmlFacts {
  readonly root: string;
  readonly path: string;
  readonly list: { readonly name: string; readonly path: string };
  readonly progress: Progress | null;
  readonly tails: readonly Tail[];
  readonly around: Circumstances;
  readonly retryOf: Other | null;
  readonly retriedAs: Other | null;
  readonly now: number;
}

export function jobPage(facts: JobPageFacts): Page {
  const { root, list, job, url } = facts;
  return {
    root,
    title: titleOf(facts),
    crumbs: [
      { title: list.name, path: list.path },
      { title: shortId(job.id), path: null },
    ],
    still: html`<div class="title">
      <h1 class="id">${job.id}</h1>
      ${job.runId !== null && html`<p class="label">${job.runId}</p>`}
    </div>`,
    live: jobLive(facts),
    command: `curl ${url}`,
  };
}

/** What tells it from others where many are open. */
const titleOf = ({ job, list }: JobPageFacts): string => `${job.phase} ${shortId(job.id)} · ${list.name}`;

/** The part of it that changes, each section by itself. */
export const jobLive = (facts: JobPageFacts): Html[] =>
  [
    state(facts),
    results(facts),
    html`<div class="pair">${parameters(facts)}${details(facts)}</div>`,
    tails(facts),
    attempts(facts.attempts, facts.now),
  ].filter((part) => part !== null);

function state(facts: JobPageFacts): Html {
  const { job, path, progress, around } = facts;
  const error = errorSummary(job);
  const why = reasons(job, around);
  const bar = job.phase === "EXECUTING" ? (progress ?? UNKNOWN) : job.phase === "SUSPENDED" ? progress : null;
  return html`<section
    id="state"
    class="card state"
    data-phase="${job.phase}"
    data-title="${titleOf(facts)}"
    aria-label="State"
  >
    <div class="row spread">
      <p class="row">
        ${badge(job.phase)}${job.startedAt !== null && html`<span class="soft">${isFinal(job.phase) ? "took" : "for"} ${took(job.startedAt, job.endedAt, facts.now)}</span>`}
      </p>
      ${actions(job.phase, path)}
    </div>
    ${bar === UNKNOWN ? html`<progress aria-label="Running"></progress>` : bar && progressBar(bar)}
    ${
      why.length > 0 &&
      html`<ul class="reasons">
        ${why.map((one) => html`<li>${one}</li>`)}
      </ul>`
    }
    ${error && html`<div class="problem box" role="alert"><strong>${error.message}</strong>${error.hint !== null && html`<p>${error.hint}</p>`}${error.detail !== undefined && html`<pre>${error.detail}</pre>`}</div>`}
  </section>`;
}

const UNKNOWN: Progress = { fraction: 0, message: null };

function actions(phase: Phase, path: string): Html {
  const runs = phase === "PENDING" || phase === "HELD";
  return html`<div class="row actions">
    ${runs && button(`${path}/phase`, "PHASE", "RUN", "Run", "primary")}${!isFinal(phase) && button(`${path}/phase`, "PHASE", "ABORT", "Abort", "warn")}${button(path, "ACTION", "DELETE", "Delete", "quiet", isFinal(phase) ? "Delete this job and its results?" : "Abort this job and delete it?")}
  </div>`;
}

const button = (path: string, name: string, value: string, text: string, kind: string, question?: string): Html =>
  html`<form method="post" action="${path}">
    <button
      class="button ${kind}"
      name="${name}"
      value="${value}"
      ${question !== undefined && html` data-ask="${question}"`}
    >
      ${text}
    </button>
  </form>`;

function results({ job, listed, path }: JobPageFacts): Html | null {
  if (listed.length === 0)
    return isFinal(job.phase) ? section("results", "Results", emptiness("It left nothing.")) : null;
  return section(
    "results",
    "Results",
    html`<ul class="results">
      ${listed.map((one) => result(one, path))}
    </ul>`,
  );
}

/** What every browser can show; a picture as a document of its own has no rights here. */
const PICTURE = /^image\/(?:png|jpeg|gif|webp|avif|svg\+xml|bmp)$/i;

function result({ id, type, size }: ListedResult, path: string): Html {
  const address = addressOf(path, "results", id);
  const picture = PICTURE.test(type) && size > 0 && html`<img src="${address}" alt="${id}" loading="lazy" />`;
  return html`<li${picture && html` class="picture"`}><a href="${address}">${picture}<span class="name">${id}</span></a><span class="soft">${type} · ${byteSize(size)}</span></li>`;
}

function parameters({ inputs, path }: JobPageFacts): Html {
  if (inputs.parameters.length === 0) return section("parameters", "Parameters", emptiness("It has none."));
  const rows = inputs.parameters.map(({ name, values, secret, type }): [string, Part] => {
    if (secret) return [name, html`<span class="soft">${MASK}</span>`];
    if (type !== undefined)
      return [name, html`<a href="${addressOf(path, "parameters", name)}">the file that was uploaded</a>`];
    const isShown = values.every((value) => isInline(value) && value.length <= LONGEST);
    if (!isShown) return [name, html`<a href="${addressOf(path, "parameters", name)}">the whole value</a>`];
    return [name, values.map((value) => html`<code class="value">${value}</code>`)];
  });
  return section("parameters", "Parameters", facts(rows));
}

const LONGEST = 2000;

const facts = (rows: readonly (readonly [string, Part])[]): Html =>
  html`<dl class="facts">
    ${rows.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;

function details({ job, attempts: all, quote, now, retryOf, retriedAs }: JobPageFacts): Html {
  const limit = durationOf(job);
  const last = all.at(-1);
  const rows: [string, Part][] = [
    ["Made", timeAndAge(job.createdAt, now)],
    ["Began", timeAndAge(job.startedAt, now)],
    ["Ended", timeAndAge(job.endedAt, now)],
    ["Is likely to end", job.phase === "PENDING" || isFinal(job.phase) ? null : timeAndAge(quote, now)],
    ["May take", limit === 0 ? "as long as it likes" : formatDuration(limit * 1000)],
    ["Is kept until", timeAndAge(job.destruction, now)],
    ["Owner", job.owner],
    ["Priority", job.priority === 0 ? null : job.priority],
    ["Exit code", last?.exitCode ?? null],
    ["Signal", last?.signal ?? null],
    ["Failed", job.failures > 1 ? `${job.failures} times` : null],
    ["Lost", job.lost > 0 ? counted(job.lost, "time") : null],
    ["Is a retry of", retryOf && named(retryOf)],
    ["Was retried as", retriedAs && named(retriedAs)],
  ];
  return section("details", "Details", facts(rows.filter(([, value]) => value !== null && value !== "")));
}

function tails({ tails: all, job }: JobPageFacts): Html | null {
  const written = all.filter(({ text }) => text !== "");
  if (written.length === 0)
    return job.phase === "EXECUTING" ? section("log", "Output", emptiness("Nothing yet.")) : null;
  return section(
    "log",
    "Output",
    written.map(
      ({ name, text, isCut }) =>
        html`${(written.length > 1 || name !== "Output") && html`<h3>${name}</h3>`}${isCut && html`<p class="note">The last lines; the results ${isFinal(job.phase) ? "have all of it" : "will have all of it when the job has ended"}.</p>`}
          <pre class="log" tabindex="0" aria-label="${name}" data-tail>${text}</pre>`,
    ),
  );
}
