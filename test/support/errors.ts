import { messageOf, ReeveError } from "../../src/errors.ts";

/** What is said at the command line when `action` fails; it must be an error for people. */
export async function sentenceOf(
  action: () => unknown,
): Promise<{ message: string; exitCode: number; hint: string | undefined }> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof ReeveError)) throw new Error(`not for people: ${messageOf(error)}`, { cause: error });
    const { message, exitCode, hint } = error;
    return { message, exitCode, hint };
  }
  throw new Error("nothing was thrown");
}
