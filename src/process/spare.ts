import { closeSync, openSync } from "node:fs";
import { isOutOfFiles } from "../errors.ts";

let spare: number | null = null;

/**
 * Does what needs a descriptor for no longer than it takes. One is kept to be given up for it when there is no other:
 * what was started has to be seen and ended all the same.
 */
export function withSpare<T>(work: () => T): T {
  spare ??= anyDescriptor();
  try {
    return work();
  } catch (error) {
    if (!isOutOfFiles(error) || spare === null) throw error;
    closeSync(spare);
    try {
      return work();
    } finally {
      spare = anyDescriptor();
    }
  }
}

function anyDescriptor(): number | null {
  try {
    return openSync("/dev/null", "r");
  } catch (error) {
    if (isOutOfFiles(error)) return null;
    throw error;
  }
}
