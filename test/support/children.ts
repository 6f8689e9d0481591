import { closeSync, openSync } from "node:fs";
import { codeOf } from "../../src/errors.ts";
import type { Exit, Runtime, SpawnOptions } from "../../src/runtime/port.ts";
import { eventually, within } from "./eventually.ts";
import { stateOf } from "./processes.ts";

export const PATH = "/usr/local/bin:/usr/bin:/bin";

export type ChildOptions = Partial<Pick<SpawnOptions, "cwd" | "environment" | "group" | "account">> & {
  /** Open descriptors for some of 0–3; the others are /dev/null. They stay open. */
  readonly descriptors?: Readonly<Record<number, number>>;
};

export interface Child {
  readonly pid: number | undefined;
  readonly exited: Promise<Exit>;
  /** How many times its end was told. */
  readonly told: () => number;
  readonly unref: () => void;
}

/** Starts a child through the port, with /dev/null where nothing else is said. */
export function start(runtime: Runtime, argv: readonly string[], options: ChildOptions = {}): Child {
  const nothing = openSync("/dev/null", "r+");
  const exited = Promise.withResolvers<Exit>();
  let told = 0;
  const onExit = (exit: Exit): void => {
    told += 1;
    exited.resolve(exit);
  };
  const at = (index: number): number => options.descriptors?.[index] ?? nothing;
  try {
    const { descriptors: _, cwd = "/", environment = { PATH }, ...more } = options;
    const descriptors = [at(0), at(1), at(2), at(3)] as const;
    const child = runtime.spawn(argv, { ...more, cwd, environment, onExit, descriptors });
    return { pid: child.pid, exited: exited.promise, told: () => told, unref: () => child.unref() };
  } finally {
    closeSync(nothing);
  }
}

export const run = (runtime: Runtime, argv: readonly string[], options: ChildOptions = {}): Promise<Exit> =>
  within(`${argv.join(" ").slice(0, 100)} ends`, start(runtime, argv, options).exited);

/** A shell that runs `script` when it is continued; until then it is stopped, which shows that it is ready. */
export async function startStopped(
  runtime: Runtime,
  script = ":",
  options: ChildOptions = {},
): Promise<Child & { readonly pid: number }> {
  const child = start(runtime, ["sh", "-c", `kill -STOP $$; ${script}`], options);
  const { pid } = child;
  if (pid === undefined) throw new Error("there is no child");
  await eventually("the shell has stopped itself", () => stateOf(pid) === "T");
  return { ...child, pid };
}

/** The errno code with which there is no child, told at once or later. */
export async function spawnFailure(
  runtime: Runtime,
  argv: readonly string[],
  options: ChildOptions = {},
): Promise<string> {
  try {
    const exit = await run(runtime, argv, options);
    if (!exit.failure) throw new Error(`it was started, and ended with ${exit.code ?? exit.signal}`);
    return codeOf(exit.failure) ?? `no code: ${exit.failure.message}`;
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    return code;
  }
}
