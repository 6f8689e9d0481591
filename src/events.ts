import type { RouteEvent } from "./config/message-route.ts";
import type { AttemptEnd, CleanUp, Settlement } from "./store/job.ts";

/** Everything that a worker, or a service, tells of itself. One file turns these into log lines; tests wait for the same events. */
export type WorkerEvent =
  | { readonly type: "worker started"; readonly worker: string; readonly concurrency: number; readonly store: string }
  | { readonly type: "worker stopping"; readonly worker: string; readonly why: string }
  /** `left`: jobs that go on without it. */
  | { readonly type: "worker ended"; readonly worker: string; readonly counts: JobCounts; readonly left: number }
  | { readonly type: "job started"; readonly job: string; readonly attempt: number; readonly pid: number }
  | {
      readonly type: "job adopted";
      readonly job: string;
      readonly attempt: number;
      readonly pid: number;
      /** The worker that it outlived. */
      readonly from: string;
    }
  | {
      readonly type: "job ended";
      readonly job: string;
      readonly attempt: number;
      readonly end: AttemptEnd;
      readonly settlement: Settlement;
      readonly ranMs: number;
    }
  | {
      readonly type: "end not recorded";
      readonly job: string;
      readonly attempt: number;
      readonly end: AttemptEnd;
      readonly why: string;
    }
  | { readonly type: "job warning"; readonly job: string; readonly attempt: number; readonly warning: string }
  | {
      readonly type: "job said";
      readonly job: string;
      readonly attempt: number;
      readonly level: string;
      readonly said: string;
    }
  | {
      readonly type: "lease extended" | "lease not extended";
      readonly job: string;
      readonly attempt: number;
      readonly what: string;
    }
  | { readonly type: "lease lost"; readonly job: string; readonly attempt: number; readonly why: string }
  /** What was decided is recorded, and its queue does not know it. */
  | { readonly type: "not told"; readonly job: string; readonly attempt: number; readonly why: string }
  | {
      readonly type: "queue trouble";
      readonly queue: string;
      readonly what: string;
      readonly hint: string | null;
      readonly forMs: number;
    }
  | { readonly type: "queue healed"; readonly queue: string }
  | { readonly type: "suspended"; readonly job: string; readonly attempt: number; readonly by: string }
  | { readonly type: "resumed"; readonly job: string; readonly attempt: number }
  | { readonly type: "cleaned up"; readonly job: string; readonly attempt: number; readonly cleanUp: CleanUp }
  | { readonly type: "signalled"; readonly job: string; readonly attempt: number; readonly why: string }
  | { readonly type: "definition paused"; readonly definition: string; readonly why: string; readonly forMs: number }
  | { readonly type: "taking nothing"; readonly why: string; readonly forMs: number }
  | RouteEvent
  | { readonly type: "recovered"; readonly worker: string; readonly jobs: number }
  | { readonly type: "job unknown"; readonly job: string; readonly what: string }
  | { readonly type: "destroyed"; readonly jobs: number }
  | { readonly type: "service started"; readonly address: string }
  | { readonly type: "service ended" }
  | { readonly type: "request failed"; readonly what: string }
  | { readonly type: "warning"; readonly what: string }
  | { readonly type: "trouble"; readonly what: string }
  | { readonly type: "healed" };

/** Jobs that ended on a worker, by what became of them. */
export interface JobCounts {
  completed: number;
  /** ERROR or ABORTED. */
  failed: number;
  /** To be run again. */
  putBack: number;
}

export type Emit = (event: WorkerEvent) => void;
