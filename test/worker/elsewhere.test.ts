import { describe, expect, test } from "bun:test";
import type { Limits } from "../../src/config/definition.ts";
import type { Message } from "../../src/queue/port.ts";
import type { Cause, CleanUp, Ending, Job, Settlement } from "../../src/store/job.ts";
import { elsewhere } from "../../src/worker/elsewhere.ts";
import { cleanUpFirst, judge, judgeStuck, type Facts } from "../../src/worker/ending.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { aJob, limits } from "../support/temporary.ts";
import { ToldQueue } from "../support/told-queue.ts";

const HIGHEST = (): number => 1;
const CAP_MS = 900_000;
/** The queue's wait and a second. */
const PUT_BACK_MS = 21_000;

const exited = (code: number): Ending => ({ kind: "exited", code });
const signalled = (signal: string): Ending => ({ kind: "signalled", signal });
const notSpawned = (errno: string): Ending => ({ kind: "spawn failed", errno, message: `not started: ${errno}` });
const REJECTED: Ending = { kind: "rejected", reason: "width is no number" };
const LOST: Ending = { kind: "lost" };
const DIRTY: CleanUp = { outcome: "failed", tries: 2, exitCode: 1, signal: null, tookMs: 10 };

interface Known {
  readonly ending: Ending;
  readonly cause?: Cause;
  readonly limits?: Partial<Limits>;
  readonly job?: Partial<Job>;
  readonly said?: Facts["said"];
  readonly cleanUp?: CleanUp;
  readonly programMayTurnUp?: boolean;
}

const QUEUE = new ToldQueue(new FakeClock());

const judged = (known: Known): Settlement =>
  judge({
    ending: known.ending,
    cause: known.cause ?? null,
    abortBy: null,
    job: aJob({ queue: "https://sqs/jobs", messageId: "m", ...known.job }),
    limits: limits(known.limits),
    said: known.said ?? null,
    cleanUp: known.cleanUp ?? null,
    programMayTurnUp: known.programMayTurnUp ?? false,
    random: HIGHEST,
  });

const onSqs = (settlement: Settlement, fields: Partial<Message> = {}): Settlement => {
  const message: Message = {
    id: "m",
    receipt: "r",
    receiveCount: 3,
    job: aJob(),
    rejected: null,
    isLast: false,
    leasedUntil: 0,
    ifGivenUp: "bury",
    ...fields,
  };
  return elsewhere(settlement, message, QUEUE, CAP_MS);
};

/** In short: phase, verdict with its delay, what it counts as. */
function inShort({ phase, verdict, counts }: Settlement): string {
  return `${phase}, ${verdict.kind}${verdict.kind === "release" ? ` ${verdict.delayMs}` : ""}, ${counts}`;
}

/**
 * What becomes of a message: as it is; on its last delivery; of a queue without dead letters whose messages are to be
 * left there, and of one whose are to be deleted.
 */
type Row = readonly [name: string, known: Known, plain: string, last: string, leave: string, drop: string];

const row = (name: string, known: Known, plain: string, { last = plain, leave = plain, drop = plain } = {}): Row => [
  name,
  known,
  plain,
  last,
  leave,
  drop,
];

const BURIED = "ERROR, bury, nothing";
const DROPPED = "ERROR, acknowledge, nothing";
/** A budget is used up where nobody takes dead letters: it goes on being tried, as the queue has it. */
const stillTried = (counts: string): string => `QUEUED, release ${CAP_MS}, ${counts}`;
const lastOf = (counts: string) => ({ last: `ERROR, bury, ${counts}` });
const rejects = { drop: DROPPED };

const FROM_OUTSIDE = ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];
const ITS_OWN = ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGPIPE"];
const given = (failures: number) => ({ job: { failures } });

const TABLE: readonly Row[] = [
  row("exit 0", { ending: exited(0) }, "COMPLETED, acknowledge, nothing"),
  row("exit 1, max_attempts not set", { ending: exited(1) }, "QUEUED, release 5000, failure", lastOf("failure")),
  row(
    "exit 1, for the tenth time, max_attempts not set: the backoff has reached its cap",
    { ending: exited(1), ...given(9) },
    `QUEUED, release ${CAP_MS}, failure`,
    lastOf("failure"),
  ),
  row(
    "exit 1, tries left of max_attempts",
    { ending: exited(1), limits: { maxAttempts: 3 }, ...given(1) },
    "QUEUED, release 10000, failure",
    lastOf("failure"),
  ),
  row(
    "exit 1, none left of max_attempts",
    { ending: exited(1), limits: { maxAttempts: 3 }, ...given(2) },
    "ERROR, bury, failure",
    {
      leave: stillTried("failure"),
      drop: "ERROR, acknowledge, failure",
    },
  ),
  row("an exit code to reject", { ending: exited(65), limits: { rejectCodes: [65] } }, BURIED, rejects),
  row("an error marked fatal", { ending: exited(1), said: { message: "m", type: "fatal" } }, BURIED, rejects),
  row("bad parameters", { ending: REJECTED }, BURIED, rejects),
  row("E2BIG", { ending: notSpawned("E2BIG") }, BURIED, rejects),
  row("a NUL byte", { ending: notSpawned("ERR_INVALID_ARG_VALUE") }, BURIED, rejects),
  row(
    "an exit code to release",
    { ending: exited(75), limits: { releaseCodes: [75], releaseDelayMs: 30_000 } },
    "QUEUED, release 30000, nothing",
    lastOf("nothing"),
  ),
  ...FROM_OUTSIDE.flatMap((signal) => [
    row(
      `${signal} from outside, by default`,
      { ending: signalled(signal) },
      `QUEUED, release ${PUT_BACK_MS}, lost`,
      lastOf("lost"),
    ),
    row(
      `${signal} from outside, to fail`,
      { ending: signalled(signal), limits: { onSignal: "fail" } },
      "QUEUED, release 5000, failure",
      lastOf("failure"),
    ),
    row(
      `${signal} from outside, for the third time`,
      { ending: signalled(signal), job: { lost: 2 } },
      "ERROR, bury, lost",
      { leave: stillTried("lost"), drop: "ERROR, acknowledge, lost" },
    ),
  ]),
  row(
    "killed for want of memory",
    { ending: signalled("SIGKILL"), cause: "memory" },
    `QUEUED, release ${PUT_BACK_MS}, lost`,
    lastOf("lost"),
  ),
  ...ITS_OWN.map((signal) =>
    row(`${signal} of its own`, { ending: signalled(signal) }, "QUEUED, release 5000, failure", lastOf("failure")),
  ),
  row("a worker that was lost", { ending: LOST }, `QUEUED, release ${PUT_BACK_MS}, lost`, lastOf("lost")),
  row("a worker that was lost, to fail", { ending: LOST, limits: { onLost: "fail" } }, BURIED, rejects),
  row(
    "a timeout",
    { ending: signalled("SIGTERM"), cause: "timeout" },
    "QUEUED, release 5000, failure",
    lastOf("failure"),
  ),
  row("an abort", { ending: signalled("SIGTERM"), cause: "abort" }, "ABORTED, acknowledge, nothing"),
  row("an overrun", { ending: signalled("SIGTERM"), cause: "overrun" }, "ABORTED, bury, nothing", {
    drop: "ABORTED, acknowledge, nothing",
  }),
  row(
    "a stop",
    { ending: signalled("SIGTERM"), cause: "stop" },
    `QUEUED, release ${PUT_BACK_MS}, nothing`,
    lastOf("nothing"),
  ),
  row(
    "a stop of a job that exits 1",
    { ending: exited(1), cause: "stop" },
    `QUEUED, release ${PUT_BACK_MS}, nothing`,
    lastOf("nothing"),
  ),
  row(
    "a stop of a job that has done what it had to",
    { ending: exited(0), cause: "stop", limits: { termExitZero: "completed" } },
    "COMPLETED, acknowledge, nothing",
  ),
  row(
    "an exit handler that failed twice",
    { ending: signalled("SIGTERM"), cause: "stop", cleanUp: DIRTY },
    BURIED,
    rejects,
  ),
  row(
    "an exit handler that failed twice, after a timeout: without a clean-up it is never run again",
    { ending: signalled("SIGTERM"), cause: "timeout", cleanUp: DIRTY },
    "ERROR, bury, failure",
    { drop: "ERROR, acknowledge, failure" },
  ),
  row(
    "no program, it may turn up",
    { ending: notSpawned("ENOENT"), programMayTurnUp: true },
    "QUEUED, release 5000, nothing",
    lastOf("nothing"),
  ),
  row("no program", { ending: notSpawned("ENOENT") }, "QUEUED, release 5000, failure", lastOf("failure")),
  ...["EAGAIN", "EMFILE", "ENOMEM"].map((errno) =>
    row(`${errno} at the spawn`, { ending: notSpawned(errno) }, "QUEUED, release 5000, nothing", lastOf("nothing")),
  ),
  row("expired", { ending: REJECTED, cause: "expired" }, "ABORTED, acknowledge, nothing"),
  row("a lost lease", { ending: signalled("SIGKILL"), cause: "lease lost" }, "UNKNOWN, leave, nothing"),
];

describe("on SQS", () => {
  test.each(TABLE)("%s", (_, known, plain, last, leave, drop) => {
    const settlement = judged(known);
    const ends = [
      onSqs(settlement),
      onSqs(settlement, { isLast: true }),
      onSqs(settlement, { ifGivenUp: "leave" }),
      onSqs(settlement, { ifGivenUp: "delete" }),
    ];
    expect(ends.map(inShort)).toEqual([plain, last, leave, drop]);
  });

  test.each(TABLE)("%s: what is moved to the dead letters says why", (_, known) => {
    for (const isLast of [false, true]) {
      const { verdict, error } = onSqs(judged(known), { isLast });
      if (verdict.kind === "bury") expect(verdict.reason).toBe(error?.message ?? "");
    }
  });

  test("a last delivery is told with its number, as a failure that may pass", () => {
    const { error } = onSqs(judged({ ending: exited(3) }), { isLast: true, receiveCount: 5 });
    expect(error?.type).toBe("transient");
    expect(error?.message).toMatch(/code 3.*; delivery 5 was the last/);
  });
});

describe("what could not be ended", () => {
  const LEFT = "processes of the job could not be ended: 4711 (state D)";

  test.each(["bury", "leave", "delete"] as const)(
    "is never given out again, be its queue without dead letters (%s)",
    (ifGivenUp) => {
      for (const known of [
        { ending: exited(1) },
        { ending: exited(1), limits: { maxAttempts: 1 } },
        { ending: LOST, job: { lost: 5 } },
      ]) {
        const { phase, verdict } = onSqs(judgeStuck(judged(known), LEFT), { ifGivenUp });
        expect([phase, verdict.kind]).toEqual(["ERROR", ifGivenUp === "delete" ? "acknowledge" : "bury"]);
      }
    },
  );
});

describe("a clean-up that is owed", () => {
  test("has the message come back, to be cleaned up after first", () => {
    const stopped = judged({ ending: signalled("SIGTERM"), cause: "stop" });
    expect(inShort(onSqs(cleanUpFirst(stopped)))).toBe(`QUEUED, release ${PUT_BACK_MS}, nothing`);
    const aborted = judged({ ending: signalled("SIGTERM"), cause: "abort" });
    expect(inShort(onSqs(cleanUpFirst(aborted)))).toBe("QUEUED, release 0, nothing");
  });
});
