import type { AttemptEnd } from "../../src/store/job.ts";

/** An attempt whose process exited with this code and left nothing. */
export const endOfAttempt = (code: number, endedAt: number): AttemptEnd => ({
  ending: { kind: "exited", code },
  cause: null,
  endedAt,
  pid: 1,
  userMicroseconds: null,
  systemMicroseconds: null,
  peakBytes: null,
  outputs: [],
  results: [],
  progress: null,
});
