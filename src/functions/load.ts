import { extname } from "node:path";
import type { Runtime } from "../runtime/port.ts";
import * as api from "./api.ts";

/** What a module imports to define jobs. */
export const API_NAME = "reeve";

/** Where the file of it is, for a runtime that is told of it by its address: TypeScript, or what was made of it. */
const API_ADDRESS = new URL(`./api${extname(import.meta.url)}`, import.meta.url).href;

/** Loads a module of jobs into this process, with all that it imports. */
export const loadModule = (file: string, runtime: Runtime): Promise<Readonly<Record<string, unknown>>> =>
  runtime.importModule(file, API_NAME, api);

/** The argv of this program for a child that loads such a module; `main`: its entry, where another program has it. */
export const loadingArgv = (runtime: Runtime, main?: string): readonly string[] =>
  runtime.selfImporting(API_NAME, API_ADDRESS, main);
