import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Outcome, Trial } from "../fixtures/as-somebody.ts";

const FIXTURE = join(import.meta.dirname, "..", "fixtures", "as-somebody.ts");
export const NOBODY = 65_534;
export const IS_ROOT = process.getuid?.() === 0;

/** What comes of them for a worker without rights: of the user nobody, where we are root. */
export function tryUnprivileged(trials: readonly Trial[]): Outcome[] {
  const { stdout, stderr } = spawnSync(process.execPath, [FIXTURE, JSON.stringify(trials)], {
    cwd: "/",
    env: { PATH: process.env["PATH"] ?? "", TMPDIR: "/tmp" },
    encoding: "utf8",
    timeout: 60_000,
    ...(IS_ROOT && { uid: NOBODY, gid: NOBODY }),
  });
  if (!stdout.startsWith("[")) throw new Error(`it could not be tried: ${stderr}${stdout}`);
  // As the fixture prints them.
  return JSON.parse(stdout) as Outcome[];
}
