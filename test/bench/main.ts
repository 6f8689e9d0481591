/**
 * `bun run bench [--quick] [--only NAME]`: what Reeve costs, against what does the same without it, in one run on one
 * machine. Ratios only mean something on a machine that does nothing else.
 */
import { parseArgs } from "node:util";
import { format, HEADER } from "./line.ts";
import { claim } from "./rows/claim.ts";
import { containment } from "./rows/containment.ts";
import { functions } from "./rows/functions.ts";
import { idle } from "./rows/idle.ts";
import { latency } from "./rows/latency.ts";
import { million } from "./rows/million.ts";
import { output } from "./rows/output.ts";
import { run } from "./rows/run.ts";
import { service } from "./rows/service.ts";
import { sqs } from "./rows/sqs.ts";
import { start } from "./rows/start.ts";
import { throughput } from "./rows/throughput.ts";
import { Surroundings, type Row } from "./surroundings.ts";

const ROWS: readonly Row[] = [
  throughput,
  claim,
  latency,
  start,
  run,
  containment,
  million,
  output,
  idle,
  sqs,
  service,
  functions,
];

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { quick: { type: "boolean" }, only: { type: "string" } } });
  const rows = ROWS.filter(({ name }) => values.only === undefined || name === values.only);
  if (rows.length === 0) throw new Error(`no row ${values.only}; there are ${ROWS.map(({ name }) => name).join(", ")}`);
  const at = new Surroundings(values.quick ?? false);
  try {
    console.log(HEADER);
    for (const row of rows) for await (const line of row.measure(at)) console.log(format(line));
  } finally {
    at.remove();
  }
}

await main();
