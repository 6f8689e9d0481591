import type { SqliteQueue } from "../../src/queue/sqlite.ts";
import type { Message } from "../../src/queue/port.ts";
import type { AttemptEnd, Settlement } from "../../src/store/job.ts";
import type { Store } from "../../src/store/store.ts";

export const COMPLETED: Settlement = {
  phase: "COMPLETED",
  verdict: { kind: "acknowledge" },
  counts: "nothing",
  error: null,
};

export const exited = (): AttemptEnd => ({
  ending: { kind: "exited", code: 0 },
  cause: null,
  endedAt: Date.now(),
  pid: 4711,
  userMicroseconds: 500,
  systemMicroseconds: 500,
  peakBytes: null,
  outputs: [],
  results: [],
  progress: null,
});

/** What the dispatcher writes for the messages of one moment: a job is claimed, its inputs are read, its start is recorded. */
export function claim(store: Store, queue: SqliteQueue, max: number): Promise<Message[]> {
  return queue.receive(
    () => ({ max, idle: true, without: [] }),
    (message) => {
      const { job, id, receiveCount } = message;
      store.jobs.inputs(job.seq);
      const start = { job, worker: "bench", directory: "/slot-1", messageId: id, receiveCount, at: Date.now() };
      store.attempts.begin(start);
      return message;
    },
  );
}

/** Ends what was claimed. */
export function finish(store: Store, messages: readonly Message[]): Promise<unknown> {
  return Promise.all(
    messages.map(({ job }) => store.write(() => store.attempts.end(job, exited(), COMPLETED, "bench"))),
  );
}
