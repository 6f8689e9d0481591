import { shown } from "../../config/wording.ts";
import { messageOf, nothingThere, usageError } from "../../errors.ts";
import type { Options } from "../invocation.ts";
import type { Letter } from "./letter.ts";

/** As much of an id as tells it from all others: letters come one after the other, and none is compared with the rest. */
const LEAST_PREFIX = 8;

const FILTERS = ["match", "job", "older-than"] as const;

/** Which letters are meant. */
export interface Choice {
  /** Asked once for each letter. */
  takes(letter: Letter): boolean;
  /** Whether nothing that comes can be meant any more. */
  isComplete(): boolean;
  /** @throws ReeveError (3) where one that was named did not come. */
  complain(queue: string): void;
}

/**
 * Those with the ids that were given; with `--all`, those that pass the filters.
 *
 * @throws ReeveError (usage)
 */
export function choiceOf(ids: readonly string[], options: Options, now: number): Choice {
  if (options.flag("all") === ids.length > 0) {
    throw usageError("either ids or --all must say which dead letters are meant", "`reeve dead list` shows them");
  }
  return options.flag("all") ? filterOf(options, now) : new Named(ids, options);
}

/** Those that pass the filters. @throws ReeveError (usage) */
export function filterOf(options: Options, now: number): Choice {
  const pattern = options.text("match");
  const isIn = pattern === undefined ? () => true : patternOf(pattern);
  const definition = options.text("job");
  const age = options.duration("older-than");
  return {
    takes: ({ message, reason, definition: own }) =>
      (definition === undefined || own === definition) &&
      (age === undefined || (message.sentAt !== null && message.sentAt <= now - age)) &&
      (isIn(reason ?? "") || isIn(message.body)),
    isComplete: () => false,
    complain: () => {},
  };
}

/** A text that has to be in it, or a regular expression between slashes. */
function patternOf(given: string): (text: string) => boolean {
  const [, source, flags = ""] = /^\/(.+)\/([imsu]*)$/s.exec(given) ?? [];
  if (source === undefined) return (text) => text.includes(given);
  try {
    const expression = new RegExp(source, flags);
    return (text) => expression.test(text);
  } catch (error) {
    throw usageError(`--match: ${messageOf(error)}`, "a text, or a regular expression between slashes");
  }
}

class Named implements Choice {
  readonly #open: Set<string>;

  constructor(ids: readonly string[], options: Options) {
    const filter = FILTERS.find((name) => options.has(name));
    if (filter !== undefined) throw usageError(`--${filter} goes with --all, not with ids`);
    const short = ids.find((id) => id.length < LEAST_PREFIX);
    if (short !== undefined) {
      throw usageError(`${shown(short)} is too little of an id`, `${LEAST_PREFIX} characters at least`);
    }
    this.#open = new Set(ids);
  }

  takes({ id, message }: Letter): boolean {
    const given = [...this.#open].filter((prefix) => id.startsWith(prefix) || message.id.startsWith(prefix));
    for (const prefix of given) this.#open.delete(prefix);
    return given.length > 0;
  }

  isComplete(): boolean {
    return this.#open.size === 0;
  }

  complain(queue: string): void {
    const names = [...this.#open].map(shown).join(", ");
    if (names === "") return;
    const hint = "somebody may hold it for a moment; of a FIFO queue only the first of each group can be seen";
    throw nothingThere(`${queue} gave no letter ${names}`, hint);
  }
}
