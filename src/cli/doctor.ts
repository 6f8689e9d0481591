import { systemClock } from "../clock.ts";
import type { Configuration } from "../config/definition.ts";
import { EXIT } from "../errors.ts";
import { runtime } from "../runtime/index.ts";
import { chooseDirectory, StoreLocation } from "../store/location.ts";
import { locateStore, readConfiguration } from "./context.ts";
import { containmentChecks } from "./doctor/containment.ts";
import { findingOf, note, ok, type Check, type Finding } from "./doctor/finding.ts";
import { inheritanceCheck } from "./doctor/inheritance.ts";
import { machineChecks } from "./doctor/machine.ts";
import { storeChecks } from "./doctor/place.ts";
import { isKept, prove, type Proof } from "./doctor/prove.ts";
import { queueFindings } from "./doctor/queue.ts";
import { rungsHere } from "./doctor/rungs.ts";
import { SHAPES, type Rung } from "./doctor/shapes.ts";
import { findingLines, proofTable } from "./doctor/telling.ts";
import type { Invocation, Options } from "./invocation.ts";
import { chosenQueue } from "./queues.ts";
import { printJson } from "./render/json.ts";
import { screenOf } from "./render/table.ts";
import { dieBy, exitCodeOf, StopSignals } from "../process/stop-signals.ts";
import { print, remark } from "./streams.ts";

/** `reeve doctor`: what is in force here, what is wrong, and, with `--prove`, what can be killed. */
export async function run(invocation: Invocation): Promise<number> {
  return invocation.options.flag("prove") ? proveShapes(invocation.options) : examine(invocation.options);
}

async function examine(options: Options): Promise<number> {
  const configuration = await readConfiguration(options).catch(() => null);
  const queue = configuration && chosenQueue(options, configuration)?.definition;
  const findings: Finding[] = [];
  for (const check of checksFor(options, configuration)) findings.push(await findingOf(check));
  if (queue) findings.push(...(await queueFindings(queue, configuration)));
  else if (!configuration && options.has("queue")) findings.push(await findingOf(QUEUE_UNKNOWN));
  const isWell = findings.every(({ verdict }) => verdict !== "wrong");
  if (options.flag("json")) await printJson({ well: isWell, checks: findings });
  else await print(findingLines(findings, screenOf(options)));
  return isWell ? EXIT.done : EXIT.jobFailed;
}

const QUEUE_UNKNOWN: Check = { name: "queue", look: () => note("not looked at: the configuration cannot be read") };

/** A configuration that cannot be read is one of the things that may be wrong. */
function checksFor(options: Options, configuration: Configuration | null): Check[] {
  const location = configuration ? locateStore(options, configuration) : locateWithout(options);
  return [
    ...machineChecks(runtime),
    { name: "configuration", look: async () => ok(nameOf(configuration ?? (await readConfiguration(options)))) },
    ...storeChecks(location, runtime),
    ...containmentChecks(runtime, configuration?.worker.containment),
    inheritanceCheck(location, runtime),
  ];
}

function locateWithout(options: Options): StoreLocation {
  return new StoreLocation(chooseDirectory(options.text("store"), process.env, null, process.getuid?.()));
}

const nameOf = ({ file }: Configuration): string => file ?? "no reeve.toml here: the defaults hold";

async function proveShapes(options: Options): Promise<number> {
  const signals = new StopSignals();
  const stop = new AbortController();
  const ask = (): void => stop.abort();
  signals.direct({ stop: ask, finish: ask, standStill: () => {} });
  try {
    const proofs = await proveHere(stop.signal);
    if (signals.stoppedBy) return exitCodeOf(signals.stoppedBy);
    return await tellProofs(proofs, options);
  } finally {
    signals.remove();
    if (signals.stoppedBy) dieBy(signals.stoppedBy);
  }
}

async function proveHere(signal: AbortSignal): Promise<Proof[]> {
  const path = process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin";
  const rungs = rungsHere(runtime, systemClock);
  return prove({ rungs, shapes: SHAPES, clock: systemClock, path, onProgress: tellProgress, signal });
}

/** Where nobody looks on, one line for each rung. */
function tellProgress(rung: Rung, done: number): void {
  const line = `${rung}: ${done} of ${SHAPES.length} shapes`;
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}${done === SHAPES.length ? "\n" : ""}`);
  else if (done === SHAPES.length) remark(line);
}

async function tellProofs(proofs: readonly Proof[], options: Options): Promise<number> {
  const isWell = proofs.every(isKept);
  if (options.flag("json")) await printJson({ well: isWell, proofs: proofs.map(documentOf) });
  else await print(proofTable(proofs, screenOf(options)));
  return isWell ? EXIT.done : EXIT.jobFailed;
}

function documentOf(proof: Proof) {
  const { shape, rung, verdict } = proof;
  return { shape: shape.name, rung, kept: isKept(proof), known: shape.escapes?.[rung] ?? null, ...verdict };
}
