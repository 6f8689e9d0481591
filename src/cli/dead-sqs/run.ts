import { systemClock } from "../../clock.ts";
import type { Configuration } from "../../config/definition.ts";
import { shown } from "../../config/wording.ts";
import { EXIT, unreachable, usageError } from "../../errors.ts";
import type { Options } from "../invocation.ts";
import type { ChosenQueue } from "../queues.ts";
import { counted } from "../render/text.ts";
import { dieBy, exitCodeOf, listenForStop } from "../../process/stop-signals.ts";
import { remark } from "../streams.ts";
import { choiceOf, filterOf, type Choice } from "./choice.ts";
import type { Letter } from "./letter.ts";
import { openQueues, type LetterQueues } from "./queues.ts";
import { Reading } from "./reading.ts";
import { Tally } from "./tally.ts";
import { printLetter, printLetters } from "./telling.ts";
import { lookThrough, purging, retrying, workThrough, type Fate, type Measure } from "./working.ts";

/** So many letters are listed unless it is said how many. */
const LISTED = 100;

export type Action = "list" | "show" | "retry" | "purge";

/** What an action works with. */
interface Desk extends LetterQueues {
  readonly reading: Reading;
  readonly options: Options;
  readonly stop: AbortSignal;
}

/** `reeve dead … --queue`: the dead letters of an SQS queue. */
export async function runOnSqs(
  action: Action,
  ids: readonly string[],
  definition: NonNullable<ChosenQueue["definition"]>,
  options: Options,
  configuration: Configuration,
): Promise<number> {
  const act = prepare(action, ids, options);
  const queues = await openQueues(definition, options, configuration);
  const stop = new AbortController();
  const signals = listenForStop(
    () => stop.abort(),
    () => void queues.close(),
  );
  try {
    const reading = new Reading(queues.letters, { clock: systemClock, random: Math.random });
    const code = await released(reading, () => act({ ...queues, reading, options, stop: stop.signal }));
    return signals.stoppedBy ? exitCodeOf(signals.stoppedBy) : code;
  } finally {
    await queues.close();
    signals.remove();
    if (signals.stoppedBy) dieBy(signals.stoppedBy);
  }
}

async function released(reading: Reading, act: () => Promise<number>): Promise<number> {
  try {
    return await act();
  } finally {
    const obstacle = await reading.release();
    if (obstacle) remark(`some letters can be received again only in a minute: ${obstacle.message}`);
    if (reading.mayHaveMissed) remark("an answer was lost: letters that it may have brought come back in a minute");
  }
}

/** What can be wrong in the arguments is told before anything is asked of the queue. */
function prepare(action: Action, ids: readonly string[], options: Options): (desk: Desk) => Promise<number> {
  const now = systemClock.now();
  const limit = options.integer("limit", 1);
  switch (action) {
    case "list":
      return (desk) => list(desk, filterOf(options, now), limit ?? LISTED);
    case "show": {
      const choice = choiceOf(onlyOne(ids), options, now);
      return (desk) => show(desk, choice);
    }
    case "retry":
    case "purge": {
      const choice = choiceOf(ids, options, now);
      const measure = { limit: limit ?? Number.POSITIVE_INFINITY, rate: rateOf(options) };
      if (options.flag("dry-run")) return (desk) => rehearse(desk, action, choice, measure.limit);
      return (desk) => work(desk, action, choice, measure);
    }
    default:
      return unreachable(action);
  }
}

function onlyOne(ids: readonly string[]): readonly string[] {
  if (ids.length === 1) return ids;
  throw usageError("`reeve dead show` takes one id");
}

function rateOf(options: Options): number | null {
  const text = options.text("rate");
  if (text === undefined) return null;
  const rate = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : 0;
  if (rate > 0) return rate;
  throw usageError(`--rate must be a number of letters a second above 0, not ${shown(text)}`);
}

async function list({ reading, letters, options, stop }: Desk, choice: Choice, limit: number): Promise<number> {
  const found = await lookThrough(reading, choice, limit, stop);
  if (stop.aborted) return EXIT.done;
  await printLetters(found.toSorted(byAge), options);
  if (options.flag("quiet")) return EXIT.done;
  if (found.length === 0) remark(`no such dead letters in ${letters.address.name}`);
  if (found.length === limit) remark(`there may be more than ${limit}: --limit N shows them`);
  if (letters.address.isFifo && found.length > 0) remark("a FIFO queue shows the first letters of each group only");
  return EXIT.done;
}

const byAge = (a: Letter, b: Letter): number => (a.message.sentAt ?? 0) - (b.message.sentAt ?? 0);

async function show({ reading, letters, options, stop }: Desk, choice: Choice): Promise<number> {
  const [letter] = await lookThrough(reading, choice, Number.POSITIVE_INFINITY, stop);
  if (stop.aborted) return EXIT.done;
  choice.complain(letters.address.name);
  if (letter) await printLetter(letter, options, systemClock.now());
  return EXIT.done;
}

type Change = Extract<Action, "retry" | "purge">;

const DONE: Readonly<Record<Change, string>> = { retry: "sent back", purge: "deleted" };

async function rehearse(desk: Desk, action: Change, choice: Choice, limit: number): Promise<number> {
  const { reading, letters, target, options, stop } = desk;
  const found = await lookThrough(reading, choice, limit, stop);
  if (stop.aborted) return EXIT.done;
  await printLetters(found.toSorted(byAge), options);
  const where = action === "retry" ? ` to ${target.address.name}` : "";
  if (!options.flag("quiet")) remark(`${counted(found.length, "letter")} would be ${DONE[action]}${where}`);
  choice.complain(letters.address.name);
  return EXIT.done;
}

async function work(
  { reading, letters, target, options, stop }: Desk,
  action: Change,
  choice: Choice,
  measure: Measure,
): Promise<number> {
  const tally = new Tally(DONE[action], reading, options);
  const act = action === "retry" ? retrying(letters, target) : purging(letters);
  const tell = (letter: Letter, fate: Fate): Promise<void> => tally.take(letter, fate);
  await workThrough(reading, choice, act, measure, { clock: systemClock, stop, tell }).finally(() =>
    tally.finish(stop),
  );
  if (!stop.aborted && tally.code === EXIT.done) choice.complain(letters.address.name);
  return tally.code;
}
