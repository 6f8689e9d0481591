import { runtime } from "../../../src/runtime/index.ts";
import { printCases } from "../suite.ts";
import { SqsBench } from "./bench.ts";
import { SQS_CASES } from "./cases.ts";

await using bench = new SqsBench();
await printCases(SQS_CASES, bench, runtime.name);
