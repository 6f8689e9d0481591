import { existsSync } from "node:fs";
import { join } from "node:path";

/** Not those of a PATH: what Reeve itself starts must not depend on where a job looks for programs. */
const PLACES = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

const found = new Map<string, string | null>();

/** The path of a program that comes with the system; null: there is none. */
export function findTool(name: string): string | null {
  let path = found.get(name);
  if (path === undefined) {
    path = PLACES.map((place) => join(place, name)).find((one) => existsSync(one)) ?? null;
    found.set(name, path);
  }
  return path;
}
