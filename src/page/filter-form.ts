import { PHASES } from "../store/phases.ts";
import { html, type Html } from "./html.ts";

/** What is asked of a list, as it was written. */
export interface Asked {
  readonly phases: readonly string[];
  readonly after: string;
  /** Of the jobs so many, the newest. */
  readonly last: number;
}

/** Unless something else is asked for. */
export const USUAL_LAST = 50;
const LASTS = [25, 50, 100, 250, 1000] as const;

export const isFiltered = ({ phases, after }: Asked): boolean => phases.length > 0 || after !== "";

/** The address of the same list, from another place on. */
export function addressFor(
  path: string,
  { phases, after, last }: Asked,
  place: Readonly<Record<string, string>>,
): string {
  const query = new URLSearchParams(phases.map((phase): [string, string] => ["PHASE", phase]));
  if (after !== "") query.set("AFTER", after);
  if (last !== USUAL_LAST) query.set("LAST", String(last));
  for (const [name, value] of Object.entries(place)) query.set(name, value);
  return query.size === 0 ? path : `${path}?${query}`;
}

/** What is asked for, in few words. */
const summary = ({ phases, after }: Asked): string =>
  [phases.map((phase) => phase.toLowerCase()).join(" or "), after === "" ? "" : `made after ${after}`]
    .filter(Boolean)
    .join(", ");

/** Asks for some of the jobs of a list. */
export function filterForm(path: string, asked: Asked, problem: string | null): Html {
  const lasts = [...new Set([...LASTS, asked.last])].toSorted((one, other) => one - other);
  return html`<details class="card fold" ${problem !== null && html` open`}>
    <summary>Filter${isFiltered(asked) && html` <span class="kind">${summary(asked)}</span>`}</summary>
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
            (last) => html`<option value="${last}" ${last === asked.last && html` selected`}>${last} at once</option>`,
          )}
        </select></label
      >
      <p class="row"><button class="button">Apply</button><a class="button quiet" href="${path}">Show all</a></p>
    </form>
  </details>`;
}
