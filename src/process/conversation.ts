import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import type { Clock } from "../clock.ts";
import type { Exit } from "../runtime/port.ts";
import { killAll } from "./asking.ts";
import { TREE_VARIABLE } from "./environment.ts";
import type { Orphans } from "./orphans.ts";

/** A program that is started to be talked to, line by line. */
export interface Partner {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** It has written a line to its descriptor 3. */
  readonly onLine: (line: string) => void;
  /** It has written this to stdout or stderr. Nothing of it is kept here. */
  readonly onOutput: (bytes: Uint8Array) => void;
  /** It has ended, and all that it wrote to descriptor 3 was given. Called once. */
  readonly onEnd: (exit: Exit) => void;
}

export interface Conversation {
  /** Gives it a line on its stdin. What has ended is not told. */
  say(line: string): void;
  /** Kills it, with all that it has started. */
  end(): void;
}

/** Characters: more without an end of line is no line. */
const LONGEST_LINE = 4 * 1024 * 1024;
/** What it has handed its descriptor 3 on to may keep that open. */
const LAST_LINES_MS = 200;

/** Starts a program as leader of a session of its own, and talks with it. It never throws: what fails is an end. */
export function converse(partner: Partner, orphans: Orphans, clock: Clock): Conversation {
  const cookie = `talks.${randomUUID()}`;
  const child = start(partner, cookie);
  if (child instanceof Error) {
    queueMicrotask(() => partner.onEnd(neverWas(child)));
    return { say: () => {}, end: () => {} };
  }
  const { pid } = child;
  // It is no orphan of a job, and its status is not ours to reap.
  if (pid !== undefined) orphans.joined(pid);
  const end = (): void => killAll(cookie);
  hear(child, partner, end);
  letGo(child);
  void ended(child, clock).then((exit) => {
    if (pid !== undefined) orphans.left(pid);
    end();
    partner.onEnd(exit);
  });
  return { say: (line) => void child.stdin?.write(`${line}\n`), end };
}

function start({ argv, cwd, environment }: Partner, cookie: string): ChildProcess | Error {
  const [program = "", ...rest] = argv;
  const env = { ...environment, [TREE_VARIABLE]: cookie };
  try {
    return spawn(program, rest, { cwd, env, stdio: ["pipe", "pipe", "pipe", "pipe"], detached: true });
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function hear(child: ChildProcess, { onLine, onOutput }: Partner, end: () => void): void {
  const channel = channelOf(child);
  // That it reads no more shows in its end.
  for (const stream of [child.stdin, child.stdout, child.stderr, channel]) stream?.on("error", () => {});
  child.stdout?.on("data", onOutput);
  child.stderr?.on("data", onOutput);
  let begun = "";
  channel?.setEncoding("utf8");
  channel?.on("data", (text: string) => {
    const lines = `${begun}${text}`.split("\n");
    begun = lines.pop() ?? "";
    for (const line of lines) onLine(line);
    if (begun.length <= LONGEST_LINE) return;
    begun = "";
    end();
  });
}

/** This process may end before it: whoever waits for an answer has a limit for that, which keeps it. */
function letGo(child: ChildProcess): void {
  child.unref();
  for (const stream of child.stdio)
    if (stream && "unref" in stream && typeof stream.unref === "function") stream.unref();
}

/** A pipe both ways, of which we use one. */
const channelOf = (child: ChildProcess): Readable | null => (child.stdio[3] ?? null) as Readable | null;

function ended(child: ChildProcess, clock: Clock): Promise<Exit> {
  return new Promise((resolve) => {
    child.once("error", (failure) => resolve(neverWas(failure)));
    child.once("exit", (code, signal) => {
      const exit: Exit = { code, signal, usage: null, failure: null };
      const cancel = clock.after(LAST_LINES_MS, () => resolve(exit));
      const done = (): void => {
        cancel();
        resolve(exit);
      };
      const channel = channelOf(child);
      if (!channel || channel.readableEnded || channel.destroyed) done();
      else channel.once("close", done);
    });
  });
}

const neverWas = (failure: Error): Exit => ({ code: null, signal: null, usage: null, failure });
