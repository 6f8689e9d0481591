import { randomUUID } from "node:crypto";
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { Exit, Runtime } from "../runtime/port.ts";
import { TREE_VARIABLE } from "./environment.ts";
import { LOCK_EX, LOCK_NB } from "./probes.ts";
import { forgetLook } from "./look.ts";
import { membersOf, signalAll } from "./tree.ts";

/** A program that is started to tell something, and then ends. */
export interface Question {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Milliseconds. */
  readonly withinMs: number;
}

export interface Answer {
  /** Null: it had not ended in time, and was killed. */
  readonly exit: Exit | null;
  /** What it wrote to descriptor 3. */
  readonly told: string;
  /** What it wrote to stdout and stderr. */
  readonly output: string;
}

const SIGCHLD = 17;

/**
 * Starts a program, and waits for what it writes to its descriptor 3. What it leaves running is killed.
 *
 * @throws an `Error` with an errno `code` where it cannot be started.
 */
export async function ask(question: Question, runtime: Runtime, clock: Clock): Promise<Answer> {
  // Inherited as ignored, it would take the exit status away.
  if (process.platform === "linux") runtime.libc().defaultSignal(SIGCHLD);
  const directory = mkdtempSync(join(tmpdir(), "reeve-"));
  const files = ["told", "output"].map((name) => join(directory, name));
  const [told = "", output = ""] = files;
  try {
    const exit = await run(question, { told, output }, runtime, clock);
    return { exit, told: readFileSync(told, "utf8"), output: readFileSync(output, "utf8") };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function run(
  { argv, cwd, environment, withinMs }: Question,
  files: { readonly told: string; readonly output: string },
  runtime: Runtime,
  clock: Clock,
): Promise<Exit | null> {
  const cookie = `asked.${randomUUID()}`;
  const ended = Promise.withResolvers<Exit>();
  const opened = [openSync("/dev/null", "r"), openSync(files.output, "a"), openSync(files.told, "a")];
  const [stdin = 0, output = 0, told = 0] = opened;
  // While a process changes into another program it shows no environment, and still holds the lock.
  runtime.libc().flock(told, LOCK_EX | LOCK_NB);
  const { dev, ino } = fstatSync(told);
  const end = (): void => killAll(cookie, new Set([`${dev}:${ino}`]));
  let isLate = false;
  try {
    runtime.spawn(argv, {
      cwd,
      environment: { ...environment, [TREE_VARIABLE]: cookie },
      descriptors: [stdin, output, output, told],
      onExit: ended.resolve,
    });
    const cancel = clock.after(withinMs, () => {
      isLate = true;
      end();
    });
    const exit = await ended.promise;
    cancel();
    end();
    if (exit.failure) throw exit.failure;
    return isLate ? null : exit;
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

/**
 * Kills every process that was started with this {@link TREE_VARIABLE}, or has inherited the lock on one of these files
 * (`device:inode`), or was started by such a one.
 */
export function killAll(cookie: string, files: ReadonlySet<string> = new Set()): void {
  forgetLook();
  const marks = { cookie: `${TREE_VARIABLE}=${cookie}`, leader: null, files, group: null };
  signalAll(membersOf(marks), "SIGKILL");
}
