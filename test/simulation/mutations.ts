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
  { name: "a tree that moves is told to stand still", noticedBy: "what is SUSPENDED stands still" },
] as const satisfies readonly { readonly name: string; readonly noticedBy: string }[];

export type Mutation = (typeof MUTATIONS)[number]["name"];

const READY = "INDEXED BY jobs_ready WHERE phase = 'QUEUED' AND available_at IS NULL AND waiting = 0";

const READY_TWICE = "NOT INDEXED WHERE phase IN ('QUEUED', 'EXECUTING') AND available_at IS NULL AND waiting = 0";

/** Other statements than the store asked for. */
export function rewriting(mutation: Mutation | null): (sql: string) => string {
  switch (mutation) {
    case "a commit is told that never was":
      return (sql) => (sql === "COMMIT" ? "ROLLBACK" : sql);
    case "the queue gives a job twice":
      return (sql) => sql.replace(READY, READY_TWICE);
    case "lost starts are not counted":
      return (sql) => sql.replace("lost = lost + ?10", "lost = lost + 0 * ?10");
    case "expiry is not looked at":
      return (sql) => sql.replace("expires_at <= ?", "expires_at <= 0 * ?");
    case "dependencies are not looked at":
      return (sql) => sql.replace(READY, "NOT INDEXED WHERE phase = 'QUEUED' AND available_at IS NULL");
    case "suspects are given to busy workers":
      return (sql) =>
        sql.replace("lost < 2", "lost < 9").replace("INDEXED BY jobs_suspect WHERE", "NOT INDEXED WHERE 1 = 0 AND");
    case "aborts are forgotten":
      return (sql) => sql.replace("SET abort_by = ?", "SET abort_by = nullif(?, 'user')");
    case "ended jobs are written again":
      return (sql) =>
        sql.replace("UPDATE jobs SET retried_as = ?2", "UPDATE jobs SET phase = 'QUEUED', retried_as = ?2");
    case "jobs vanish when they end":
      return (sql) => sql.replace("destruction <= ?", "coalesce(destruction, 1) <= ?");
    default:
      return (sql) => sql;
  }
}
