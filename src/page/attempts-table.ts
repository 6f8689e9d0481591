import type { Attempt } from "../store/attempt.ts";
import { describeSignal } from "../store/signals.ts";
import { formatDuration } from "../config/durations.ts";
import { html, type Html, type Part } from "./html.ts";
import { section } from "./layout.ts";
import { byteSize, timeAndAge, took } from "./words.ts";

interface Column {
  readonly name: string;
  readonly cell: (attempt: Attempt, now: number) => Part;
}

const processor = ({ userMicroseconds: user, systemMicroseconds: system }: Attempt): string =>
  user === null && system === null ? "" : formatDuration(((user ?? 0) + (system ?? 0)) / 1000);

const COLUMNS: readonly Column[] = [
  { name: "No.", cell: ({ number }) => number },
  { name: "Began", cell: ({ startedAt }, now) => timeAndAge(startedAt, now) },
  { name: "Took", cell: ({ startedAt, endedAt }, now) => took(startedAt, endedAt, now) },
  { name: "End", cell: endOf },
  { name: "Stood still", cell: ({ suspendedMs }) => (suspendedMs === 0 ? "" : formatDuration(suspendedMs)) },
  { name: "Cleaned up", cell: ({ cleanUp }) => cleanUp ?? "" },
  { name: "Processor time", cell: processor },
  { name: "Most memory", cell: ({ peakBytes }) => (peakBytes === null ? "" : byteSize(peakBytes)) },
];

/** The runs of a job; of what none of them has, there is no column. */
export function attempts(all: readonly Attempt[], now: number): Html | null {
  if (all.length === 0) return null;
  const rows = all.map((one) => COLUMNS.map(({ cell }) => cell(one, now)));
  const shown = COLUMNS.flatMap((column, index) =>
    rows.some((row) => row[index] !== "") ? [{ ...column, index }] : [],
  );
  return section(
    "attempts",
    "Attempts",
    html`<table class="attempts">
      <thead>
        <tr>
          ${shown.map(({ name }) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${shown.map(({ name, index }) => cell(name, row[index] ?? ""))}
            </tr>`,
        )}
      </tbody>
    </table>`,
  );
}

const cell = (name: string, value: Part): Html =>
  html`<td data-label="${name}">${value !== "" && html`<span>${value}</span>`}</td>`;

function endOf({ ending, exitCode, signal, cause, detail, endedAt }: Attempt): string {
  if (endedAt === null) return "runs";
  const how = exitCode !== null ? `exit code ${exitCode}` : signal === null ? (ending ?? "") : describeSignal(signal);
  return [how, cause, detail].filter(Boolean).join(", ");
}
