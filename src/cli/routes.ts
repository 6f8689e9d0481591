import { systemClock } from "../clock.ts";
import type { Configuration } from "../config/definition.ts";
import type { MessageRoutes } from "../config/message-route.ts";
import type { Emit } from "../events.ts";
import type { FunctionModule } from "../functions/definitions.ts";
import type { ProcessManager } from "../process/manager.ts";
import { runtime } from "../runtime/index.ts";
import type { WorkPlan } from "./work-queues.ts";

/** What modules are asked by, and how to have that ended. */
export interface OpenRoutes {
  /** Absent: no module is asked. */
  readonly routes?: MessageRoutes;
  readonly close: () => void;
}

interface RoutesOptions {
  readonly configuration: Configuration;
  readonly modules: readonly FunctionModule[];
  readonly processes: ProcessManager;
  readonly emit: Emit;
}

/** The `route` functions of the modules, for the queues whose messages may be anybody's. Nothing is started yet. */
export async function openRoutes(
  { queues, commandLine, definitions }: WorkPlan,
  { configuration, modules, processes, emit }: RoutesOptions,
): Promise<OpenRoutes> {
  const isAsked = modules.some(({ hasRoute }) => hasRoute) && queues.some(({ definition }) => definition !== null);
  if (!isAsked || commandLine) return { close: () => {} };
  const [{ ModuleRoutes }, { loadingArgv }] = await Promise.all([
    import("../functions/module-routes.ts"),
    import("../functions/load.ts"),
  ]);
  const routes = new ModuleRoutes({
    modules,
    definitions,
    argv: loadingArgv(runtime),
    environment: process.env,
    cwd: process.cwd(),
    limitMs: configuration.worker.routeTimeoutMs,
    clock: systemClock,
    converse: (partner) => processes.converse(partner),
    tell: emit,
  });
  return { routes, close: () => routes.close() };
}
