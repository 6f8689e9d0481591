import type { Phase } from "../store/phases.ts";
import type { Activity } from "./chart-frame.ts";
import { activitySection } from "./charts.ts";
import { html, type Html, type Part } from "./html.ts";
import { section, type Page } from "./layout.ts";
import { age, counted } from "./words.ts";

/** A job list, as the index shows it. */
export interface ListCard {
  readonly name: string;
  readonly path: string;
  readonly description: string;
  readonly counts: ReadonlyMap<Phase, number>;
}

/** A process that runs jobs. */
export interface WorkerCard {
  readonly host: string;
  readonly pid: number;
  readonly startedAt: number;
  /** Jobs that it can have, and has. */
  readonly places: number;
  readonly taken: number;
  /** What keeps it from its queue; null: nothing. */
  readonly trouble: string | null;
}

export interface IndexFacts {
  readonly root: string;
  readonly url: string;
  readonly lists: readonly ListCard[];
  readonly activity: Activity;
  /** False: who asks is nobody in particular, and would see how much others do. */
  readonly isShown: boolean;
  /** Some worker runs what is queued. */
  readonly isWorked: boolean;
  /** Null: they are not the caller's to know. */
  readonly workers: readonly WorkerCard[] | null;
  /** When the oldest job was made that could be run; null: none could, or it is not the caller's to know. */
  readonly oldestReady: number | null;
}

/** What the service has. */
export const indexPage = (facts: IndexFacts): Page => ({
  root: facts.root,
  title: "Services",
  crumbs: [],
  still: html`<div class="title">
    <h1>Services</h1>
    <p class="soft row"><a href="${facts.root}/health">Health</a><a href="${facts.root}/metrics">Numbers</a></p>
  </div>`,
  live: indexLive(facts),
  command: `curl ${facts.url}/`,
});

/** The parts of it that change. */
export const indexLive = (facts: IndexFacts): Html[] => [
  ...(facts.isShown ? [glance(facts)] : []),
  html`<div id="lists" class="cards">${facts.lists.map((list) => listCard(list, facts.isShown))}</div>`,
  ...(facts.isShown ? [activitySection(facts.activity)] : []),
  ...(facts.workers === null ? [] : [workersSection(facts.workers, facts.activity.now)]),
];

function glance({ lists, activity, isWorked, workers, oldestReady }: IndexFacts): Html {
  const sum = (...phases: readonly Phase[]): number =>
    lists.reduce((all, { counts }) => phases.reduce((some, phase) => some + (counts.get(phase) ?? 0), all), 0);
  const failed = activity.stretches.flatMap(({ counts }) => counts.filter(({ phase }) => phase === "ERROR"));
  const places = (workers ?? []).reduce((all, one) => all + one.places, 0);
  const [standing, unknown] = [sum("SUSPENDED"), sum("UNKNOWN")];
  const ill = (workers ?? []).filter(({ trouble }) => trouble !== null);
  return html`<section id="now" class="now" aria-label="Now">
    <dl class="tiles">
      ${tile("Running", "executing", sum("EXECUTING"), workers === null ? "" : `of ${counted(places, "place")}`)}
      ${tile("Waiting", "queued", sum("QUEUED"), oldestReady !== null && html`the oldest made ${age(oldestReady, activity.now)}`)}
      ${tile("Held or not started", "held", sum("HELD", "PENDING"), [standing > 0 && `${standing} suspended `, unknown > 0 && `${unknown} unknown`])}
      ${tile(
        "Failed",
        "error",
        failed.reduce((all, { jobs }) => all + jobs, 0),
        "in the last day",
      )}
    </dl>
    ${!isWorked && warning("No worker is running: nothing that waits is run.", "reeve work")}
    ${ill.map(({ host, pid, trouble }) => warning(`Worker ${host}:${pid} is ill: ${trouble ?? ""}`, "reeve doctor"))}
  </section>`;
}

const tile = (name: string, kind: string, jobs: number, more: Part): Html =>
  html`<div class="tile ${kind}${jobs === 0 && " none"}">
    <dt>${name}</dt>
    <dd>${jobs.toLocaleString("en")} <small>${more}</small></dd>
  </div>`;

const warning = (sentence: string, command: string): Html =>
  html`<p class="problem box" role="status"><strong>${sentence}</strong> <code>${command}</code></p>`;

function listCard({ name, path, description, counts }: ListCard, isShown: boolean): Html {
  const all = [...counts.values()].reduce((sum, one) => sum + one, 0);
  return html`<article class="card list">
    <h2><a href="${path}">${name}</a></h2>
    <p class="soft">${description}</p>
    ${
      isShown &&
      html`${phaseBar(counts, all)}
        <p class="counts">${all === 0 ? "No jobs yet" : counted(all, "job")}${chips(counts, path)}</p>`
    }
  </article>`;
}

/** In the order in which they are of interest. */
const ORDER: readonly Phase[] = [
  "EXECUTING",
  "QUEUED",
  "SUSPENDED",
  "HELD",
  "PENDING",
  "UNKNOWN",
  "ERROR",
  "ABORTED",
  "COMPLETED",
];

const there = (counts: ReadonlyMap<Phase, number>): { phase: Phase; jobs: number }[] =>
  ORDER.flatMap((phase) => {
    const jobs = counts.get(phase) ?? 0;
    return jobs === 0 ? [] : [{ phase, jobs }];
  });

/** How many are in each phase, each a link to them. */
export const chips = (counts: ReadonlyMap<Phase, number>, path: string, current: readonly string[] = []): Html[] =>
  there(counts).map(
    ({ phase, jobs }) =>
      html`<a
        class="phase ${phase.toLowerCase()}"
        href="${path}?PHASE=${phase}"
        ${current.length === 1 && current[0] === phase && html` aria-current="true"`}
        ><i aria-hidden="true"></i>${jobs.toLocaleString("en")} ${phase.toLowerCase()}</a
      >`,
  );

function phaseBar(counts: ReadonlyMap<Phase, number>, all: number): Html {
  let x = 0;
  const parts = there(counts).map(({ phase, jobs }) => {
    const share = (jobs / all) * 100;
    const part = html`<rect
      class="${phase.toLowerCase()}"
      x="${x.toFixed(2)}%"
      width="${share.toFixed(2)}%"
      height="6"
    />`;
    x += share;
    return part;
  });
  return html`<svg class="share" width="100%" height="6" aria-hidden="true">${parts}</svg>`;
}

const workersSection = (workers: readonly WorkerCard[], now: number): Html =>
  section(
    "workers",
    "Workers",
    workers.length === 0
      ? html`<p class="empty">None is running. <code>reeve work</code> starts one.</p>`
      : html`<table class="workers">
          <thead>
            <tr>
              <th scope="col">Worker</th>
              <th scope="col">Places taken</th>
              <th scope="col">Began</th>
              <th scope="col">Is</th>
            </tr>
          </thead>
          <tbody>
            ${workers.map(
              ({ host, pid, startedAt, places, taken, trouble }) =>
                html`<tr>
                  <td data-label="Worker"><span>${host}, process ${pid}</span></td>
                  <td data-label="Places taken"><span>${taken} of ${places}</span></td>
                  <td data-label="Began"><span>${age(startedAt, now)}</span></td>
                  <td data-label="Is">
                    ${trouble === null ? html`<span>well</span>` : html`<span class="problem">ill: ${trouble}</span>`}
                  </td>
                </tr>`,
            )}
          </tbody>
        </table>`,
  );
