import { afterAll } from "bun:test";
import { testOnBothRuntimes } from "./both-runtimes.ts";
import { SqsBench } from "./sqs/bench.ts";
import { SQS_CASES } from "./sqs/cases.ts";

const bench = new SqsBench();
afterAll(() => bench[Symbol.asyncDispose]());

testOnBothRuntimes("the SQS transport", SQS_CASES, bench, "sqs/main.ts");
