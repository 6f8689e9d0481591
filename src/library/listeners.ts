import type { WorkerEvent } from "../events.ts";

/** What a worker may tell of, by the event's `type`. */
export type WorkerEventType = WorkerEvent["type"];

/** The event of that type. */
export type WorkerEventOf<Type extends WorkerEventType> = Extract<WorkerEvent, { readonly type: Type }>;

type Listener = (event: WorkerEvent) => void;

/** Who listens to a worker. What a listener throws is this program's uncaught error, and nothing to the worker. */
export class Listeners {
  readonly #listeners = new Set<Listener>();

  /** @returns the way to stop listening */
  add<Type extends WorkerEventType>(type: Type, listener: (event: WorkerEventOf<Type>) => void): () => void {
    const isMeant = (event: WorkerEvent): event is WorkerEventOf<Type> => event.type === type;
    return this.addToAll((event) => (isMeant(event) ? listener(event) : undefined));
  }

  /** @returns the way to stop listening */
  addToAll(listener: Listener): () => void {
    const own: Listener = (event) => listener(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  readonly tell = (event: WorkerEvent): void => {
    for (const listener of this.#listeners) tellOne(listener, event);
  };
}

function tellOne(listener: Listener, event: WorkerEvent): void {
  try {
    listener(event);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
