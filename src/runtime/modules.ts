import { openLibrary } from "./libc.ts";
import type { ImportModule } from "./port.ts";

const isDeno = "Deno" in globalThis;

const onBun: ImportModule = async (file, name, served) => {
  Bun.plugin({
    name,
    setup: (build) => void build.module(name, () => ({ exports: { ...served }, loader: "object" })),
  });
  const exports: Readonly<Record<string, unknown>> = await import(file);
  return exports;
};

/** The name is in the import map that this process was started with. */
const onDeno: ImportModule = async (file) => {
  const { pathToFileURL } = await import("node:url");
  const exports: Readonly<Record<string, unknown>> = await import(pathToFileURL(file).href);
  return exports;
};

/** As the runtime that this process runs on does it. One file for both, since each file costs a process at its start. */
export const importModule: ImportModule = isDeno ? onDeno : onBun;

const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/**
 * Has this process end with its parent: prctl(2). Gives what undoes that. Nothing happens on other systems than Linux, and on
 * Deno. It loads this one call, where all of `libc()` takes longer than the rest of a start.
 */
export async function endWithParent(): Promise<() => void> {
  if (isDeno || process.platform !== "linux") return () => {};
  const { dlopen } = await import("bun:ffi");
  const declared = { prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" } } as const;
  const { prctl } = openLibrary((name) => dlopen(name, declared)).symbols;
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  return () => void prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
}

/** The files of all modules of somebody else's that this process has imported; null where the runtime does not tell. */
export const importedFiles = (): readonly string[] | null => (isDeno ? null : Object.keys(import.meta.require.cache));

/** From here on what is started without an environment gets `process.env` as it is then; Bun gives what it began with. */
export function passOnEnvironment(): void {
  if (isDeno) return;
  const { spawn, spawnSync } = Bun;
  Object.assign(Bun, { spawn: withEnvironment(spawn), spawnSync: withEnvironment(spawnSync) });
  Bun.$.env(process.env);
}

const withEnvironment = (start: (...words: never[]) => unknown) => (first: object, second?: object) =>
  Reflect.apply(start, Bun, Array.isArray(first) ? [first, complete(second)] : [complete(first)]);

const complete = (options: object = {}): object => ({ env: process.env, ...options });
