/** The verb by which this program starts itself for a module of jobs. It is in no help: nobody types it. */
export const FUNCTION_VERB = "_function";

/** What it is started for: to tell what is in a module, to run a job of it, to clean up after one, or to route. */
export type FunctionTask = "describe" | "run" | "exit" | "route";
