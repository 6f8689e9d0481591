import { runtime } from "../../src/runtime/index.ts";
import { sqliteMaker } from "../support/sqlite-queue.ts";
import { QUEUE_CASES } from "./queue.ts";
import { printCases } from "./suite.ts";

await printCases(QUEUE_CASES, sqliteMaker, runtime.name);
