import { EXIT } from "../errors.ts";
import type { Decision } from "../store/decisions.ts";
import { isoTime } from "../uws/document.ts";
import { withExistingStore } from "./context.ts";
import { explainJob, type Explanation } from "./explanation.ts";
import type { Invocation } from "./invocation.ts";
import { phaseColour } from "./render/colour.ts";
import { printJson } from "./render/json.ts";
import { screenOf, table, type Screen } from "./render/table.ts";
import { safe } from "./render/text.ts";
import { print } from "./streams.ts";

/** `reeve why`: what was decided on a job, by whom, and what it waits for now. */
export async function run({ args: [prefix = ""], options }: Invocation): Promise<number> {
  return withExistingStore(options, async (context) => {
    const { store } = context;
    const explanation = await store.reading(() => explainJob(context, store.jobs.byPrefix(prefix)));
    const screen = screenOf(options);
    if (options.flag("json")) await printJson(toDocument(explanation));
    else await print(page(explanation, screen));
    return EXIT.done;
  });
}

function toDocument({ job, story, now, next }: Explanation) {
  return {
    jobId: job.id,
    phase: job.phase,
    story: story.map(({ at, what, by, why }) => ({ time: isoTime(at), what, by, why })),
    now,
    next,
  };
}

function page({ job, story, now, next }: Explanation, screen: Screen): string {
  const title = `job ${job.id} is ${screen.paint(job.phase, phaseColour(job.phase))}\n`;
  const sentences = now.map((sentence) => `${safe(sentence)}\n`).join("");
  const advice = next.map((command) => `  ${screen.paint(command, "bold")}\n`).join("");
  return `${title}\n${storyTable(story, screen)}\n${sentences}${advice}`;
}

function storyTable(story: readonly Decision[], screen: Screen): string {
  const rows = story.map(({ at, what, by, why }) => [
    isoTime(at),
    safe(by),
    safe(why === null ? what : `${what}: ${why}`),
  ]);
  return table(["WHEN", "WHO", "WHAT"], rows, screen);
}
