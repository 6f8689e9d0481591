import { isFinal } from "../../src/store/phases.ts";
import { mayBeOfAStop, isMissingProgram, isShortOfResources } from "../../src/worker/ending.ts";
import { isStuck } from "./commit-checks.ts";
import type { JobRecord } from "./ledger.ts";
import type { AttemptRow, Row } from "./observer.ts";
import { RELEASE_CODE, REJECT_CODE } from "./programs.ts";
import type { Workplace } from "./workplace.ts";

/** What must hold when all has come to rest. */
export function checkEnd(place: Workplace): void {
  const { world, ledger, observer, machine, locks } = place;
  for (const record of ledger.jobs.values()) {
    checkAnswer(place, record);
    if (record.row && !record.gone) checkJob(place, record, record.row);
  }
  const living = machine.table.all.filter(({ tree: { job }, unkillableUntil }) => {
    const row = ledger.get(job)?.row;
    return unkillableUntil < world.now && !(row && isStuck(row));
  });
  world.check(living.length === 0, "no process is left", () =>
    living.map(({ pid, tree }) => `${pid} of ${tree.job}`).join(),
  );
  world.check(observer.count("workers") === 0, "no dead worker is left", () => String(observer.count("workers")));
  world.check(observer.count("removals") === 0, "no removal is left", () => String(observer.count("removals")));
  world.check(locks.held.length === 0, "no lock is left", () => locks.held.join());
}

function checkAnswer({ world }: Workplace, { answer, row, spec, mayGo }: JobRecord): void {
  // One that was deleted in the same commit was never seen.
  world.check(answer !== "told" || row !== null || mayGo, "what was told is there", () => spec.id);
  world.check(answer !== "refused" || row === null, "what was refused is not there", () => spec.id);
}

function checkJob(place: Workplace, record: JobRecord, row: Row): void {
  const { world, observer } = place;
  const say = (detail: string): string => `job ${row.id.slice(0, 6)} (${row.phase}) ${detail}`;
  world.check(isAtRest(place, row), "every job comes to rest", () => say(`waiting ${row.waiting} ${row.availableAt}`));
  const attempts = observer.attempts(row.seq);
  const open = attempts.filter(({ endedAt, ending }) => endedAt === null || ending === null);
  world.check(open.length === 0, "every attempt has an ending", () => say(JSON.stringify(open)));
  world.check(attempts.length === row.attempts, "every attempt has a row", () => say(`${attempts.length}`));
  checkCounts(place, record, row, attempts);
  const outputs = new Set(observer.outputs(row.seq));
  const mute = attempts.filter(({ ending, number }) => /exited|signalled/.test(ending ?? "") && !outputs.has(number));
  world.check(mute.length === 0, "what an attempt wrote is kept", () => say(JSON.stringify(mute)));
}

function isAtRest({ world, observer, machine }: Workplace, row: Row): boolean {
  if (isFinal(row.phase) || row.phase === "PENDING" || row.phase === "HELD") return true;
  // A process in another pid namespace that cannot be looked into.
  if (row.phase === "UNKNOWN") return machine.table.of(row.id).length > 0;
  if (row.phase !== "QUEUED") return false;
  if (row.waiting > 0) return isWaitingForAny(observer.unmet(row.seq));
  return row.delayedByUser === 1 && row.availableAt !== null && row.availableAt > world.wall();
}

function isWaitingForAny(unmet: readonly { readonly phase: Row["phase"] | null }[]): boolean {
  return unmet.length > 0 && unmet.every(({ phase }) => phase !== null && !isFinal(phase));
}

/** The budgets are the sums of what the attempts were. The last one may have been settled otherwise. */
function checkCounts({ world }: Workplace, record: JobRecord, row: Row, attempts: readonly AttemptRow[]): void {
  const kinds = attempts.map((attempt) => countsAs(attempt, record));
  for (const kind of ["failure", "lost"] as const) {
    const counted = kind === "lost" ? row.lost : row.failures;
    const isMaybe = (number: number): boolean => kinds[number] === "maybe failure" && kind === "failure";
    const least = kinds.slice(0, -1).filter((one) => one === kind).length;
    const most = kinds.filter((one, number) => one === kind || isMaybe(number)).length;
    const say = (): string => `job ${row.id.slice(0, 6)}: ${counted} ${kind}, of ${kinds.join()}`;
    world.check(counted >= least && counted <= most, "attempts are counted as what they were", say);
  }
}

type Count = "failure" | "lost" | "nothing" | "maybe failure";

function countsAs({ cause, ending, exitCode, signal, detail }: AttemptRow, { limits }: JobRecord): Count {
  if (cause !== null) return cause === "timeout" ? "failure" : "nothing";
  if (ending === "lost") return limits.onLost === "release" ? "lost" : "nothing";
  if (ending === "exited") return [0, REJECT_CODE, RELEASE_CODE].includes(exitCode ?? 0) ? "nothing" : "failure";
  if (ending === "signalled") {
    return limits.onSignal === "release" && mayBeOfAStop({ kind: "signalled", signal }) ? "lost" : "failure";
  }
  return countsAsUnstarted(detail ?? "");
}

/** Whether a missing program counts depends on the worker that misses it. */
function countsAsUnstarted(detail: string): Count {
  const errno = /[A-Z0-9]+$/.exec(detail)?.[0] ?? "";
  const ending = { kind: "spawn failed", errno, message: detail } as const;
  if (isShortOfResources(ending)) return "nothing";
  return isMissingProgram(ending) ? "maybe failure" : "nothing";
}
