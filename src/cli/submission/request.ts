import type { Limits } from "../../config/definition.ts";
import type { GivenParameter } from "../../config/parameters.ts";
import type { Foreground } from "../../store/job.ts";

/** One job as it is asked for, by options or by a line of a batch. Null: not said. */
export interface JobRequest {
  job: string | null;
  command: string[] | null;
  /** Within a batch: what later lines call it. */
  name: string | null;
  parameters: GivenParameter[];
  files: GivenParameter[];
  body: Uint8Array | null;
  bodyFile: string | null;
  priority: number | null;
  delayMs: number | null;
  expiresMs: number | null;
  after: string[];
  dedupe: string | null;
  hold: boolean;
  runId: string | null;
  executionDurationMs: number | null;
  environment: Record<string, string>;
  secretEnvironment: Record<string, string>;
  cwd: string | null;
  /** The argv of what cleans up after it. */
  exitHandler: string[] | null;
  /** Those that were set. */
  limits: Partial<Limits>;
  /** It is to run in this process; null: it is to be queued. */
  foreground: Foreground | null;
}

export const emptyRequest = (): JobRequest => ({
  job: null,
  command: null,
  name: null,
  parameters: [],
  files: [],
  body: null,
  bodyFile: null,
  priority: null,
  delayMs: null,
  expiresMs: null,
  after: [],
  dedupe: null,
  hold: false,
  runId: null,
  executionDurationMs: null,
  environment: {},
  secretEnvironment: {},
  cwd: null,
  exitHandler: null,
  limits: {},
  foreground: null,
});
