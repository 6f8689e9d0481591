import type { Phase } from "../store/phases.ts";
import { activityCharts, type Activity } from "./charts.ts";
import { html, type Html } from "./html.ts";
import { emptiness, section, type Page } from "./layout.ts";
import { counted } from "./words.ts";

/** A job list, as the index shows it. */
export interface ListCard {
  readonly name: string;
  readonly path: string;
  readonly description: string;
  readonly counts: ReadonlyMap<Phase, number>;
}

export interface IndexFacts {
  readonly root: string;
  readonly url: string;
  readonly lists: readonly ListCard[];
  readonly activity: Activity;
}

/** What the service has. */
export const indexPage = ({ root, url, ...facts }: IndexFacts): Page => ({
  root,
  title: "Services",
  crumbs: [],
  still: html`<div class="title">
    <h1>Services</h1>
    <p class="soft row"><a href="${root}/health">Health</a><a href="${root}/metrics">Numbers</a></p>
  </div>`,
  live: indexLive(facts),
  command: `curl ${url}/`,
});

/** The part of it that changes. */
export const indexLive = ({ lists, activity }: Pick<IndexFacts, "lists" | "activity">): Html =>
  html`<div id="lists" class="cards">${lists.map(listCard)}</div>
    ${activitySection(activity)}`;

export const activitySection = (activity: Activity): Html =>
  section(
    "activity",
    "The last day",
    activity.jobs.length === 0 ? emptiness("No job was made within the last day.") : activityCharts(activity),
  );

function listCard({ name, path, description, counts }: ListCard): Html {
  const all = [...counts.values()].reduce((sum, one) => sum + one, 0);
  return html`<article class="card list">
    <h2><a href="${path}">${name}</a></h2>
    <p class="soft">${description}</p>
    ${phaseBar(counts, all)}
    <p class="counts">${all === 0 ? "No jobs yet" : counted(all, "job")}${chips(counts, path)}</p>
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
export const chips = (counts: ReadonlyMap<Phase, number>, path: string): Html[] =>
  there(counts).map(
    ({ phase, jobs }) =>
      html`<a class="phase ${phase.toLowerCase()}" href="${path}?PHASE=${phase}"
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
