import { codeOf, EXIT, isOutOfFiles, messageOf, ReeveError, unavailable } from "../errors.ts";

/** For a defect of Reeve itself: EX_SOFTWARE of sysexits.h. */
const EXIT_BUG = 70;

/** Tells a person what went wrong, on stderr, and gives the exit code for it. */
export function report(error: unknown): number {
  if (error instanceof ReeveError) return reportExpected(error);
  if (error instanceof Error && error.name === "CACError") return reportUsage(error.message);
  if (codeOf(error) === "ENOSPC") return reportExpected(new ReeveError(EXIT.unavailable, "the disk is full"));
  if (isOutOfFiles(error))
    return reportExpected(unavailable("no file descriptor is left", "raise the limit: `ulimit -n`"));
  return reportBug(error);
}

function reportExpected(error: ReeveError): number {
  const hint = error.hint === undefined ? "" : `  ${error.hint}\n`;
  process.stderr.write(`reeve: ${error.message}\n${hint}`);
  return error.exitCode;
}

function reportUsage(message: string): number {
  const sentence = message.charAt(0).toLowerCase() + message.slice(1);
  return reportExpected(new ReeveError(EXIT.usage, sentence, "`reeve --help` and `reeve VERB --help` show the usage"));
}

function reportBug(error: unknown): number {
  process.stderr.write(`reeve: ${messageOf(error)} (this is a bug in reeve; REEVE_DEBUG=1 shows where)\n`);
  if (process.env["REEVE_DEBUG"] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return EXIT_BUG;
}
