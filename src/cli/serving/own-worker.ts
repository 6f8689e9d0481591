import { messageOf } from "../../errors.ts";
import type { Log } from "../../log.ts";
import type { Worker } from "../../worker/worker.ts";
import { forPeople, locateStore, openStore } from "../context.ts";
import type { Invocation } from "../invocation.ts";
import type { Definitions } from "../definitions.ts";
import { openRoutes } from "../routes.ts";
import { openQueues, planWork } from "../work-queues.ts";
import { goalOf, makeWorker, processesOf, settingsOf } from "../work.ts";

/** A worker that runs beside the server, with a store of its own: it waits where the server would refuse. */
export interface StartedWorker {
  readonly worker: Worker;
  /** Rejected with what keeps it from working. */
  readonly ended: Promise<void>;
}

/** Starts a worker on the queues of the configuration, as `reeve work` does. */
export async function startWorker(
  invocation: Invocation,
  { configuration, modules }: Definitions,
  log: Log,
): Promise<StartedWorker> {
  const { options } = invocation;
  const plan = planWork(invocation, configuration);
  const store = openStore(locateStore(options, configuration), configuration, {
    patience: "wait",
    onTrouble: (error) => log.emit(error === null ? { type: "healed" } : { type: "trouble", what: messageOf(error) }),
  });
  const settings = { ...settingsOf(options, configuration, goalOf(options)), definitions: plan.definitions };
  const warn = (what: string): void => log.emit({ type: "warning", what });
  const processes = processesOf(configuration);
  const { routes, close } = await openRoutes(plan, { configuration, modules, processes, emit: log.emit });
  const queues = await openQueues(plan, { store, worker: settings.id, warn, routes });
  const worker = makeWorker(settings, { store, queues, processes, routes }, log.emit);
  const work = async (): Promise<void> => {
    try {
      await worker.work();
    } catch (error) {
      throw forPeople(store, error);
    } finally {
      close();
      store.close();
    }
  };
  return { worker, ended: work() };
}
