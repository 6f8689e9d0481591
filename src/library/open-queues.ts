import { systemClock } from "../clock.ts";
import type { Definition } from "../config/definition.ts";
import { leaseProblem } from "../config/lease.ts";
import type { MessageRoutes } from "../config/message-route.ts";
import type { GivenParameter } from "../config/parameters.ts";
import type { SqsQueueDefinition } from "../config/queue-definition.ts";
import { Router } from "../config/routing.ts";
import { configurationError } from "../errors.ts";
import type { Emit } from "../events.ts";
import type { Queue } from "../queue/port.ts";
import { SqliteQueue as OwnQueue } from "../queue/sqlite.ts";
import { runtime } from "../runtime/index.ts";
import { newId } from "../store/new-id.ts";
import type { Store } from "../store/store.ts";
import type { WorkerSettings } from "../worker/ports.ts";
import { settingsOf, type SqsQueue } from "./queues.ts";
import type { WorkQueue } from "./worker-options.ts";

/** Whose queues they are. */
export interface QueueUser extends Pick<WorkerSettings, "id" | "definitions" | "environment"> {
  readonly store: Store;
  /** Parameters that every message is given, beside its own. */
  readonly extra: readonly GivenParameter[];
  readonly emit: Emit;
  /** What modules are asked by whose a message is; undefined: none is. */
  readonly routes: MessageRoutes | undefined;
}

/** The queues of a worker, which closes them; the store's own where none is named. What SQS needs is loaded for SQS. */
export function openQueues(queues: readonly WorkQueue[], user: QueueUser): Promise<Queue[]> {
  const elsewhere = queues.filter((queue) => queue.kind === "sqs");
  // However often it is named, it is one.
  const hasOwn = queues.length === 0 || elsewhere.length < queues.length;
  const own = hasOwn ? [new OwnQueue(user.store, user.id, systemClock.now)] : [];
  return Promise.all([...own, ...elsewhere.map((queue) => openSqs(queue, user))]);
}

async function openSqs(queue: SqsQueue, { id, emit, extra, routes, ...user }: QueueUser): Promise<Queue> {
  const definition = await settingsOf(queue);
  const { definitions, store, environment } = user;
  refuseShortLeases(definition, definitions);
  const { openSqsQueue } = await import("../queue/sqs-opening.ts");
  return openSqsQueue(definition, {
    clock: systemClock,
    runtime,
    random: Math.random,
    environment,
    store,
    router: new Router({ definitions, commandLine: null, job: definition.job, extra, asked: routes?.names ?? [] }),
    definitions,
    worker: id,
    newId,
    warn: (what) => emit({ type: "warning", what }),
    ...(routes && { routes }),
  });
}

function refuseShortLeases(queue: SqsQueueDefinition, definitions: ReadonlyMap<string, Definition>): void {
  for (const { name, limits } of definitions.values()) {
    const problem = leaseProblem({ ...queue, graceMs: limits.graceMs });
    if (problem !== null) throw configurationError(`${queue.url} and definitions.${name}: ${problem}`);
  }
}
