import { EXIT, ReeveError } from "../errors.ts";
import { report } from "./failures.ts";

/**
 * Does the same to each, and tells of each one that it failed on.
 *
 * @returns the exit code of the first failure, else 0.
 */
export async function eachOf<T>(things: readonly T[], act: (thing: T) => Promise<void>): Promise<number> {
  let code: number = EXIT.done;
  for (const thing of things) {
    const failed = await attempt(() => act(thing));
    if (code === EXIT.done) code = failed;
  }
  return code;
}

async function attempt(act: () => Promise<void>): Promise<number> {
  try {
    await act();
    return EXIT.done;
  } catch (error) {
    if (error instanceof ReeveError) return report(error);
    throw error;
  }
}
