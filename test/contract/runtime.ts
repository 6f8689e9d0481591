import type { Runtime } from "../../src/runtime/port.ts";
import { LIBC_CASES } from "./runtime-libc.ts";
import { SERVE_CASES } from "./runtime-serve.ts";
import { SPAWN_CASES } from "./runtime-spawn.ts";
import { SQLITE_CASES } from "./runtime-sqlite.ts";
import type { Case } from "./suite.ts";

/** What every runtime promises. */
export const RUNTIME_CASES: readonly Case<Runtime>[] = [...SPAWN_CASES, ...SQLITE_CASES, ...LIBC_CASES, ...SERVE_CASES];
