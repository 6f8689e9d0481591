import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import { buildStepping } from "../support/stepping.ts";
import type { Done } from "./place.ts";
import { Bench, broken, isLost, workerRows, type Attempt, type End, type Kind } from "./steps.ts";

setDefaultTimeout(240_000);

/** So many lives are gone through side by side. */
const LANES = 3;
/** More than any life has. */
const MOST_STEPS = 200;
/** Of those that a worker takes before it can have a job, which are the same for all kinds. */
const STEPS_OF_A_START = 15;

const isSuccess = ({ exitCode, cause }: Attempt): boolean => exitCode === 0 && cause === null;

const completed = ({ job, attempts }: End): string[] =>
  broken({
    "it is COMPLETED": job.phase === "COMPLETED",
    "by an attempt that exited with 0": attempts.slice(-1).every(isSuccess),
    "and no other": !attempts.slice(0, -1).some(isSuccess),
  });

const timedOut = ({ job, attempts }: End): string[] =>
  broken({
    "it is an ERROR": job.phase === "ERROR" && job.jobInfo.failures === 1,
    "by its timeout": attempts.at(-1)?.cause === "timeout",
    "and was only lost or stopped before that": attempts
      .slice(0, -1)
      .every((one) => isLost(one) || one.cause === "stop"),
  });

/** A tree of which no member obeys, one of them in a session of its own. */
const STUBBORN = `trap "" TERM; setsid sh -c 'trap "" TERM; sleep 1000; sleep 1000' & sleep 1000 & while :; do sleep 0.01; done`;
/** On its first worker it has to be ended. */
const STAYS = "setsid sleep 1000 & while [ ! -e finishing ]; do sleep 0.01; done";
const HANDLER = `exit_handler = ["sh", "-c", 'echo "handled $REEVE_ATTEMPT" >> lines; setsid sleep 1000 &']`;

/** Each attempt that was made to end has been cleaned up after, at most twice, and before the next began. */
function cleanedUp({ attempts, lines }: End): string[] {
  return attempts.flatMap((attempt) => {
    const { number } = attempt;
    const began = lines.indexOf(`began ${number}`);
    const next = lines.indexOf(`began ${number + 1}`);
    const handled = lines.flatMap((line, index) => (line === `handled ${number}` ? [index] : []));
    return broken({
      [`attempt ${number} was cleaned up after, if it had to be`]:
        handled.length > 0 || began < 0 || isSuccess(attempt),
      [`attempt ${number} was cleaned up after at most twice`]: handled.length <= 2,
      [`attempt ${number} was cleaned up after in time`]: handled.every((at) => at > began && (next < 0 || at < next)),
    });
  });
}

const KINDS: Readonly<Record<string, Kind>> = {
  "a job that exits with 0": { script: ":", wrong: completed },
  "a job that fails, and is tried again": {
    script: '[ "$REEVE_ATTEMPT" -gt 1 ] || exit 3',
    settings: 'max_attempts = 2\nbackoff = "1ms"',
    wrong: completed,
  },
  "a job that takes too long, and does not obey": {
    script: STUBBORN,
    settings: 'timeout = "60ms"\ngrace = "30ms"',
    wrong: timedOut,
  },
  "a job that is aborted": {
    script: STAYS,
    async meanwhile(bench, worker) {
      if (await bench.saw("began 1", worker)) await bench.abort();
    },
    wrong: (end) =>
      end.bench.isAborted
        ? broken({ "it is ABORTED": end.job.phase === "ABORTED" && end.attempts.length === 1 })
        : completed(end),
  },
  "a job that says much": {
    script: `head -c 40000 /dev/zero; cd "$REEVE_RESULTS"; head -c 40000 /dev/zero > large; echo 1 > small; cd "$OLDPWD"
      echo "$REEVE_ATTEMPT" >> "$REEVE_WORKDIR/kept"; echo '{"result":{"id":"named","path":"small"}}' >&3`,
    wrong: (end) => [...completed(end), ...whole(end)],
  },
  "a job that takes too long and has an exit handler": {
    script: "sleep 1000",
    settings: `timeout = "40ms"\n${HANDLER}`,
    wrong: (end) => [...timedOut(end), ...cleanedUp(end)],
  },
  "a job that stands still for a while": {
    script: STAYS,
    async meanwhile(bench, worker) {
      if (!(await bench.saw("began 1", worker))) return;
      await bench.suspendForAWhile(worker);
      bench.place.write("finishing", "");
    },
    wrong: completed,
  },
  "a job that outlives its worker": {
    script: "sleep 0.3",
    settings: "outlive = true",
    outlives: true,
    wrong: (end) => [
      ...completed(end),
      ...broken({ "it is begun once only": end.lines.filter((line) => line.startsWith("began")).length === 1 }),
    ],
  },
  "a job with an exit handler, and its stop": {
    script: STAYS,
    settings: HANDLER,
    async meanwhile(bench, worker) {
      if (await bench.saw("began 1", worker)) bench.stop(worker, "SIGTERM");
    },
    wrong: (end) => [...completed(end), ...cleanedUp(end)],
  },
};

/** What the job left is all there. */
function whole({ job, bench }: End): string[] {
  const sizes = new Map(job.results.map(({ id, size }) => [id, size]));
  return broken({
    "all that it wrote is there":
      sizes.get("large") === 40_000 && sizes.get("named") === 2 && bench.outputSize() === 40_000,
  });
}

interface Life {
  readonly signal: NodeJS.Signals;
  /** What was to be done at it; undefined: it came to its end before. */
  readonly what: string | undefined;
  readonly done: Done;
  readonly bench: Bench;
}

/**
 * Runs the kind's life again and again, with a signal at its first step, its second, and so on to its end. Gives how
 * many times that was.
 */
async function goThrough(
  argv: readonly string[],
  kind: Kind,
  signalAt: (step: number) => NodeJS.Signals,
  look: (life: Life) => readonly string[],
  first = 1,
): Promise<number> {
  let last = MOST_STEPS;
  let next = first;
  const wrong: string[] = [];
  const lane = async (): Promise<void> => {
    await using bench = await Bench.of(kind, argv);
    while (next <= last) {
      const step = next++;
      const signal = signalAt(step);
      const done = await bench.run(step, signal);
      const [what] = /^step .*$/m.exec(done.stderr) ?? [];
      if (what === undefined) last = Math.min(last, step);
      wrong.push(
        ...[...look({ what, signal, done, bench }), ...(await bench.finish())].map((one) => `${what}: ${one}`),
      );
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  expect(wrong).toEqual([]);
  return last;
}

let stepping: Awaited<ReturnType<typeof buildStepping>>;
beforeAll(async () => void (stepping = await buildStepping()));
afterAll(() => stepping[Symbol.dispose]());

describe("a worker that is killed at any step of", () => {
  for (const [index, [name, kind]] of Object.entries(KINDS).entries()) {
    const look = ({ what, done: { signal } }: Life): string[] =>
      broken({ "it was killed": what === undefined || signal === "SIGKILL" });
    const first = index === 0 ? 1 : STEPS_OF_A_START;
    test(name, async () => {
      expect(await goThrough(stepping.argv, kind, () => "SIGKILL", look, first)).toBeWithin(25, MOST_STEPS);
    });
  }
});

const STOPS = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGABRT"] as const;

/** Whoever had the chance to stop has left nothing to do for others. */
function lookAtStop({ what, signal, done, bench }: Life): string[] {
  const { place } = bench;
  const isSignalled =
    what === undefined || done.signal === signal || (done.signal !== null && done.signal === bench.stoppedBy);
  // Who never came to work had no chance; a job that outlives its worker keeps it in mind.
  const mayLeave = !done.stderr.includes('"worker started"') || bench.outlives;
  return broken({
    "it died by the signal": isSignalled || (done.code !== null && done.stderr.includes('"worker ended"')),
    "no process is left": mayLeave || place.processes().length === 0,
    "no worker is left":
      mayLeave || (workerRows(place).length === 0 && readdirSync(`${place.store}/workers`).length === 0),
    "its job is put back or has ended": mayLeave || bench.document().jobInfo.worker === null,
    "nothing is lost": bench.document().jobInfo.lost === 0,
  });
}

describe("a worker that is stopped at any moment of", () => {
  for (const [index, [name, kind]] of Object.entries(KINDS).entries()) {
    const signalAt = (step: number): NodeJS.Signals => STOPS[(step + index) % STOPS.length] ?? "SIGTERM";
    test(name, async () => {
      expect(await goThrough(stepping.argv, kind, signalAt, lookAtStop)).toBeWithin(5, MOST_STEPS);
    });
  }
});

/** Nothing is begun after it, and what runs comes to its end. */
function lookAtFinish({ what, done, bench }: Life): string[] {
  const { stderr, signal } = done;
  const isTold = stderr.includes('"worker stopping"');
  // By their times: lines of the log are gathered for a moment, and a quick job has ended before they are written.
  const [, at = ""] = / at (\S+)$/.exec(what ?? "") ?? [];
  const [, startedAt = ""] = /"time":"([^"]+)"[^\n]*"event":"worker started"/.exec(stderr) ?? [];
  const begins = startedAt > at;
  const { jobInfo } = bench.document();
  return broken({
    "it died by the signal, or ended": signal === "SIGUSR1" || done.code === 0,
    "it heeded the signal": what === undefined || signal === "SIGUSR1" || isTold || !begins,
    "a job that had been begun has ended":
      jobInfo.worker === null && jobInfo.attempts.every(({ exitCode }) => exitCode === 0),
  });
}

test("a worker that is told to finish at any moment of a job's life does so", async () => {
  const kind: Kind = { script: ":", wrong: completed };
  expect(await goThrough(stepping.argv, kind, () => "SIGUSR1", lookAtFinish)).toBeWithin(5, MOST_STEPS);
});
