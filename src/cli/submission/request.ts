import type { Limits } from "../../config/definition.ts";
import type { GivenParameter } from "../../config/parameters.ts";
import type { Foreground } from "../../store/job.ts";

/** An attribute of a message, with its value as it was written. */
export interface GivenAttribute {
  readonly name: string;
  /** `String`, `Number`, `Binary`, or one of them with a label: `Number.int`. */
  readonly dataType: string;
  readonly value: string;
}

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
  /** These three are a message's on SQS. */
  attributes: GivenAttribute[];
  group: string | null;
  traceHeader: string | null;
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
  attributes: [],
  group: null,
  traceHeader: null,
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
