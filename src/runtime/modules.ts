import type { ImportModule } from "./port.ts";

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
export const importModule: ImportModule = "Deno" in globalThis ? onDeno : onBun;
