/** What the process of a function is given beside what every job has: its value is JSON of {@link FunctionInputs}. */
export const FUNCTION_VARIABLE = "REEVE_FUNCTION";

/** Set where its output goes where that of `reeve run` goes, and not to a file. */
export const DIRECT_VARIABLE = "REEVE_DIRECT";

export interface FunctionInputs {
  /** With the types that were declared. */
  readonly params: Readonly<Record<string, FunctionValue>>;
  /** Of the message, by the names that they have there. */
  readonly attributes: Readonly<Record<string, string>>;
}

export type FunctionValue = string | number | boolean | readonly string[];
