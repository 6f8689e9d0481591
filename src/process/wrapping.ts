import { join } from "node:path";
import { ISOLATING_PROGRAMS } from "./isolation.ts";
import { limited } from "./limiting.ts";
import type { Limits } from "../config/definition.ts";
import { OWN_LINK } from "../runtime/port.ts";
import type { Launch } from "./port.ts";
import type { StartPlace } from "./spawn.ts";
import { cannotEnter, refuseMissing } from "./spawn-failures.ts";
import type { Supervision } from "./supervisor.ts";

/**
 * What is started for a launch: the job's own argv, within the programs of ours that it needs around it.
 *
 * @throws SpawnFailed when what it needs cannot be had here, or its program is not there.
 */
export function wrapped(launch: Launch, place: StartPlace, supervision: Supervision): readonly string[] {
  const { argv } = launch;
  const lasting = argv[0] === OWN_LINK ? [ownProgram(place), ...argv.slice(1)] : argv;
  const bounded = limited(lasting, place.enforcement, entrancesOf(place, supervision));
  const apart = isolated(bounded, place, supervision);
  const kept = place.record?.keeping(apart) ?? apart;
  if (kept === lasting) return argv;
  refuseMissing({ ...launch, argv: lasting });
  place.init?.prepare();
  place.record?.prepare();
  return kept;
}

/**
 * Our own program for another that stands between, for which the link would be to itself. By our number it is what we are
 * even when it was replaced on disk; but other users may not follow that, and in a namespace the number is another's.
 */
function ownProgram({ init, enforcement }: StartPlace): string {
  if (init === null && enforcement.runner === null) return `/proc/${process.pid}/exe`;
  return process.execPath.replace(/ \(deleted\)$/, "");
}

function isolated(argv: readonly string[], { init, enforcement }: StartPlace, { isolation }: Supervision) {
  return init === null ? argv : isolation.isolated(argv, init, enforcement.runner?.account ?? null);
}

/** The files by which the job itself enters the control groups in which it is not started. */
function entrancesOf({ group, bounds, enforcement }: StartPlace, { runtime }: Supervision): string[] {
  const own = group === null || runtime.entersGroups ? [] : [join(group.path, "cgroup.procs")];
  if (own.length > 0 && enforcement.runner) throw cannotEnter();
  return [...own, ...(bounds?.entrances ?? [])];
}

/** How many programs of ours, from the main process downwards, only wait for the job. */
export const keepersOf = ({ outlive, isolate }: Pick<Limits, "outlive" | "isolate">): number =>
  (outlive ? 1 : 0) + (isolate === "pid" ? ISOLATING_PROGRAMS : 0);
