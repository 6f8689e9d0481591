import { expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { ask } from "../../src/process/asking.ts";
import { runtime } from "../../src/runtime/index.ts";
import { eventually } from "../support/eventually.ts";
import { isLiving } from "../support/processes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const question = (directory: string, script: string, withinMs: number) => ({
  argv: ["sh", "-c", script],
  cwd: directory,
  environment: { PATH: process.env["PATH"] ?? "" },
  withinMs,
});

test("what does not end in time is ended, with all that it started", async () => {
  using directory = temporaryDirectory();
  const script =
    'trap "" TERM; setsid sleep 1000 & echo $! > pid; echo words; echo told >&3; while :; do sleep 0.05; done';
  const answer = await ask(question(directory.path, script, 300), runtime, systemClock);
  expect(answer).toEqual({ exit: null, told: "told\n", output: "words\n" });
  const pid = Number(await Bun.file(directory.of("pid")).text());
  await eventually("the child of it is gone", () => !isLiving(pid));
});

test("what ends has told all, and leaves nothing running", async () => {
  using directory = temporaryDirectory();
  const script = "setsid sleep 1000 & echo $! > pid; echo told >&3; exit 4";
  const { exit, told } = await ask(question(directory.path, script, 30_000), runtime, systemClock);
  expect({ code: exit?.code, told }).toEqual({ code: 4, told: "told\n" });
  const pid = Number(await Bun.file(directory.of("pid")).text());
  await eventually("the child of it is gone", () => !isLiving(pid));
});

test("a program that is not there is an error with its code", async () => {
  using directory = temporaryDirectory();
  const missing = { ...question(directory.path, "", 1000), argv: ["./missing"] };
  await expect(ask(missing, runtime, systemClock)).rejects.toMatchObject({ code: "ENOENT" });
});
