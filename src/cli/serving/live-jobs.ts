import type { LiveJobs, WrittenTail } from "../../service/ports.ts";
import type { Job } from "../../store/job.ts";
import type { Store } from "../../store/store.ts";
import { AttemptOutput, type Channel } from "../attempt-output.ts";

/** Bytes of an output that are read for its last lines. */
const TAIL_BYTES = 64 * 1024;

const CHANNELS: readonly (readonly [Channel, string])[] = [
  ["output", "Output"],
  ["errors", "Errors"],
  ["exit handler", "Exit handler"],
];

/** What jobs write while they run, read where their workers keep it: of workers on other machines nothing is known. */
export function liveJobsOf(store: Store): LiveJobs {
  return { tails: (job, lines) => tailsOf(store, job, lines) };
}

function tailsOf(store: Store, job: Job, lines: number): WrittenTail[] {
  const output = new AttemptOutput(store, job, job.attempts);
  return CHANNELS.flatMap(([channel, name]) => {
    const { bytes, isCut } = output.end(channel, TAIL_BYTES);
    return bytes.length === 0 ? [] : [lastLines(name, textOf(bytes), lines, isCut)];
  });
}

function lastLines(name: string, text: string, most: number, isCut: boolean): WrittenTail {
  const lines = text.replace(/\n$/, "").split("\n");
  // The first line may have lost its beginning.
  const whole = isCut && lines.length > 1 ? lines.slice(1) : lines;
  return { name, text: whole.slice(-most).join("\n"), isCut: isCut || whole.length > most };
}

// What terminals make of colours and of a bar that is drawn over and over: https://ecma-international.org/publications-and-standards/standards/ecma-48/
const ESCAPES = new RegExp(
  String.raw`\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])`,
  "g",
);

const textOf = (bytes: Uint8Array): string =>
  new TextDecoder()
    .decode(bytes)
    .replaceAll(ESCAPES, "")
    .replaceAll(/\r+\n/g, "\n")
    .replaceAll(/[^\n]*\r(?=[^\n])/g, "");
