import { parseArgs } from "node:util";
import { runHistory, type HistoryEnd } from "./history.ts";
import { runSqsHistory } from "./sqs/history.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    histories: { type: "string", default: "100" },
    sqs: { type: "boolean", default: false },
    dense: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
  },
});
const seed = Number(values.seed);
const histories = Number(values.histories);
if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(histories) || histories < 1) {
  console.error("usage: bun run simulate --seed N --histories M [--sqs] [--dense] [--trace]");
  process.exit(2);
}

const begun = performance.now();
const sums = { events: 0, jobs: 0, workers: 0 };
let failed = 0;
for (let index = 0; index < histories; index += 1) {
  const run = values.sqs ? runSqsHistory : runHistory;
  const end = await run({ seed: seed + index, isDense: values.dense, show: values.trace });
  for (const what of ["events", "jobs", "workers"] as const) sums[what] += end[what];
  if (end.violation) {
    failed += 1;
    report(end);
  }
  if (values.trace) console.log(`hash ${end.hash}`);
}
const seconds = (performance.now() - begun) / 1000;
console.log(
  `${histories} histories (${sums.jobs} jobs, ${sums.workers} workers, ${sums.events} events) in ${seconds.toFixed(1)} s,`,
  `${(histories / seconds).toFixed(1)} a second, ${failed} failed`,
);
process.exit(failed > 0 ? 1 : 0);

function report({ seed, violation, tail }: HistoryEnd): void {
  console.log(`seed ${seed}: ${violation?.invariant}: ${violation?.detail}`);
  if (!values.trace && failed === 1) console.log(tail.slice(-40).join("\n"));
  console.log(
    `again: bun run simulate --seed ${seed} --histories 1${values.sqs ? " --sqs" : ""}${values.dense ? " --dense" : ""} --trace`,
  );
}
