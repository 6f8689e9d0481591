import { afterAll } from "bun:test";
import { SqsMaker } from "../support/sqs-queue.ts";
import { testOnBothRuntimes } from "./both-runtimes.ts";
import { QUEUE_CASES } from "./queue.ts";

const maker = new SqsMaker();
afterAll(() => maker[Symbol.asyncDispose]());

testOnBothRuntimes("a queue of SQS", QUEUE_CASES, maker, "queue-sqs-main.ts");
