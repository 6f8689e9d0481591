import { accessSync, closeSync, constants, existsSync, openSync, readSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { codeOf, messageOf } from "../errors.ts";
import { SpawnFailed, type Launch } from "./port.ts";
import { withSpare } from "./spare.ts";

/** So much the arguments and the environment may always have together: execve(2). */
const ALWAYS_FITS = 128 * 1024;

/** Where the runtime tells the reason only later, what can be seen now is told. */
export function missingProgram(launch: Launch): Error {
  return Object.assign(new Error("it did not start"), { code: missingCode(launch) });
}

/** @throws SpawnFailed when the program is not there: a shell between would tell that by its exit code only. */
export function refuseMissing(launch: Launch): void {
  const code = unfitCode(launch);
  if (code !== undefined) throw explainSpawn(launch, Object.assign(new Error("it cannot be started"), { code }));
}

/** Why the program cannot be started, as far as a look at its file tells. */
function unfitCode(launch: Launch): "ENOENT" | "EACCES" | undefined {
  const found = programsOf(launch);
  if (found.length === 0) return "ENOENT";
  return found.some(isExecutable) ? undefined : "EACCES";
}

/** The files that its first word may mean. */
function programsOf({ argv, environment, cwd }: Launch): string[] {
  const program = argv[0] ?? "";
  const places = program.includes("/") ? [cwd] : (environment["PATH"] ?? "").split(":");
  return places.map((place) => resolve(cwd, place, program)).filter((path) => existsSync(path));
}

function missingCode(launch: Launch): string {
  const { argv, environment } = launch;
  const unfit = unfitCode(launch);
  if (unfit !== undefined) return unfit;
  const texts = [...argv, ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)];
  if (texts.reduce((size, text) => size + Buffer.byteLength(text) + 9, 0) > ALWAYS_FITS) return "E2BIG";
  return codeByHead(programsOf(launch).find(isExecutable) ?? "");
}

const HEAD_BYTES = 256;

/** What looks like a program and did not start did so for want of something: of processes, memory, descriptors. */
function codeByHead(path: string): "ENOEXEC" | "ENOENT" | "EAGAIN" {
  const head = withSpare(() => headOf(path));
  const [, interpreter] = /^#![ \t]*(\S+)/.exec(head) ?? [];
  if (interpreter !== undefined) return existsSync(interpreter) ? "EAGAIN" : "ENOENT";
  return head.includes("\0") ? "EAGAIN" : "ENOEXEC";
}

function headOf(path: string): string {
  const bytes = Buffer.alloc(HEAD_BYTES);
  const descriptor = openSync(path, "r");
  try {
    return bytes.toString("latin1", 0, readSync(descriptor, bytes, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(descriptor);
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch (error) {
    if (codeOf(error) === "EACCES") return false;
    throw error;
  }
}

export function explainSpawn(launch: Launch, error: unknown): SpawnFailed {
  const program = JSON.stringify((launch.argv[0] ?? "").slice(0, 200));
  if (!isDirectory(launch.cwd)) {
    return new SpawnFailed("ENOENT", `${program} was not started: its directory ${launch.cwd} is not there`);
  }
  const errno = codeOf(error) ?? "EINVAL";
  return new SpawnFailed(errno, `${program} was not started: ${REASONS[errno] ?? messageOf(error)}`, { cause: error });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such program",
  EACCES: "it is not executable",
  EPERM: "it, or its directory, is closed to the user as whom it would run",
  ENOEXEC: "it is not a program (is its first line #!… missing?)",
  E2BIG: "its arguments and environment are too long; large data goes by stdin or file",
  ERR_INVALID_ARG_VALUE: "an argument or variable has a NUL byte in it",
};

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Only root may, and it is that user's already: cgroups(7). */
export const cannotEnter = (): SpawnFailed =>
  new SpawnFailed("ENOTSUP", "it was not started: a job of another user cannot enter its control group by itself");
