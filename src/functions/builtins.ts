import type * as Fs from "node:fs";
import type * as Path from "node:path";

/**
 * Modules of the runtime that a process for a function loads when it first needs them: each is a part of what its start
 * costs, and many functions need none.
 */
export const fs = (): typeof Fs => process.getBuiltinModule("node:fs");
export const path = (): typeof Path => process.getBuiltinModule("node:path");
