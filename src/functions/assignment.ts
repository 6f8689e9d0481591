import { FUNCTION_VARIABLE, type FunctionInputs } from "../config/function-variable.ts";
import { fs } from "./builtins.ts";
import type { Message } from "./context.ts";

/** What a process that runs functions is told of the one job that it is for. */
export interface Assignment {
  readonly params: FunctionInputs["params"];
  readonly message: Message;
  readonly jobId: string;
  readonly attempt: number;
  /** The directory of its results. */
  readonly results: string;
  /** Why there is something to clean up; empty: there is not. */
  readonly cause: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** As the environment has it. */
export function assignmentIn(environment: Environment): Assignment {
  const text = environment[FUNCTION_VARIABLE] ?? "";
  if (text === "") throw new Error(`${FUNCTION_VARIABLE} is not set: a worker starts this`);
  // The worker wrote it, in this version.
  const { params, attributes } = JSON.parse(text) as FunctionInputs;
  return {
    params,
    message: messageIn(environment, attributes),
    jobId: environment["REEVE_JOB_ID"] ?? "",
    attempt: Number(environment["REEVE_ATTEMPT"] ?? 1),
    results: environment["REEVE_RESULTS"] ?? ".",
    cause: environment["REEVE_CAUSE"] ?? "",
  };
}

function messageIn(environment: Environment, attributes: Message["attributes"]): Message {
  const bodyFile = environment["REEVE_BODY"] ?? null;
  const received = environment["REEVE_RECEIVE_COUNT"];
  let body: string | undefined;
  return {
    id: environment["REEVE_MESSAGE_ID"] ?? null,
    get body() {
      body ??= bodyFile === null ? "" : fs().readFileSync(bodyFile, "utf8");
      return body;
    },
    bodyFile,
    attributes,
    receiveCount: received === undefined ? null : Number(received),
  };
}
