import type { Containment } from "../../config/definition.ts";
import { chooseConfining, chooseGroups, findGroups } from "../../process/containment.ts";
import { Isolation } from "../../process/isolation.ts";
import type { Runtime } from "../../runtime/port.ts";
import { note, ok, type Check, type Looked } from "./finding.ts";

const DELEGATE = "Delegate=yes in the unit, or `systemd-run --user --scope -p Delegate=yes`, gives it control groups";

/** What holds the trees of a worker together here, and to what. `setting` is undefined where the configuration is wrong. */
export function containmentChecks(runtime: Runtime, setting: Containment = "auto"): Check[] {
  return [
    { name: "containment", look: () => lookAtContainment(runtime, setting) },
    { name: "pid namespaces", look: lookAtIsolation },
    { name: "limits", look: () => lookAtLimits(runtime) },
  ];
}

function lookAtContainment(runtime: Runtime, setting: Containment): Looked {
  const groups = chooseGroups(setting, runtime);
  if (groups) return ok(`control groups below ${groups.home.directory}`);
  if (setting === "marks") return ok('marks only, as `containment = "marks"` says');
  const found = findGroups(runtime);
  if (typeof found === "string") return note(`marks only: ${found}`, DELEGATE);
  const what = `marks only: ${runtime.name} cannot start a program in a control group without a shell between`;
  return note(what, '`containment = "cgroup"` has it done so all the same');
}

function lookAtIsolation(): Looked {
  const problem = new Isolation().problem(null);
  if (problem !== null) return note(problem);
  const how = process.geteuid?.() === 0 ? "as root" : "without root, with a user namespace";
  return ok(`\`isolate = "pid"\` can be had, ${how}`);
}

const TREE_LIMITS = [
  ["memory", "memoryBytes"],
  ["cpu", "cpus"],
  ["processes", "processes"],
] as const;

/** The other limits can be had everywhere, since each process has them of its own. */
function lookAtLimits(runtime: Runtime): Looked {
  const { limitGroups } = chooseConfining("auto", runtime);
  const all = TREE_LIMITS.map(([key, limit]) => ({ key, problem: limitGroups.problem(limit) }));
  const had = all.flatMap(({ key, problem }) => (problem === null ? [key] : []));
  const what = `of a tree as a whole: ${had.join(", ") || "none"}`;
  const missing = all.flatMap(({ key, problem }) => (problem === null ? [] : [`${key}: ${problem}`]));
  return missing.length === 0 ? ok(what) : note(`${what}; not ${missing.join("; ")}`, "a job may have it `optional`");
}
