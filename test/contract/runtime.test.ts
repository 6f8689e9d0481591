import { runtime } from "../../src/runtime/index.ts";
import { testOnBothRuntimes } from "./both-runtimes.ts";
import { RUNTIME_CASES } from "./runtime.ts";

testOnBothRuntimes("a runtime", RUNTIME_CASES, runtime, "runtime-main.ts");
