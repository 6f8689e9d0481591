import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { codeOf } from "../errors.ts";

/** Where this process is among the control groups: cgroups(7). */
export interface OwnGroups {
  /** Our own group's directory under each mount of the version 2 hierarchy. */
  readonly unified: readonly string[];
  /** Our own group's directory for each controller that a version 1 hierarchy has. */
  readonly controllers: ReadonlyMap<string, string>;
}

/** Two texts of /proc/self, as proc(5) has them. */
export interface GroupTexts {
  readonly cgroup: string;
  readonly mountinfo: string;
}

const ownTexts = (): GroupTexts => ({
  cgroup: textOrNothing("/proc/self/cgroup"),
  mountinfo: textOrNothing("/proc/self/mountinfo"),
});

interface Mount {
  readonly type: string;
  /** Which directory of the hierarchy is seen at `point`. */
  readonly root: string;
  readonly point: string;
  readonly options: readonly string[];
}

export function ownGroups({ cgroup, mountinfo }: GroupTexts = ownTexts()): OwnGroups {
  const mounts = mountinfo.split("\n").flatMap(parseMount);
  const unified: string[] = [];
  const controllers = new Map<string, string>();
  for (const [, names = "", path = ""] of cgroup.matchAll(/^\d+:([^:]*):(.*)$/gm)) {
    if (names === "") unified.push(...seenAt(path, ofType(mounts, "cgroup2")));
    for (const name of names.split(",").filter(Boolean)) {
      const [directory] = seenAt(
        path,
        ofType(mounts, "cgroup").filter(({ options }) => options.includes(name)),
      );
      if (directory !== undefined) controllers.set(name, directory);
    }
  }
  return { unified, controllers };
}

function parseMount(line: string): Mount[] {
  const [own = "", more = ""] = line.split(" - ");
  const [, , , root, point] = own.split(" ").map(unescaped);
  const [type, , options = ""] = more.split(" ");
  return root && point && type ? [{ type, root, point, options: options.split(",") }] : [];
}

/** Spaces and their like are written as three octal digits. */
const unescaped = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

const ofType = (mounts: readonly Mount[], type: string): Mount[] => mounts.filter((mount) => mount.type === type);

/** A mount may show a part of the hierarchy only, and not the one in which the group is. */
function seenAt(path: string, mounts: readonly Mount[]): string[] {
  return mounts.flatMap(({ root, point }) => {
    const base = root === "/" ? "" : root;
    return path === base || path.startsWith(`${base}/`) ? [resolve(point, `.${path.slice(base.length)}`)] : [];
  });
}

function textOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    // Not Linux, or a kernel built without it.
    if (codeOf(error) === "ENOENT") return "";
    throw error;
  }
}
