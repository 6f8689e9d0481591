import { nearest } from "../config/wording.ts";
import { EXIT, usageError } from "../errors.ts";
import type { Filter } from "../store/jobs.ts";
import { isPhase, PHASES, type Phase } from "../store/phases.ts";
import { readDocument } from "../uws/document.ts";
import { withExistingStore, type Context } from "./context.ts";
import { readInteger, type Invocation, type Options } from "./invocation.ts";
import { jobTable } from "./render/job-table.ts";
import { printJsonList } from "./render/json.ts";
import { screenOf } from "./render/table.ts";
import { counted } from "./render/text.ts";
import { parseTime } from "./times.ts";
import { print, remark } from "./streams.ts";
import { remarkOnUnwatched } from "./unwatched.ts";

const DEFAULT_LAST = 50;

/** `reeve list`: the jobs that pass the filters, the newest first. */
export async function run({ options }: Invocation): Promise<number> {
  const filter = filterOf(options);
  return withExistingStore(
    options,
    (context) => context.store.reading(() => show(context, filter, options)),
    async () => {
      if (options.flag("json")) await print("[]\n");
      else remark("no jobs: there is no store yet");
      return EXIT.done;
    },
  );
}

async function show({ store, clock }: Context, filter: Filter, options: Options): Promise<number> {
  // One more than asked for, to learn whether there are more.
  const found = store.jobs.list({ ...filter, last: filter.last === null ? null : filter.last + 1 });
  const jobs = filter.last === null ? found : found.slice(0, filter.last);
  if (options.flag("json")) await printJsonList(jobs, (job) => readDocument(store, job));
  else if (jobs.length > 0) await print(jobTable(store, jobs, clock.now(), screenOf(options)));
  else remark("no jobs");
  if (found.length > jobs.length)
    remark(`only the newest ${counted(jobs.length, "job")}; --last N or --last all shows more`);
  await remarkOnUnwatched(store, jobs);
  return EXIT.done;
}

function filterOf(options: Options): Filter {
  const after = options.text("after");
  return {
    phases: options.texts("phase").map(phaseCalled),
    after: after === undefined ? null : parseTime("--after", after),
    owner: options.text("owner") ?? null,
    last: lastOf(options.text("last")),
  };
}

function lastOf(text: string | undefined): number | null {
  if (text === "all") return null;
  return text === undefined ? DEFAULT_LAST : readInteger("--last", text, 1);
}

function phaseCalled(name: string): Phase {
  const phase = name.toUpperCase();
  if (isPhase(phase)) return phase;
  const meant = nearest(phase, PHASES);
  throw usageError(
    `there is no phase ${name}${meant === undefined ? "" : `, did you mean ${meant}?`}`,
    `the phases are ${PHASES.join(", ")}`,
  );
}
