import type { Runtime } from "./port.ts";

/** The runtime that this process runs on. The other one's file is never loaded. */
export const runtime: Runtime =
  "Deno" in globalThis ? (await import("./deno.ts")).runtime : (await import("./bun.ts")).runtime;
