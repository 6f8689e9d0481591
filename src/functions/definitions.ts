import { dirname, resolve } from "node:path";
import { jobTablesOf } from "../config/configuration.ts";
import type { Definition } from "../config/definition.ts";
import type { Problem } from "../config/problems.ts";
import { configurationError } from "../errors.ts";
import type { DescribedJob, Description } from "./describe.ts";
import { REJECT_CODE, RELEASE_CODE } from "./exit-codes.ts";
import { shownPath, type Place } from "./places.ts";
import { FUNCTION_VERB, type FunctionTask } from "./verb.ts";

/** What a module of jobs comes to for everybody who does not run it. */
export interface FunctionModule {
  /** An absolute path. */
  readonly file: string;
  readonly definitions: readonly Definition[];
  /** It has a `route`, which says whose a message is. */
  readonly hasRoute: boolean;
}

/** What is to be known beside what a module says. */
export interface Around {
  /** An absolute path. */
  readonly file: string;
  /** Of this program, for a process that loads the module. */
  readonly argv: readonly string[];
  /** Names that are taken, and by whom. */
  readonly taken: ReadonlyMap<string, string>;
  /** An absolute path; places are told relative to it. */
  readonly cwd: string;
}

/**
 * The definitions of a module: what it says goes through the checker of `reeve.toml`.
 *
 * @throws ReeveError (configuration) with a line for each thing that is wrong: file, line, sentence.
 */
export async function definitionsOf(description: Description, around: Around): Promise<FunctionModule> {
  const { file } = around;
  if ("message" in description) {
    throw configurationError(`${placed(description.place, around)}: ${description.message}`);
  }
  const { jobs, hasRoute } = description;
  const { checkDocument } = await import("../config/schema.ts");
  const checked = checkDocument({ jobs: Object.fromEntries(jobs.map((job) => [job.name, tableOf(job, around)])) });
  const problems = "problems" in checked ? checked.problems : [];
  const sentences = [...jobs.flatMap((job) => ownProblems(job, around)), ...problems.map(sentenceOf(jobs, around))];
  if (sentences.length > 0 || !("table" in checked)) throw configurationError(sentences.join("\n"));
  const definitions = Object.entries(jobTablesOf(checked.table)).map(([name, { cwd = ".", ...job }]) => ({
    ...job,
    name,
    cwd: resolve(dirname(file), cwd),
    function: { file, name, exit: argvOf("exit", name, around), warm: warmOf(jobs, name) },
  }));
  return { file, definitions, hasRoute };
}

/** More would take more memory than any module takes time. */
const MOST_WARM = 64;

/** Only functions have it. It has been checked. */
function warmOf(jobs: readonly DescribedJob[], name: string): number {
  const warm = jobs.find((job) => job.name === name)?.table["warm"];
  return typeof warm === "number" ? warm : 0;
}

function warmProblems({ warm = 0 }: DescribedJob["table"]): string[] {
  const isNumber = typeof warm === "number" && Number.isInteger(warm) && warm >= 0 && warm <= MOST_WARM;
  return isNumber ? [] : [`warm must be a whole number from 0 to ${MOST_WARM}`];
}

/** As `[jobs.NAME]` would say it. */
function tableOf({ name, table, hasExit }: DescribedJob, around: Around): Record<string, unknown> {
  const { warm: _warm, ...keys } = table;
  return {
    ...keys,
    command: commandOf("run", name, around),
    ...(hasExit && { exit_handler: commandOf("exit", name, around) }),
    reject: withCode(table["reject"], REJECT_CODE),
    release: withCode(table["release"], RELEASE_CODE),
  };
}

const argvOf = (task: FunctionTask, name: string, { argv, file }: Around): string[] => [
  ...argv,
  FUNCTION_VERB,
  task,
  file,
  name,
];

const commandOf = (task: FunctionTask, name: string, around: Around): string[] =>
  argvOf(task, name, around).map(literally);

/** Nothing of it is a placeholder. */
const literally = (word: string): string => word.replaceAll("{", "{{");

/** What is no list of codes is left for the checker. */
const withCode = (given: unknown, code: number): unknown =>
  given === undefined || Array.isArray(given) ? [...new Set([...(given ?? []), code])] : given;

function ownProblems({ name, table, problems, place }: DescribedJob, around: Around): string[] {
  const holder = around.taken.get(name);
  return [
    ...problems,
    ...warmProblems(table),
    ...["command", "exit_handler"]
      .filter((key) => Object.hasOwn(table, key))
      .map((key) => `${keyName(key)} is for commands`),
    ...(holder === undefined ? [] : [`has a name that is taken: it is in ${holder} as well`]),
  ].map((problem) => `${placed(place, around)}: ${name} ${problem}`);
}

const sentenceOf =
  (jobs: readonly DescribedJob[], around: Around) =>
  ({ path, message }: Problem): string => {
    const [, name = "", ...keys] = path.map(String);
    const place = jobs.find((job) => job.name === name)?.place ?? null;
    const said = message.replaceAll(/`([a-z]+(?:_[a-z]+)+)`/g, (_, key: string) => `\`${keyName(key)}\``);
    return `${placed(place, around)}: ${[name, ...keys.map(keyName)].join(".")} ${said}`;
  };

/** As TypeScript writes it. */
const keyName = (key: string): string => key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Where somebody has to look. */
function placed(place: Place | null, { file, cwd }: Pick<Around, "file" | "cwd">): string {
  const name = shownPath(place?.file ?? file, cwd);
  return place === null ? name : `${name}:${place.line}`;
}
