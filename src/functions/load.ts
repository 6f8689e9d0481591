import type { ImportModule, Runtime } from "../runtime/port.ts";
import * as api from "./api.ts";
import { path } from "./builtins.ts";

/** What a module imports to define jobs. */
export const API_NAME = "reeve";

/** Loads a module of jobs into this process, with all that it imports. */
export const loadModule = (file: string, importModule: ImportModule): ReturnType<ImportModule> =>
  importModule(file, API_NAME, api);

/** The argv of this program for a child that loads such a module; `main`: its entry, where another program has it. */
export function loadingArgv(runtime: Runtime, main?: string): readonly string[] {
  // For a runtime that is told of our own file by its address: TypeScript, or what was made of it.
  const address = new URL(`./api${path().extname(import.meta.url)}`, import.meta.url).href;
  return runtime.selfImporting(API_NAME, address, main);
}
