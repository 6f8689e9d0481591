import type { DispatchedJob, JobDefinitions, JobDocument, SubmitRequest, Worker, WorkerEventOf } from "reeve";

// Nothing here is run: it is what users write types for.
export const definitions = {
  resize: {
    command: ["./resize.sh", "{param.image}"],
    params: { image: { type: "file", required: true } },
    timeout: 60,
  },
} satisfies JobDefinitions;

export const requests: readonly SubmitRequest[] = [
  { command: ["make"], cwd: "/", env: { CC: "cc" }, timeout: "10m", limits: { memory: "1GB" } },
  { job: "resize", files: { image: "a.png" }, priority: 3 },
];

export function summary(worker: Worker, job: JobDocument): string {
  const stop = worker.on("job ended", (event: WorkerEventOf<"job ended">) => event.settlement.phase);
  stop();
  return `${job.jobId} ${job.phase} ${job.jobInfo.attempts.length}`;
}

export function mustRunAgain({ willRunAgain, error }: DispatchedJob): boolean {
  if (error) throw error;
  return willRunAgain;
}
