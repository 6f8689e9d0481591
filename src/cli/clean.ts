import { EXIT } from "../errors.ts";
import type { Job } from "../store/job.ts";
import type { Phase } from "../store/phases.ts";
import { expiredJobs, jobsInPhase } from "../store/reading.ts";
import { withExistingStore, type Context } from "./context.ts";
import type { Invocation, Options } from "./invocation.ts";
import { printJson } from "./render/json.ts";
import { counted } from "./render/text.ts";
import { removeJobs } from "./removing.ts";
import { printLine, remark } from "./streams.ts";

/** Other processes get their turn between transactions of so many. */
const CHUNK = 500;

const PHASES_OF: Readonly<Record<string, readonly Phase[]>> = {
  failed: ["ERROR", "ABORTED"],
  completed: ["COMPLETED"],
  forgotten: ["PENDING", "HELD"],
  all: ["ERROR", "ABORTED", "COMPLETED", "PENDING", "HELD", "QUEUED"],
};

/** What is to go. */
interface Sweep {
  readonly phases: readonly Phase[];
  /** Nothing that ended, or was made, later. */
  readonly before: number;
  readonly now: number;
}

/** `reeve clean`: forgets jobs whose time is over, and those in the phases that were asked for. */
export async function run({ options }: Invocation): Promise<number> {
  return withExistingStore(
    options,
    async (context) => {
      const sweep = sweepOf(options, context.clock.now());
      const dry = options.flag("dry-run");
      await tell(dry ? candidates(context, sweep, null).map(({ id }) => id) : await clean(context, sweep), options);
      return EXIT.done;
    },
    async () => {
      await tell([], options);
      return EXIT.done;
    },
  );
}

function sweepOf(options: Options, now: number): Sweep {
  const asked = Object.entries(PHASES_OF).filter(([name]) => options.flag(name));
  return {
    phases: [...new Set(asked.flatMap(([, phases]) => phases))],
    before: now - (options.duration("older-than") ?? 0),
    now,
  };
}

async function clean(context: Context, sweep: Sweep): Promise<string[]> {
  const removed: string[] = [];
  const stuck = new Set<number>();
  for (;;) {
    const found = candidates(context, sweep, CHUNK + stuck.size).filter(({ seq }) => !stuck.has(seq));
    if (found.length === 0) break;
    const gone = new Set(await removeJobs(context, found));
    removed.push(...gone);
    for (const { id, seq } of found) if (!gone.has(id)) stuck.add(seq);
  }
  if (stuck.size > 0)
    remark(`${counted(stuck.size, "job")} still on a worker: aborted, and forgotten when they have ended`);
  return removed;
}

/** About so many that are to go; what is expired goes whatever its phase. */
function candidates({ store }: Context, { phases, before, now }: Sweep, limit: number | null): Job[] {
  const expired = expiredJobs(store.database, now, before, limit);
  const inPhases = phases.flatMap((phase) => jobsInPhase(store.database, phase, before, limit));
  return [...new Map([...expired, ...inPhases].map((job) => [job.seq, job])).values()];
}

async function tell(ids: readonly string[], options: Options): Promise<void> {
  const dryRun = options.flag("dry-run");
  if (options.flag("json")) return printJson({ removed: ids.length, dryRun, ids });
  return printLine(`${dryRun ? "would remove" : "removed"} ${counted(ids.length, "job")}`);
}
