import { describe, expect, test } from "bun:test";
import type { Limits } from "../../src/config/definition.ts";
import type { Cause, Ending, Job, JobError, Settlement } from "../../src/store/job.ts";
import {
  backoff,
  isMissingProgram,
  isShortOfResources,
  judge,
  judgeStuck,
  mayBeOfAStop,
  type Facts,
} from "../../src/worker/ending.ts";
import { aJob, limits } from "../support/temporary.ts";

const HALF = (): number => 0.5;

const exited = (code: number): Ending => ({ kind: "exited", code });
const signalled = (signal: string | null): Ending => ({ kind: "signalled", signal });
const notSpawned = (errno: string): Ending => ({ kind: "spawn failed", errno, message: `not started: ${errno}` });
const LOST: Ending = { kind: "lost" };
const REJECTED: Ending = { kind: "rejected", reason: "width is no number" };

interface Known {
  readonly ending: Ending;
  readonly cause?: Cause;
  readonly abortBy?: string;
  readonly limits?: Partial<Limits>;
  readonly job?: Partial<Job>;
  readonly said?: Facts["said"];
  readonly cleanUp?: Facts["cleanUp"];
  readonly programMayTurnUp?: boolean;
}

function judged(known: Known): Settlement {
  return judge({
    ending: known.ending,
    cause: known.cause ?? null,
    abortBy: known.abortBy ?? null,
    job: aJob(known.job),
    limits: limits(known.limits),
    said: known.said ?? null,
    cleanUp: known.cleanUp ?? null,
    programMayTurnUp: known.programMayTurnUp ?? false,
    random: HALF,
  });
}

/** What an ending becomes, in short: phase, verdict, what it counts as. */
type Row = readonly [Settlement["phase"], Settlement["verdict"]["kind"], Settlement["counts"]];

const ACKNOWLEDGED: Row = ["COMPLETED", "acknowledge", "nothing"];
const FAILED: Row = ["ERROR", "bury", "failure"];
const TRIED_AGAIN: Row = ["QUEUED", "release", "failure"];
const PUT_BACK: Row = ["QUEUED", "release", "nothing"];
const COUNTED_AS_LOST: Row = ["QUEUED", "release", "lost"];
const REFUSED: Row = ["ERROR", "bury", "nothing"];
const ABORTED: Row = ["ABORTED", "acknowledge", "nothing"];

const THREE_TRIES = { maxAttempts: 3 };
const FROM_OUTSIDE = ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];
const ITS_OWN = ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGPIPE", "SIGUSR1", "SIGALRM", "SIG40", null];

const TABLE: readonly (readonly [name: string, known: Known, expected: Row])[] = [
  ["exit 0", { ending: exited(0) }, ACKNOWLEDGED],
  ["exit 0 after failures", { ending: exited(0), job: { failures: 9 }, limits: THREE_TRIES }, ACKNOWLEDGED],
  ["exit 0 beside an error", { ending: exited(0), said: { message: "m", type: "transient" } }, ACKNOWLEDGED],
  ["exit 0 beside a fatal error", { ending: exited(0), said: { message: "m", type: "fatal" } }, ACKNOWLEDGED],
  ["exit 1, one attempt", { ending: exited(1) }, FAILED],
  ["exit 1, tries left", { ending: exited(1), limits: THREE_TRIES }, TRIED_AGAIN],
  ["exit 255, a try left", { ending: exited(255), limits: THREE_TRIES, job: { failures: 1 } }, TRIED_AGAIN],
  ["exit 1, none left", { ending: exited(1), limits: THREE_TRIES, job: { failures: 2 } }, FAILED],
  ["losses are no failures", { ending: exited(1), limits: THREE_TRIES, job: { lost: 2, attempts: 5 } }, TRIED_AGAIN],
  ["an exit code to reject", { ending: exited(65), limits: { ...THREE_TRIES, rejectCodes: [65] } }, REFUSED],
  ["a fatal error", { ending: exited(1), limits: THREE_TRIES, said: { message: "m", type: "fatal" } }, REFUSED],
  [
    "a transient error",
    { ending: exited(1), limits: THREE_TRIES, said: { message: "m", type: "transient" } },
    TRIED_AGAIN,
  ],
  ["a rejection", { ending: REJECTED, limits: THREE_TRIES }, REFUSED],
  ["E2BIG", { ending: notSpawned("E2BIG"), limits: THREE_TRIES }, REFUSED],
  ["a NUL byte", { ending: notSpawned("ERR_INVALID_ARG_VALUE"), limits: THREE_TRIES }, REFUSED],
  ["an unknown spawn error", { ending: notSpawned("EINVAL"), limits: THREE_TRIES }, REFUSED],
  ["an exit code to release", { ending: exited(75), limits: { releaseCodes: [75], releaseDelayMs: 30_000 } }, PUT_BACK],
  ["a release after failures", { ending: exited(75), limits: { releaseCodes: [75] }, job: { failures: 9 } }, PUT_BACK],
  [
    "a code to release and to reject",
    { ending: exited(75), limits: { releaseCodes: [75], rejectCodes: [75] } },
    REFUSED,
  ],
  ["worker lost", { ending: LOST }, COUNTED_AS_LOST],
  ["worker lost again", { ending: LOST, job: { lost: 1, failures: 9 } }, COUNTED_AS_LOST],
  ["worker lost too often", { ending: LOST, job: { lost: 2 } }, ["ERROR", "bury", "lost"]],
  ["worker lost, to fail", { ending: LOST, limits: { ...THREE_TRIES, onLost: "fail" } }, REFUSED],
  ["a timeout", { ending: signalled("SIGTERM"), cause: "timeout" }, FAILED],
  ["a timeout, tries left", { ending: signalled("SIGKILL"), cause: "timeout", limits: THREE_TRIES }, TRIED_AGAIN],
  ["a timeout that exits 0", { ending: exited(0), cause: "timeout" }, FAILED],
  [
    "a timeout is nothing from outside",
    { ending: signalled("SIGKILL"), cause: "timeout", limits: { onSignal: "release" } },
    FAILED,
  ],
  ["an abort", { ending: signalled("SIGTERM"), cause: "abort", abortBy: "ada" }, ABORTED],
  ["an abort that exits 0", { ending: exited(0), cause: "abort" }, ABORTED],
  ["an abort with tries left", { ending: exited(1), cause: "abort", limits: THREE_TRIES }, ABORTED],
  ["an abort of a lost job", { ending: LOST, cause: "abort" }, ABORTED],
  [
    "an overrun",
    { ending: signalled("SIGTERM"), cause: "overrun", limits: THREE_TRIES },
    ["ABORTED", "bury", "nothing"],
  ],
  ["an overrun that exits 0", { ending: exited(0), cause: "overrun" }, ["ABORTED", "bury", "nothing"]],
  ["a stop", { ending: signalled("SIGTERM"), cause: "stop" }, PUT_BACK],
  ["a stop of a job that exits 1", { ending: exited(1), cause: "stop" }, PUT_BACK],
  ["a stop of a job that exits 0", { ending: exited(0), cause: "stop" }, PUT_BACK],
  ["a stop of a job lost before", { ending: signalled("SIGKILL"), cause: "stop", job: { lost: 2 } }, PUT_BACK],
  ["memory, by default", { ending: signalled("SIGKILL"), cause: "memory" }, FAILED],
  [
    "memory, to release",
    { ending: signalled("SIGKILL"), cause: "memory", limits: { onSignal: "release" } },
    COUNTED_AS_LOST,
  ],
  ["expired", { ending: REJECTED, cause: "expired" }, ABORTED],
  ["a lost lease", { ending: signalled("SIGKILL"), cause: "lease lost" }, ["UNKNOWN", "leave", "nothing"]],
  ["no program, no definition", { ending: notSpawned("ENOENT") }, FAILED],
  ["no program, tries left", { ending: notSpawned("ENOENT"), limits: THREE_TRIES }, TRIED_AGAIN],
  ["no program, it may turn up", { ending: notSpawned("ENOENT"), programMayTurnUp: true }, PUT_BACK],
  ["a limit that cannot be had here", { ending: notSpawned("ENOTSUP"), limits: THREE_TRIES }, REFUSED],
  ["a limit that another worker may have", { ending: notSpawned("ENOTSUP"), programMayTurnUp: true }, PUT_BACK],
  ["not executable", { ending: notSpawned("EACCES") }, FAILED],
  ["not executable, it may turn up", { ending: notSpawned("EACCES"), programMayTurnUp: true }, PUT_BACK],
  [
    "no program, 127 is to reject",
    { ending: notSpawned("ENOENT"), limits: { ...THREE_TRIES, rejectCodes: [127] } },
    REFUSED,
  ],
  ...["EAGAIN", "EMFILE", "ENOMEM", "ENFILE", "ENOSPC"].map(
    (errno) => [`${errno} at the spawn`, { ending: notSpawned(errno) }, PUT_BACK] as const,
  ),
  ...FROM_OUTSIDE.flatMap((signal) => [
    [`${signal} from outside, to fail`, { ending: signalled(signal) }, FAILED] as const,
    [
      `${signal} from outside, to fail, tries left`,
      { ending: signalled(signal), limits: THREE_TRIES },
      TRIED_AGAIN,
    ] as const,
    [
      `${signal} from outside, to release`,
      { ending: signalled(signal), limits: { onSignal: "release" } },
      COUNTED_AS_LOST,
    ] as const,
    [
      `${signal} from outside, released too often`,
      { ending: signalled(signal), limits: { onSignal: "release" }, job: { lost: 2 } },
      ["ERROR", "bury", "lost"],
    ] as const,
  ]),
  ...ITS_OWN.flatMap((signal) => [
    [`${signal} of its own`, { ending: signalled(signal) }, FAILED] as const,
    [
      `${signal} of its own is never from outside`,
      { ending: signalled(signal), limits: { ...THREE_TRIES, onSignal: "release" } },
      TRIED_AGAIN,
    ] as const,
  ]),
];

describe("an ending becomes phase and verdict", () => {
  test.each(TABLE)("%s", (_, known, [phase, verdict, counts]) => {
    const settlement = judged(known);
    expect([settlement.phase, settlement.verdict.kind, settlement.counts]).toEqual([phase, verdict, counts]);
  });

  test.each(TABLE)(
    "%s: an error is there, unless it completed, and is the reason of what is buried",
    (_, known, [phase]) => {
      const { error, verdict } = judged(known);
      expect(error === null).toBe(phase === "COMPLETED");
      if (error !== null) expect(error.message).not.toBe("");
      if (verdict.kind === "bury") expect(verdict.reason).toBe(error?.message ?? "");
    },
  );
});

const errorOf = (known: Known): JobError => {
  const { error } = judged(known);
  if (!error) throw new Error("there is none");
  return error;
};

describe("the error of a job", () => {
  test("has the job's own words first, and how it ended", () => {
    const { message, type } = errorOf({ ending: exited(3), said: { message: "no such star", type: "transient" } });
    expect(message).toStartWith("no such star");
    expect(message).toContain("3");
    expect(type).toBe("transient");
  });

  test.each([
    [exited(3), undefined, "transient"],
    [REJECTED, undefined, "fatal"],
    [notSpawned("E2BIG"), undefined, "fatal"],
    [signalled("SIGKILL"), "overrun", "fatal"],
    [signalled("SIGKILL"), "timeout", "transient"],
    [LOST, undefined, "transient"],
    [exited(1), "abort", "fatal"],
  ] as const)("of %p with cause %p is %s", (ending, cause, type) => {
    expect(errorOf({ ending, ...(cause && { cause }) }).type).toBe(type);
  });

  test("names the cause where there was one", () => {
    for (const cause of ["timeout", "overrun", "abort", "stop", "memory", "lease lost", "expired"] as const) {
      expect(errorOf({ ending: signalled("SIGKILL"), cause }).cause).toBe(cause);
    }
    expect(errorOf({ ending: exited(1) }).cause).toBeUndefined();
  });

  test("names who asked for an abort", () => {
    expect(errorOf({ ending: signalled("SIGTERM"), cause: "abort", abortBy: "ada" }).message).toContain("ada");
  });

  test("tells a code, a signal, a reason apart", () => {
    expect(errorOf({ ending: exited(3) }).message).toContain("3");
    expect(errorOf({ ending: signalled("SIGSEGV") }).message).toContain("SIGSEGV");
    expect(errorOf({ ending: signalled(null) }).message).not.toContain("null");
    expect(errorOf({ ending: REJECTED }).message).toContain("width is no number");
    expect(errorOf({ ending: notSpawned("ENOENT") }).message).toContain("not started: ENOENT");
  });
});

const delay = (known: Known): number => {
  const { verdict } = judged(known);
  if (verdict.kind !== "release") throw new Error(`it is ${verdict.kind}`);
  return verdict.delayMs;
};

describe("a release has a delay", () => {
  test("that grows with the failures", () => {
    const many = { ending: exited(1), limits: { maxAttempts: 99 } };
    const delays = [0, 1, 2, 3].map((failures) => delay({ ...many, job: { failures } }));
    expect(delays).toEqual([2500, 5000, 10_000, 20_000]);
  });

  test("that the definition says, where the job asked to be put back", () => {
    const asked = { releaseCodes: [75], releaseDelayMs: 30_000 };
    expect(delay({ ending: exited(75), limits: asked, job: { failures: 5 } })).toBe(30_000);
  });

  test("of nothing after a stop or a loss", () => {
    expect(delay({ ending: signalled("SIGTERM"), cause: "stop" })).toBe(0);
    expect(delay({ ending: LOST, job: { lost: 1 } })).toBe(0);
  });

  test("above nothing while something is missing, so that it does not spin", () => {
    expect(delay({ ending: notSpawned("ENOENT"), programMayTurnUp: true })).toBeGreaterThan(0);
    expect(delay({ ending: notSpawned("EAGAIN") })).toBeGreaterThan(0);
  });
});

describe("the backoff", () => {
  const DRAWS = [0, 0.25, 0.5, 0.999_999];

  test("is between nothing and a ceiling that doubles up to its cap, whatever is drawn", () => {
    for (let failures = 0; failures < 2000; failures += failures < 40 ? 1 : 500) {
      const ceiling = Math.min(900_000, 5000 * 2 ** failures);
      for (const draw of DRAWS) {
        const wait = backoff(failures, limits(), () => draw);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(ceiling);
        expect(Number.isSafeInteger(wait)).toBe(true);
      }
    }
  });

  test("uses the whole range: full jitter", () => {
    expect(backoff(3, limits(), () => 0)).toBe(0);
    expect(backoff(3, limits(), () => 0.999_999)).toBe(40_000);
    expect(backoff(0, limits({ backoffBaseMs: 100 }), HALF)).toBe(50);
    expect(backoff(50, limits({ backoffCapMs: 1000 }), HALF)).toBe(500);
  });
});

describe("what could not be ended", () => {
  const LEFT = "processes of the job could not be ended: 4711 (state D)";

  test("keeps a job from being given out again", () => {
    const stuck = judgeStuck(judged({ ending: exited(1), limits: THREE_TRIES }), LEFT);
    expect(stuck).toMatchObject({ phase: "ERROR", verdict: { kind: "bury", reason: LEFT } });
    expect(stuck.error).toMatchObject({ message: LEFT, type: "fatal" });
  });

  test.each([
    ["COMPLETED", { ending: exited(0) }],
    ["ERROR", { ending: exited(1) }],
    ["ABORTED", { ending: exited(0), cause: "abort" }],
  ] as const)("is told of a job that is %s, and changes nothing else of it", (phase, known) => {
    const before = judged(known);
    const stuck = judgeStuck(before, LEFT);
    expect(stuck).toMatchObject({ phase, verdict: before.verdict, counts: before.counts });
    expect(stuck.error?.message).toContain(LEFT);
    expect(stuck.error?.message).toStartWith(before.error?.message ?? "");
  });
});

describe("a death that a stop may explain", () => {
  test.each([
    ...FROM_OUTSIDE.map((signal) => [signalled(signal), true] as const),
    ...ITS_OWN.map((signal) => [signalled(signal), false] as const),
    ...[129, 130, 131, 137, 143].map((code) => [exited(code), true] as const),
    ...[0, 1, 2, 127, 128, 134, 139, 255].map((code) => [exited(code), false] as const),
    [LOST, false],
    [REJECTED, false],
    [notSpawned("EAGAIN"), false],
  ] as const)("%p: %p", (ending, expected) => {
    expect(mayBeOfAStop(ending)).toBe(expected);
  });
});

describe("a start that failed", () => {
  test.each([
    ["ENOENT", "missing"],
    ["ENOTSUP", "missing"],
    ["EACCES", "missing"],
    ["ENOEXEC", "missing"],
    ["ENOTDIR", "missing"],
    ["EPERM", "missing"],
    ["EAGAIN", "short"],
    ["EMFILE", "short"],
    ["ENFILE", "short"],
    ["ENOMEM", "short"],
    ["ENOSPC", "short"],
    ["E2BIG", "neither"],
    ["EINVAL", "neither"],
  ])("with %s: %s", (errno, expected) => {
    expect(isMissingProgram(notSpawned(errno))).toBe(expected === "missing");
    expect(isShortOfResources(notSpawned(errno))).toBe(expected === "short");
  });

  test("is not what an exit code tells", () => {
    expect(isMissingProgram(exited(127))).toBe(false);
    expect(isShortOfResources(exited(11))).toBe(false);
  });
});
