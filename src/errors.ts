/** The exit codes of the command line; a job's own exit code may take their place (`wait`, `run`). */
export const EXIT = {
  done: 0,
  jobFailed: 1,
  usage: 2,
  nothingThere: 3,
  unavailable: 69,
  lockHeld: 75,
  configuration: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * An error that is meant for the person at the command line: `message` says what happened and to which job or
 * setting, `hint` what to do about it. It is printed without a stack trace.
 */
export class ReeveError extends Error {
  override readonly name: string = "ReeveError";
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;

  constructor(exitCode: ExitCode, message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/** An unknown flag, a malformed value: exit code 2. */
export const usageError = (message: string, hint?: string): ReeveError => new ReeveError(EXIT.usage, message, hint);

/** No such job, result or dead letter: exit code 3. */
export const nothingThere = (message: string, hint?: string): ReeveError =>
  new ReeveError(EXIT.nothingThere, message, hint);

/** Store or queue out of reach: exit code 69. */
export const unavailable = (message: string, hint?: string, cause?: unknown): ReeveError =>
  new ReeveError(EXIT.unavailable, message, hint, { cause });

/** A setting that cannot be right: exit code 78. */
export const configurationError = (message: string, hint?: string): ReeveError =>
  new ReeveError(EXIT.configuration, message, hint);

/** The text of whatever was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The errno name (`ENOSPC`, `SQLITE_BUSY`) of what was thrown, or undefined. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** No descriptor is left, of this process or of the machine. */
export const isOutOfFiles = (error: unknown): boolean => codeOf(error) === "EMFILE" || codeOf(error) === "ENFILE";

/** For the end of an exhaustive switch: a case that was forgotten is a type error here. */
export function unreachable(value: never): never {
  throw new Error(`not a known case: ${JSON.stringify(value)}`);
}
