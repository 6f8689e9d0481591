import { getPriority } from "node:os";
import type { Limits, ResourceLimits, ResourceName } from "../config/definition.ts";
import { findRunner, type Runner } from "./accounts.ts";
import type { TreeLimit, TreeLimits } from "./controllers.ts";
import type { LimitGroups } from "./limit-groups.ts";
import { ulimitWords } from "./limiting.ts";
import { SpawnFailed } from "./port.ts";
import { findTool } from "./tools.ts";

/** How the limits of one job are enforced. */
export interface Enforcement {
  /** By control groups. */
  readonly tree: TreeLimits;
  /** What the shell that sets the others is told: pairs of words. */
  readonly words: readonly string[];
  /** What nice(1) adds to our own niceness. */
  readonly niceSteps: number;
  /** Null: as whom we run ourselves. */
  readonly runner: Runner | null;
  /** A sentence for each that is done without. */
  readonly missing: readonly string[];
}

const NOTHING: Enforcement = { tree: {}, words: [], niceSteps: 0, runner: null, missing: [] };

/** What `reeve.toml` calls them. */
const KEYS: Readonly<Record<ResourceName, string>> = {
  memoryBytes: "memory",
  cpus: "cpu",
  processes: "processes",
  cpuSeconds: "cpu_time",
  openFiles: "open_files",
  fileSizeBytes: "file_size",
  nice: "nice",
  umask: "umask",
  user: "user",
  group: "group",
};

/** A sentence that says why a limit cannot be had here; null: it can. */
type Check = (wanted: ResourceLimits, groups: LimitGroups) => string | null;

const byGroup =
  (limit: TreeLimit): Check =>
  (_, groups) =>
    groups.problem(limit);

/** Those that are not here can be had everywhere. */
const CHECKS: Readonly<Partial<Record<ResourceName, Check>>> = {
  memoryBytes: byGroup("memoryBytes"),
  cpus: byGroup("cpus"),
  processes: byGroup("processes"),
  nice: niceProblem,
  user: runnerProblem,
  group: runnerProblem,
};

type Missing = readonly [name: ResourceName, why: string];

/** Whether and how this worker can hold a job to its limits. */
export class Resources {
  readonly #groups: LimitGroups;
  readonly #told = new Set<string>();

  constructor(groups: LimitGroups) {
    this.#groups = groups;
  }

  /** A sentence for each limit that cannot be had here. */
  problems({ resources }: Pick<Limits, "resources">): string[] {
    return this.#missing(resources).map((missing) => sentence(missing, resources));
  }

  /** @throws SpawnFailed when one of them cannot be had here, and is not optional. */
  enforce({ resources }: Pick<Limits, "resources">): Enforcement {
    if (namesIn(resources).length === 0) return NOTHING;
    const missing = this.#missing(resources);
    const refused = missing.find(([name]) => !resources.optional.includes(name));
    if (refused) throw new SpawnFailed("ENOTSUP", `it was not started: ${sentence(refused, resources)}`);
    const had = { ...resources };
    for (const [name] of missing) delete had[name];
    return { ...meansOf(had), missing: missing.map((one) => sentence(one, resources)) };
  }

  /** Those that were not asked for before: to say it once is enough. */
  untold(sentences: readonly string[]): string[] {
    const untold = sentences.filter((one) => !this.#told.has(one));
    for (const one of untold) this.#told.add(one);
    return untold;
  }

  #missing(wanted: ResourceLimits): Missing[] {
    return namesIn(wanted).flatMap((name) => {
      const why = CHECKS[name]?.(wanted, this.#groups) ?? null;
      return why === null ? [] : [[name, why] as const];
    });
  }
}

const NAMES: readonly ResourceName[] = ["memoryBytes", "cpus", "processes", "cpuSeconds", "openFiles", "fileSizeBytes", "nice", "umask", "user", "group"]; // prettier-ignore

const namesIn = (wanted: ResourceLimits): ResourceName[] => NAMES.filter((name) => wanted[name] !== undefined);

function sentence([name, why]: Missing, { optional }: ResourceLimits): string {
  const key = KEYS[name];
  if (optional.includes(name)) return `the limit ${key} is done without, since ${why}`;
  return `the limit ${key} cannot be had here, since ${why}; \`optional = ["${key}"]\` among its limits does without it`;
}

function meansOf(had: ResourceLimits): Omit<Enforcement, "missing"> {
  const { memoryBytes, cpus, processes, nice } = had;
  return {
    tree: {
      ...(memoryBytes !== undefined && { memoryBytes }),
      ...(cpus !== undefined && { cpus }),
      ...(processes !== undefined && { processes }),
    },
    words: ulimitWords(had),
    niceSteps: nice === undefined ? 0 : nice - getPriority(),
    runner: otherRunner(had),
  };
}

const isRoot = (): boolean => process.geteuid?.() === 0;

function niceProblem({ nice, ...wanted }: ResourceLimits): string | null {
  const own = getPriority();
  if (nice === undefined || nice === own) return null;
  if (findTool("nice") === null) return "there is no nice(1)";
  if (nice > own || (isRoot() && otherRunner(wanted) === null)) return null;
  return `only root may go below the niceness of this worker, which is ${own}`;
}

function runnerProblem(wanted: ResourceLimits): string | null {
  const runner = runnerOf(wanted);
  if (typeof runner === "string") return runner;
  return runner === null || isRoot() ? null : "only root can start a job as somebody else";
}

const otherRunner = (wanted: ResourceLimits): Runner | null => {
  const runner = runnerOf(wanted);
  return typeof runner === "string" ? null : runner;
};

/** Null: as this worker runs itself. */
function runnerOf({ user, group }: ResourceLimits): Runner | string | null {
  if (user === undefined && group === undefined) return null;
  const runner = findRunner(user, group);
  if (typeof runner === "string") return runner;
  const { account } = runner;
  return account.user === process.geteuid?.() && account.group === process.getegid?.() ? null : runner;
}
