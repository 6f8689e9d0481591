/**
 * Run by what has no `bun test`: all cases (`main.ts [HOW MANY TO LEAVE OUT]`), or one poll of a queue in the environment
 * that this process was started with (`main.ts poll URL`), whose outcome is printed.
 */
import { systemClock } from "../../../src/clock.ts";
import { connect } from "../../../src/queue/sqs/connection.ts";
import { runtime } from "../../../src/runtime/index.ts";
import { printCases } from "../suite.ts";
import { SqsBench } from "./bench.ts";
import { SQS_CASES } from "./cases.ts";

async function poll(url: string): Promise<void> {
  const ports = { runtime, clock: systemClock, random: Math.random, warn: console.error };
  const connection = await connect({ url, environment: process.env }, ports);
  console.log(JSON.stringify(await connection.receive(1, 0)));
}

async function printAll(): Promise<void> {
  await using bench = new SqsBench();
  await printCases(SQS_CASES, bench, runtime.name);
}

const [, , what, url] = process.argv;
await (what === "poll" && url !== undefined ? poll(url) : printAll());
