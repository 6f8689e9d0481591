import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { codeOf, configurationError, messageOf } from "../errors.ts";
import {
  CONTAINMENTS,
  type Configuration,
  type Containment,
  type Definition,
  type WorkerSettings,
} from "./definition.ts";
import type { ConfigurationTable } from "./schema.ts";
import { readToml } from "./toml.ts";

const FILE_NAME = "reeve.toml";

/** What decides which file is read. */
export interface ConfigurationSource {
  /** `--config`; undefined if it was not given. */
  flag: string | undefined;
  environment: Readonly<Record<string, string | undefined>>;
  /** An absolute path. */
  cwd: string;
  /** There are definitions elsewhere, too, which the file may name. */
  hasMore?: boolean;
}

/**
 * The configuration: of the file that the flag names, else `REEVE_CONFIG`, else `reeve.toml` in the caller's directory
 * if there is one, else the defaults.
 *
 * @throws ReeveError (configuration) if a file that was named cannot be read, or with a line for each thing that is
 *   wrong in the file.
 */
export async function loadConfiguration(from: ConfigurationSource): Promise<Configuration> {
  if (from.flag === "") throw configurationError("--config is empty: it must name a file");
  const named = from.flag ?? (from.environment["REEVE_CONFIG"] || undefined);
  const file = resolve(from.cwd, named ?? FILE_NAME);
  const text = textOf(file, named);
  if (text === null) return completed({}, null, from.cwd, from.environment);
  return completed(
    await readToml(text, named ?? FILE_NAME, from.hasMore ?? false),
    file,
    dirname(file),
    from.environment,
  );
}

/** Null if the file was not asked for by name and is not there. */
function textOf(file: string, named: string | undefined): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    if (named === undefined && codeOf(error) === "ENOENT") return null;
    throw configurationError(`${named ?? FILE_NAME}: ${readingSentence(error)}`);
  }
}

function readingSentence(error: unknown): string {
  switch (codeOf(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return "there is no such file";
    case "EISDIR":
      return "this is a directory, not a file";
    case "EACCES":
      return "the file may not be read by this user";
    default:
      return error instanceof TypeError ? "the file is not valid UTF-8" : `cannot be read: ${messageOf(error)}`;
  }
}

function completed(
  given: ConfigurationTable,
  file: string | null,
  directory: string,
  environment: ConfigurationSource["environment"],
): Configuration {
  const { path, durability = "full" } = given.store ?? {};
  return {
    file,
    directory,
    store: { path: path === undefined ? null : resolve(directory, path), durability },
    worker: workerSettings(given, environment),
    queues: new Map(Object.entries(given.queues ?? {})),
    jobsFile: typeof given.jobs === "string" ? resolve(directory, given.jobs) : null,
    definitions: definitionsOf(given, directory),
    service: given.service ?? { anonymous: false, proxies: [], limits: {} },
    users: new Map(Object.entries(given.users ?? {})),
  };
}

function workerSettings(given: ConfigurationTable, environment: ConfigurationSource["environment"]): WorkerSettings {
  const worker = given.worker ?? {};
  return {
    concurrency: worker.concurrency ?? null,
    recoveryIntervalMs: worker.recovery_interval ?? 5000,
    // A pipeline that is cancelled is killed after some ten seconds.
    stopBudgetMs: worker.stop_budget ?? (environment["CI"] ? 7000 : 25_000),
    connectTimeoutMs: worker.connect_timeout ?? 60_000,
    containment: containmentOf(environment["REEVE_CONTAINMENT"]) ?? worker.containment ?? "auto",
    endOutliving: worker.end_outliving ?? false,
    routeTimeoutMs: worker.route_timeout ?? 5000,
  };
}

function containmentOf(word: string | undefined): Containment | undefined {
  if (!word) return undefined;
  const known = CONTAINMENTS.find((one) => one === word);
  if (known) return known;
  throw configurationError(
    `REEVE_CONTAINMENT is ${JSON.stringify(word)}: it must be one of ${CONTAINMENTS.join(", ")}`,
  );
}

function definitionsOf(given: ConfigurationTable, directory: string): Map<string, Definition> {
  const entries = Object.entries(jobTablesOf(given));
  return new Map(
    entries.map(([name, job]) => [name, { ...job, name, cwd: resolve(directory, job.cwd ?? ".") }] as const),
  );
}

/** The definitions that a document has itself: none, where it names a module that has them. */
export const jobTablesOf = ({ jobs = {} }: ConfigurationTable): Exclude<typeof jobs, string> =>
  typeof jobs === "string" ? {} : jobs;
