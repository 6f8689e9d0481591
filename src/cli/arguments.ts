import { suggestion } from "../config/wording.ts";
import { usageError } from "../errors.ts";

/** One option as it can be written. */
export interface OptionForm {
  readonly name: string;
  /** All ways to write it: `--output`, `-o`. */
  readonly spellings: readonly string[];
  readonly takesValue: boolean;
  readonly negated: boolean;
}

/** Reads the form of an option from how help shows it: `-o, --output <file>`. */
export function optionForm(flags: string): OptionForm {
  const spellings = flags.replace(/\s*<.*$/, "").split(/,\s*/);
  const long = spellings.at(-1)?.slice(2) ?? "";
  const negated = long.startsWith("no-");
  return { name: negated ? long.slice(3) : long, spellings, takesValue: flags.includes("<"), negated };
}

/** The options that may stand where they stand: only the global ones before the verb. */
export type FormsOf = (verb: string | undefined) => readonly OptionForm[];

/** Marks a value as text: the parser would make a number of `007`, and take `-1` or nothing for the next option. */
const TEXT_MARK = "=";

/** The text that was given, or undefined for what is no marked text. */
export function markedText(value: unknown): string | undefined {
  return typeof value === "string" && value.startsWith(TEXT_MARK) ? value.slice(TEXT_MARK.length) : undefined;
}

/**
 * Writes arguments so that the parser cannot take any for something else: each value in one word with its option, and
 * marked as text. What stands after `--` is left as it is.
 *
 * @throws ReeveError (usage) for an option that is not known, or that lacks a value.
 */
export function unambiguous(argv: readonly string[], formsOf: FormsOf): string[] {
  const end = argv.indexOf("--");
  const words = end === -1 ? [...argv] : argv.slice(0, end);
  const written: string[] = [];
  let verb: string | undefined;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? "";
    if (isPositional(word)) {
      verb ??= word;
      written.push(word);
      continue;
    }
    const { argument, taken } = readOption(word, words[index + 1], formsOf(verb), verb);
    written.push(argument);
    index += taken;
  }
  return end === -1 ? written : [...written, ...argv.slice(end)];
}

function isPositional(word: string): boolean {
  if (word === "-") throw usageError("`-` means nothing here", "it stands for stdin after --batch and --body-file");
  return !word.startsWith("-");
}

interface ReadOption {
  readonly argument: string;
  /** How many of the words that follow are its value. */
  readonly taken: 0 | 1;
}

function readOption(
  word: string,
  next: string | undefined,
  forms: readonly OptionForm[],
  verb: string | undefined,
): ReadOption {
  const [spelling = "", attached] = splitOnce(word);
  const form = forms.find(({ spellings }) => spellings.includes(spelling));
  if (!form) throw unknownOption(spelling, forms, verb);
  if (!form.takesValue) return { argument: switchArgument(form, spelling, attached), taken: 0 };
  const value = attached ?? next;
  if (value === undefined || (attached === undefined && isOption(value, forms))) {
    throw usageError(`${spelling} needs a value`, helpHint(verb));
  }
  return { argument: `--${form.name}=${TEXT_MARK}${value}`, taken: attached === undefined ? 1 : 0 };
}

function splitOnce(word: string): [spelling: string, value: string | undefined] {
  const at = word.indexOf("=");
  return at === -1 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

const isOption = (word: string, forms: readonly OptionForm[]): boolean =>
  forms.some(({ spellings }) => spellings.includes(splitOnce(word)[0]));

function switchArgument(form: OptionForm, spelling: string, value: string | undefined): string {
  if (value !== undefined) throw usageError(`${spelling} takes no value, but was given one`);
  // Without `=true` the parser would look at the next word, and make a number of an id that looks like one.
  return form.negated ? `--no-${form.name}` : `--${form.name}=true`;
}

function unknownOption(spelling: string, forms: readonly OptionForm[], verb: string | undefined): Error {
  const all = forms.flatMap(({ spellings }) => spellings);
  const meant = suggestion(spelling, all);
  if (verb === undefined) return usageError(`no option ${spelling} before a verb${meant}`, helpHint(verb));
  return usageError(`\`reeve ${verb}\` has no option ${spelling}${meant}`, helpHint(verb));
}

/** Where the usage is shown. */
export const helpHint = (verb: string | undefined): string =>
  verb === undefined ? "`reeve --help` shows the verbs and options" : `\`reeve ${verb} --help\` shows its options`;
