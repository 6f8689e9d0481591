/** Ways to break what the simulation relies on: each must be noticed, else the checks check nothing. */
export const MUTATIONS = [
  "a paused worker loses its lock",
  "recovery says gone while it runs",
  "a commit is told that never was",
  "the queue gives a job twice",
  "lost starts are not counted",
  "expiry is not looked at",
  "dependencies are not looked at",
  "suspects are given to busy workers",
  "aborts are forgotten",
] as const;

export type Mutation = (typeof MUTATIONS)[number];

/** Other statements than the store asked for. */
export function rewriting(mutation: Mutation | null): (sql: string) => string {
  switch (mutation) {
    case "a commit is told that never was":
      return (sql) => (sql === "COMMIT" ? "ROLLBACK" : sql);
    case "the queue gives a job twice":
      return (sql) => sql.replaceAll("UPDATE jobs SET phase = 'EXECUTING'", "UPDATE jobs SET phase = 'QUEUED'");
    case "lost starts are not counted":
      return (sql) => sql.replace("lost = lost + ?10", "lost = lost + 0 * ?10");
    case "expiry is not looked at":
      return (sql) => sql.replace("expires_at <= ?", "expires_at <= 0 * ?");
    case "dependencies are not looked at":
      return (sql) => sql.replace("available_at IS NULL AND waiting = 0 AND", "available_at IS NULL AND");
    case "suspects are given to busy workers":
      return (sql) => sql.replaceAll("lost < 2", "lost < 9").replaceAll("lost >= 2 ORDER", "lost >= 9 ORDER");
    case "aborts are forgotten":
      return (sql) => sql.replace("SET abort_by = ?", "SET abort_by = nullif(?, 'user')");
    default:
      return (sql) => sql;
  }
}
