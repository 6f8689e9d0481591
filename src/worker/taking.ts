import { codeOf, messageOf } from "../errors.ts";
import type { Launch, Slot, Takings } from "../process/port.ts";
import type { Ports } from "./ports.ts";

const FULL_DISK_RETRY_MS = 1000;

/** On a full disk what the job left waits where it is. */
export async function collect(slot: Slot, launch: Launch, { clock, emit }: Ports): Promise<Takings> {
  for (;;) {
    try {
      return slot.collect(launch);
    } catch (error) {
      if (codeOf(error) !== "ENOSPC") throw error;
      emit({ type: "trouble", what: `the output of job ${launch.job} cannot be kept: ${messageOf(error)}` });
      await clock.sleep(FULL_DISK_RETRY_MS);
    }
  }
}
