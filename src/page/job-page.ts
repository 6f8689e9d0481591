import type { Attempt } from "../store/attempt.ts";
import { isFinal, type Phase } from "../store/phases.ts";
import { errorSummary, MASK } from "../uws/document.ts";
import { addressOf, durationOf, isInline, type XmlFacts } from "../uws/job-xml.ts";
import type { ListedResult } from "../uws/results.ts";
import { formatDuration } from "../config/durations.ts";
import { html, type Html, type Part } from "./html.ts";
import { emptiness, section, type Page } from "./layout.ts";
import { shortId } from "./list-page.ts";
import { badge, byteSize, progressBar, timeAndAge, took, type Progress } from "./words.ts";

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
  /** Paths of other jobs are known only within the list. */
  readonly progress: Progress | null;
  readonly tails: readonly Tail[];
  readonly now: number;
}

export function jobPage(facts: JobPageFacts): Page {
  const { root, list, job, url } = facts;
  return {
    root,
    title: `${shortId(job.id)} · ${list.name}`,
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

/** The part of it that changes, each section by itself. */
export const jobLive = (facts: JobPageFacts): Html =>
  html`${state(facts)}${results(facts)}
    <div class="pair">${parameters(facts)}${times(facts)}</div>
    ${tails(facts)}${attempts(facts)}`;

function state({ job, path, progress }: JobPageFacts): Html {
  const error = errorSummary(job);
  const bar = job.phase === "EXECUTING" || job.phase === "SUSPENDED" ? (progress ?? UNKNOWN) : null;
  return html`<section id="state" class="card state" data-phase="${job.phase}" aria-label="State">
    <div class="row spread">${badge(job.phase)}${actions(job.phase, path)}</div>
    ${bar === UNKNOWN ? html`<progress aria-label="Running"></progress>` : bar && progressBar(bar)}
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

function times({ job, attempts: all, waitsFor, quote, now }: JobPageFacts): Html {
  const limit = durationOf(job);
  const last = all.at(-1);
  const rows: [string, Part][] = [
    ["Made", timeAndAge(job.createdAt, now)],
    ["Began", timeAndAge(job.startedAt, now)],
    ["Ended", timeAndAge(job.endedAt, now)],
    ["Took", took(job.startedAt, job.endedAt, now)],
    ["Is likely to end", job.phase === "PENDING" ? null : timeAndAge(quote, now)],
    ["May take", limit === 0 ? "as long as it likes" : formatDuration(limit * 1000)],
    ["Is kept until", timeAndAge(job.destruction, now)],
    ["Owner", job.owner],
    ["Due", job.phase === "QUEUED" ? timeAndAge(job.availableAt, now) : null],
    ["Waits for", waitsFor.map((id) => html`<code>${shortId(id)}</code> `)],
    ["Exit code", last?.exitCode ?? null],
    ["Signal", last?.signal ?? null],
    ["Is a retry of", job.retryOf && shortId(job.retryOf)],
    ["Was retried as", job.retriedAs && shortId(job.retriedAs)],
  ];
  return section(
    "times",
    "Times",
    facts(rows.filter(([, value]) => value !== null && value !== "" && !(Array.isArray(value) && value.length === 0))),
  );
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
        html`${written.length > 1 && html`<h3>${name}</h3>`}${isCut && html`<p class="note">The last lines; the results have all of it when the job has ended.</p>`}
          <pre class="log" tabindex="0" aria-label="${name}" data-tail>${text}</pre>`,
    ),
  );
}

function attempts({ attempts: all, now }: JobPageFacts): Html | null {
  if (all.length === 0) return null;
  return section(
    "attempts",
    "Attempts",
    html`<table class="attempts">
      <thead>
        <tr>
          <th scope="col">No.</th>
          <th scope="col">Began</th>
          <th scope="col">Took</th>
          <th scope="col">Ended</th>
          <th scope="col">Processor</th>
          <th scope="col">Memory</th>
        </tr>
      </thead>
      <tbody>
        ${all.map((one) => attempt(one, now))}
      </tbody>
    </table>`,
  );
}

function attempt(one: Attempt, now: number): Html {
  const cells: readonly (readonly [string, Part])[] = [
    ["No.", one.number],
    ["Began", timeAndAge(one.startedAt, now)],
    ["Took", took(one.startedAt, one.endedAt, now)],
    ["Ended", endOf(one)],
    ["Processor", processor(one)],
    ["Memory", one.peakBytes === null ? "" : byteSize(one.peakBytes)],
  ];
  return html`<tr>
    ${cells.map(([name, value]) => html`<td data-label="${name}">${value !== "" && html`<span>${value}</span>`}</td>`)}
  </tr>`;
}

function endOf({ ending, exitCode, signal, cause, detail, endedAt }: Attempt): string {
  if (endedAt === null) return "runs";
  const how = exitCode === null ? (signal ?? ending ?? "") : `exit ${exitCode}`;
  return [how, cause, detail].filter(Boolean).join(", ");
}

const processor = ({ userMicroseconds: user, systemMicroseconds: system }: Attempt): string =>
  user === null && system === null ? "" : formatDuration(((user ?? 0) + (system ?? 0)) / 1000);
