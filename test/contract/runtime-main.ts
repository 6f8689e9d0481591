import { runtime } from "../../src/runtime/index.ts";
import { RUNTIME_CASES } from "./runtime.ts";
import { printCases } from "./suite.ts";

await printCases(RUNTIME_CASES, runtime, runtime.name);
