import { runtime } from "../../src/runtime/index.ts";
import { SqsMaker } from "../support/sqs-queue.ts";
import { QUEUE_CASES } from "./queue.ts";
import { printCases } from "./suite.ts";

await using maker = new SqsMaker();
await printCases(QUEUE_CASES, maker, runtime.name);
