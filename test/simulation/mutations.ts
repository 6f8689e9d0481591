import { ActiveJob } from "../../src/worker/active-job.ts";
import { Stop } from "../../src/worker/stop.ts";
import { Timers } from "../../src/worker/timers.ts";

/** Ways to break what the simulation relies on, and the checks of which one must notice it: else they check nothing. */
export const MUTATIONS = [
  { name: "a paused worker loses its lock", noticedBy: "only the jobs of the dead are recovered" },
  { name: "recovery says gone while it runs", noticedBy: "the end is told when the tree is gone" },
  { name: "a commit is told that never was", noticedBy: "what was told is there" },
  { name: "the queue gives a job twice", noticedBy: "nobody touches the jobs of a worker that lives" },
  { name: "lost starts are not counted", noticedBy: "attempts are counted as what they were" },
  { name: "expiry is not looked at", noticedBy: "expired jobs are not started" },
  { name: "dependencies are not looked at", noticedBy: "no start before what it waits for is COMPLETED" },
  { name: "suspects are given to busy workers", noticedBy: "a suspect runs alone" },
  { name: "aborts are forgotten", noticedBy: "what is to be aborted is not started again" },
  { name: "ended jobs are written again", noticedBy: "a final phase stays" },
  { name: "jobs vanish when they end", noticedBy: "no job is lost" },
  { name: "tries of exit handlers are not noted", noticedBy: "a try is recorded before it begins" },
  { name: "tries of exit handlers are not read", noticedBy: "an exit handler is tried twice at most" },
  { name: "where an exit handler runs is forgotten", noticedBy: "an exit handler runs alone" },
  { name: "failed clean-ups are taken for done", noticedBy: "a clean-up is done when its handler ended well" },
  { name: "clean-ups that are done are taken for failed", noticedBy: "what could not be cleaned up is an error" },
  { name: "owed clean-ups are forgotten", noticedBy: "what is owed is not forgotten" },
  { name: "owed clean-ups are not paid", noticedBy: "a job runs again only when it has been cleaned up after" },
  { name: "an abort does not wait for what is owed", noticedBy: "a final phase is shown after the clean-up" },
  { name: "what has ended counts as running", noticedBy: "no exit handler after an exit of the job's own" },
  { name: "exit handlers cannot be ended", noticedBy: "an exit handler keeps to its time" },
  { name: "a tree that moves is told to stand still", noticedBy: "what is SUSPENDED stands still" },
  { name: "a tree does not go on", noticedBy: "what is resumed goes on" },
  { name: "suspended jobs are resumed unasked", noticedBy: "what is SUSPENDED goes on only when that is asked for" },
  { name: "somebody wakes what stands still", noticedBy: "what is SUSPENDED stays still" },
  { name: "somebody stops what runs", noticedBy: "nothing stands still that nobody suspended" },
  { name: "time goes on while a job stands still", noticedBy: "running time is recorded as it was" },
  { name: "ends are recorded as others", noticedBy: "the recorded end is the true one" },
  { name: "a stop counts as a failure", noticedBy: "what a stop ends is put back, and not counted" },
  { name: "a stop is never overdue", noticedBy: "a stop keeps to its budget" },
  { name: "a stop is never at once", noticedBy: "a stop that is asked for again is at once" },
  { name: "a stop explains no death", noticedBy: "a signal to the worker and its jobs at once is a stop" },
  { name: "a stop gives no time to finish", noticedBy: "who may finish has the time for it" },
  { name: "a stop ends what outlives it", noticedBy: "a stop leaves alone what outlives it" },
  { name: "jobs are ended for no cause", noticedBy: "whoever is ended by its worker knows why" },
  { name: "what outlives its worker is ended", noticedBy: "what outlives its worker goes on" },
  { name: "kept ends are not read", noticedBy: "an end that was kept is learnt" },
] as const satisfies readonly { readonly name: string; readonly noticedBy: string }[];

export type Mutation = (typeof MUTATIONS)[number]["name"];

const READY = "INDEXED BY jobs_ready WHERE phase = 'QUEUED' AND available_at IS NULL AND waiting = 0";

const READY_TWICE = "NOT INDEXED WHERE phase IN ('QUEUED', 'EXECUTING') AND available_at IS NULL AND waiting = 0";

/** Other statements than the store asked for, in turn: what is to be replaced, and by what. */
const STATEMENTS: Partial<Record<Mutation, readonly (readonly [string, string])[]>> = {
  "the queue gives a job twice": [[READY, READY_TWICE]],
  "lost starts are not counted": [["lost = lost + ?10", "lost = lost + 0 * ?10"]],
  "expiry is not looked at": [["expires_at <= ?", "expires_at <= 0 * ?"]],
  "dependencies are not looked at": [[READY, "NOT INDEXED WHERE phase = 'QUEUED' AND available_at IS NULL"]],
  "suspects are given to busy workers": [
    ["lost < 2", "lost < 9"],
    ["INDEXED BY jobs_suspect WHERE", "NOT INDEXED WHERE 1 = 0 AND"],
  ],
  "aborts are forgotten": [["SET abort_by = ?", "SET abort_by = nullif(?, 'user')"]],
  "ended jobs are written again": [
    ["UPDATE jobs SET retried_as = ?2", "UPDATE jobs SET phase = 'QUEUED', retried_as = ?2"],
  ],
  "jobs vanish when they end": [["destruction <= ?", "coalesce(destruction, 1) <= ?"]],
  "tries of exit handlers are not noted": [
    ["cleanup_tries = ?3, cleanup_place", "cleanup_tries = 0 * ?3, cleanup_place"],
  ],
  "tries of exit handlers are not read": [["cleanup_tries AS tries", "0 AS tries"]],
  "where an exit handler runs is forgotten": [["cleanup_place AS place", "NULL AS place"]],
  "failed clean-ups are taken for done": [["cleanup = ?3", "cleanup = replace(?3, 'failed', 'done')"]],
  "clean-ups that are done are taken for failed": [["cleanup = ?3", "cleanup = replace(?3, 'done', 'failed')"]],
  "owed clean-ups are forgotten": [["SET owed = ?2", "SET owed = nullif(?2, ?2)"]],
  "owed clean-ups are not paid": [["held_by AS heldBy, owed,", "held_by AS heldBy, NULL AS owed,"]],
  "an abort does not wait for what is owed": [["WHERE seq = ? AND owed IS NULL", "WHERE seq = ?"]],
  "suspended jobs are resumed unasked": [
    ["suspend_by AS suspendBy", "iif(phase = 'SUSPENDED', NULL, suspend_by) AS suspendBy"],
  ],
  "ends are recorded as others": [["exit_code = ?6", "exit_code = ?6 + (?6 = 1)"]],
  "a stop counts as a failure": [["failures = failures + ?9", "failures = failures + (?9 OR ?6 = 'release')"]],
};

/** As the store's own code has them: see `StoreDatabase.statement`. */
const own = (sql: string): string => sql.replaceAll("+?", "?");

export function rewriting(mutation: Mutation | null): (sql: string) => string {
  if (mutation === "a commit is told that never was") return (sql) => (sql === "COMMIT" ? "ROLLBACK" : sql);
  const replacements = (mutation && STATEMENTS[mutation]) ?? [];
  return (sql) => replacements.reduce((changed, [from, to]) => changed.replace(from, to), own(sql));
}

/** Puts another function in the place of a method or a getter. Gives the way to put it back. */
export function replace<T extends object>(prototype: T, name: keyof T & string, other: PropertyDescriptor): () => void {
  const own = Object.getOwnPropertyDescriptor(prototype, name);
  if (!own) throw new Error(`there is no ${name}`);
  Object.defineProperty(prototype, name, { ...own, ...other });
  return () => void Object.defineProperty(prototype, name, own);
}

/** Breaks the worker itself, until what this gives is called. */
export function breakWorker(mutation: Mutation | null): () => void {
  switch (mutation) {
    case "time goes on while a job stands still":
      return replace(Timers.prototype, "pause", { value: () => {} });
    case "a stop is never overdue":
      return replace(Stop.prototype, "isOverdue", { get: () => false });
    case "a stop is never at once":
      return replace(Stop.prototype, "ask", { value: askOnce(Stop.prototype.ask) });
    case "a stop explains no death":
      return replace(ActiveJob.prototype, "explain", { value: () => {} });
    case "a stop gives no time to finish":
      return replace(ActiveJob.prototype, "endByStop", {
        value(this: ActiveJob) {
          return this.end("stop");
        },
      });
    case "a stop ends what outlives it":
      return replace(ActiveJob.prototype, "isLeftAlone", { get: () => false });
    case "jobs are ended for no cause":
      return replace(ActiveJob.prototype, "cause", { get: () => null });
    default:
      return () => {};
  }
}

/** What is asked later does nothing. */
const askOnce = (ask: Stop["ask"]) =>
  function askedOnce(this: Stop, ...signal: Parameters<Stop["ask"]>): ReturnType<Stop["ask"]> {
    return this.isAsked ? "same" : ask.apply(this, signal);
  };
