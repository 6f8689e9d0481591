/** Reeve as a library; the README, "As a library", has examples. */
export { EXIT, ReeveError, type ExitCode } from "./errors.ts";
export { defineJob, file, Reject, Release, type ResultFile } from "./functions/api.ts";
export type {
  Argument,
  Context,
  ExitContext,
  Job,
  JobOptions,
  JobSource,
  LogLevel,
  Message,
  Parameter,
  Parameters,
  ParameterType,
  ResourceOptions,
  ResultValue,
  Route,
  RoutedTo,
  RouteResult,
  Size,
  Values,
} from "./functions/api.ts";
export type { DispatchedJob, QueueMessage } from "./library/dispatched.ts";
export { JobFailed, WorkerFailed } from "./library/errors.ts";
export { JobStore, type JobStoreOptions, type ListFilter } from "./library/job-store.ts";
export type { WorkerEventOf, WorkerEventType } from "./library/listeners.ts";
export type { EndedProcess, StartOptions } from "./library/managed-process.ts";
export { ProcessManager, SpawnFailed, type ProcessManagerOptions, type SignalName } from "./library/process-manager.ts";
export { SqliteQueue, SqsQueue, type SqsQueueFacts, type SqsQueueOptions } from "./library/queues.ts";
export type {
  CommandRequest,
  DefinitionRequest,
  MessageRequest,
  ParameterValue,
  RequestBase,
  SubmitRequest,
} from "./library/request.ts";
export type { Duration, JobDefinition, JobDefinitions, LimitSettings, ParameterSettings } from "./library/settings.ts";
export type { Decide, Decision, EndedAttempt, RunOptions, WorkerOptions, WorkQueue } from "./library/worker-options.ts";
export {
  endBySignal,
  Worker,
  type JobDocument,
  type Phase,
  type WorkerEnd,
  type WorkerEvent,
} from "./library/worker.ts";
