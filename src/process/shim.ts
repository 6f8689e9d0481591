import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import type { Limits } from "../config/definition.ts";
import { codeOf } from "../errors.ts";
import { withSpare } from "./spare.ts";

/**
 * Who starts a program learns how it ended, and nobody else does. So a shell stands between a worker and a job that may
 * outlive it: it leads the session, runs the job as its child, and writes the end to a file.
 *
 * - The traps keep it alive when its group is signalled; those with an action are reset in the child, which ignored
 *   ones would not be.
 * - A shell knows 128 + n only, and n by a program's exit looks the same; but it says on its stderr when a child died by
 *   a signal (all but INT and PIPE). That stderr is the file. Bash, called as sh, keeps quiet unless told to be itself.
 * - The job has the descriptors 0 to 3 as they were given, and no other.
 */
const SCRIPT = [
  "trap : HUP INT QUIT TERM USR1 USR2",
  "command set +o posix 2>/dev/null",
  'exec 4>&2 2<>"$1"',
  "printf '%s\\n' \"$$\" >&2",
  "shift",
  '(exec "$@" 2>&4 4>&-)',
  "code=$?",
  "printf 'end %s\\n' \"$code\" >&2",
  'exit "$code"',
].join("; ");

/** Longer than all that the shell may write. */
const BYTES = 1024;

/** The pid of the shell, what it said of a signal, and the code. Later versions must be able to read it. */
const FORM = /^(\d+)\n([^]*?)end (\d+)\n/;
const BEGUN = /^(\d+)\n/;

/** What the shell has written. */
export interface Kept {
  /** The shell itself, which leads the session; null: it has not come to that. */
  readonly pid: number | null;
  /** Null: the job has not ended, or nobody was left to write it. */
  readonly exit: KeptExit | null;
}

export interface KeptExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** Milliseconds since 1970. */
  readonly endedAt: number;
}

const NOTHING: Kept = { pid: null, exit: null };

/** The file in which the end of one attempt is kept, in a directory of its own, which can be watched. */
export class ExitRecord {
  readonly directory: string;
  readonly path: string;
  readonly #inner: ExitRecord | null;

  /** `inner` has the end as it was seen within a pid namespace, whose init cannot die by a signal of its own. */
  constructor(directory: string, inner: ExitRecord | null = null) {
    this.directory = join(directory, "end");
    this.path = join(this.directory, "status");
    this.#inner = inner;
  }

  /** Where the init of an isolated attempt keeps its end; null: there is no init. */
  static ofInit(directory: string, { isolate }: Pick<Limits, "isolate">): ExitRecord | null {
    return isolate === "pid" ? new ExitRecord(join(directory, "init")) : null;
  }

  /** Takes the room on the disk that the shell will write over, since the disk may be full by then. */
  prepare(): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    writeFileSync(this.path, "\n".padStart(BYTES), { mode: 0o600 });
  }

  /** The command that runs `argv` and keeps its end. */
  keeping(argv: readonly string[]): string[] {
    return ["/bin/sh", "-c", SCRIPT, "sh", this.path, ...argv];
  }

  read(): Kept {
    const kept = this.#readOwn();
    const inner = kept.exit && (this.#inner?.read().exit ?? null);
    return inner === null ? kept : { ...kept, exit: inner };
  }

  #readOwn(): Kept {
    try {
      return parse(
        withSpare(() => readFileSync(this.path, "latin1")),
        statSync(this.path).mtimeMs,
      );
    } catch (error) {
      // Never made, or removed by the job.
      if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return NOTHING;
      throw error;
    }
  }
}

function parse(text: string, endedAt: number): Kept {
  const [, pid, said = "", code] = FORM.exec(text) ?? BEGUN.exec(text) ?? [];
  if (pid === undefined) return NOTHING;
  if (code === undefined) return { pid: Number(pid), exit: null };
  const diedBy = said.trim() === "" ? 0 : Number(code) - 128;
  const signal = diedBy > 0 ? signalName(diedBy) : null;
  const exit = { code: signal === null ? Number(code) : null, signal, endedAt: Math.floor(endedAt) };
  return { pid: Number(pid), exit };
}

function signalName(number: number): string {
  const known = Object.entries(constants.signals).find(([, value]) => value === number);
  return known?.[0] ?? `SIG${number}`;
}
