import { formatDuration } from "../config/durations.ts";
import { EXIT, nothingThere } from "../errors.ts";
import { readDocument } from "../uws/document.ts";
import type { Job } from "../store/job.ts";
import type { Store } from "../store/store.ts";
import { withExistingStore } from "./context.ts";
import type { Invocation } from "./invocation.ts";
import { exitCodeOf, WAITED_TOO_LONG } from "./outcome.ts";
import { printJson } from "./render/json.ts";
import { remark } from "./streams.ts";
import { WaitProgress } from "./wait-progress.ts";
import { waitForEnd } from "../store/waiting.ts";

/** `reeve wait`: waits until all have ended; exits as the first one did that failed. */
export async function run({ args, options }: Invocation): Promise<number> {
  return withExistingStore(options, async ({ store }) => {
    const ids = args.map((prefix) => store.jobs.byPrefix(prefix).id);
    const timeoutMs = options.duration("timeout") ?? null;
    const code = await waitForAll(store, ids, { timeoutMs, quiet: options.flag("quiet") });
    if (options.flag("json")) await printJson(documents(store, ids));
    return code;
  });
}

function documents(store: Store, ids: readonly string[]): unknown {
  const all = ids.flatMap((id) => store.jobs.byId(id) ?? []).map((job) => readDocument(store, job));
  return ids.length === 1 ? all[0] : all;
}

export interface Patience {
  readonly timeoutMs?: number | null;
  readonly quiet?: boolean;
}

/** The exit code of the first of the jobs that did not exit with 0, when all have ended. */
export async function waitForAll(store: Store, ids: readonly string[], patience: Patience): Promise<number> {
  const { timeoutMs = null, quiet = false } = patience;
  const deadline = timeoutMs === null ? null : performance.now() + timeoutMs;
  let code: number = EXIT.done;
  for (const id of ids) {
    const left = deadline === null ? null : Math.max(0, deadline - performance.now());
    const ended = await waitForOne(store, id, left, quiet);
    if (ended === null) return tooLong(id, timeoutMs ?? 0);
    if (code === EXIT.done) code = exitCodeOf(ended, store.attempts.one(ended.seq, ended.attempts));
  }
  return code;
}

/** Null: it took too long. */
async function waitForOne(store: Store, id: string, timeoutMs: number | null, quiet: boolean): Promise<Job | null> {
  const job = store.jobs.byId(id);
  if (!job) throw nothingThere(`job ${id} has been deleted`);
  if (!quiet) remarkOnStandstill(job);
  const progress = new WaitProgress(quiet);
  const ended = await waitForEnd(store, job, timeoutMs, progress.see).finally(() => progress.end());
  if (ended?.kind === "gone") throw nothingThere(`job ${id} was deleted while it was waited for`);
  return ended?.job ?? null;
}

function remarkOnStandstill({ id, phase }: Job): void {
  if (phase === "PENDING" || phase === "HELD") remark(`job ${id} is ${phase}: \`reeve start ${id}\` queues it`);
  if (phase === "SUSPENDED") remark(`job ${id} is SUSPENDED: \`reeve resume ${id}\` lets it go on`);
}

function tooLong(id: string, timeoutMs: number): number {
  remark(`job ${id} has not ended within ${formatDuration(timeoutMs)}; it goes on`);
  return WAITED_TOO_LONG;
}
