import { systemClock } from "../clock.ts";
import type { Definition } from "../config/definition.ts";
import type { MessageRoutes } from "../config/message-route.ts";
import type { Emit } from "../events.ts";
import type { FunctionModule } from "../functions/definitions.ts";
import type { ProcessManager } from "../process/manager.ts";
import { runtime } from "../runtime/index.ts";
import { CHILD } from "./definitions.ts";
import type { Environment } from "./opening.ts";

export interface RoutesOptions {
  readonly modules: readonly FunctionModule[];
  readonly definitions: ReadonlyMap<string, Definition>;
  readonly environment: Environment;
  /** Milliseconds for one message. */
  readonly limitMs: number;
  readonly processes: ProcessManager;
  readonly emit: Emit;
}

/** What has to be closed when the worker has ended. */
export type OpenRoutes = MessageRoutes & { close(): void };

/** The `route` functions of the modules; undefined: none has one. Nothing is started yet. */
export async function openRoutes({ processes, emit, ...options }: RoutesOptions): Promise<OpenRoutes | undefined> {
  if (!options.modules.some(({ hasRoute }) => hasRoute)) return undefined;
  const [{ ModuleRoutes }, { loadingArgv }] = await Promise.all([
    import("../functions/module-routes.ts"),
    import("../functions/load.ts"),
  ]);
  return new ModuleRoutes({
    ...options,
    argv: loadingArgv(runtime, CHILD),
    cwd: process.cwd(),
    clock: systemClock,
    converse: (partner) => processes.converse(partner),
    tell: emit,
  });
}
