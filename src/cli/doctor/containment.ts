import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Containment } from "../../config/definition.ts";
import { chooseGroups, findGroups } from "../../process/containment.ts";
import { ownGroups } from "../../process/own-groups.ts";
import type { Runtime } from "../../runtime/port.ts";
import { note, ok, type Check, type Looked } from "./finding.ts";

const DELEGATE = "Delegate=yes in the unit, or `systemd-run --user --scope -p Delegate=yes`, gives it control groups";

/** What holds the trees of a worker together here. `setting` is undefined where the configuration is wrong. */
export function containmentChecks(runtime: Runtime, setting: Containment = "auto"): Check[] {
  return [
    { name: "containment", look: () => lookAtContainment(runtime, setting) },
    { name: "controllers", look: lookAtControllers },
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

/** By which limits of memory, processors and processes can be held for a tree as a whole. */
function lookAtControllers(): Looked {
  const { unified, controllers } = ownGroups();
  const second = unified.flatMap((directory) => wordsOf(join(directory, "cgroup.controllers")));
  const names = [...second.map((name) => `${name} (v2)`), ...[...controllers.keys()].map((name) => `${name} (v1)`)];
  const what = names.length === 0 ? "none" : names.join(", ");
  const isUseful = ["memory", "pids"].every((name) => second.includes(name));
  return isUseful ? ok(what) : note(what, "limits of a tree's memory or processes need the controllers of version 2");
}

function wordsOf(path: string): string[] {
  return existsSync(path) ? readFileSync(path, "utf8").split(/\s+/).filter(Boolean) : [];
}
