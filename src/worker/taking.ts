import { codeOf, isOutOfFiles, messageOf } from "../errors.ts";
import type { Launch, Slot, Takings } from "../process/port.ts";
import type { Ports } from "./ports.ts";

const RETRY_MS = 1000;

export const NO_TAKINGS: Takings = { outputs: [], results: [], progress: null, error: null, warnings: [] };

/**
 * On a full disk, or without a descriptor, what the job left waits where it is; or is given up, with a warning, where
 * somebody waits for us.
 */
export async function collect(
  slot: Slot,
  launch: Launch,
  { clock, emit }: Ports,
  onShortage: "wait" | "give up" = "wait",
): Promise<Takings> {
  for (;;) {
    try {
      while (slot.catchUp()) await clock.sleep(0);
      return slot.collect(launch);
    } catch (error) {
      if (codeOf(error) !== "ENOSPC" && !isOutOfFiles(error)) throw error;
      const what = `the output of job ${launch.job} cannot be kept: ${messageOf(error)}`;
      if (onShortage === "give up") return { ...NO_TAKINGS, warnings: [what] };
      emit({ type: "trouble", what });
      await clock.sleep(RETRY_MS);
    }
  }
}
