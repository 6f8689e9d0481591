import type { Ports } from "./ports.ts";

export interface UnseenOptions {
  readonly ports: Pick<Ports, "store" | "emit"> & { readonly clock: Pick<Ports["clock"], "now"> };
  readonly worker: string;
  /** Milliseconds after which a job of which nothing can be known is given up. */
  readonly unknownAfterMs: number;
}

/** What lost its lease and has not come again is an error in the end: somebody may wait for it. */
export async function giveUpUnseen({ ports, worker, unknownAfterMs }: UnseenOptions): Promise<void> {
  const { store, clock, emit } = ports;
  const now = clock.now();
  const unseen = store.unseen.since(now - unknownAfterMs);
  if (unseen.length === 0) return;
  const givenUp = await store.write(() => unseen.filter(({ seq }) => store.unseen.giveUp(seq, now, worker)));
  for (const { id } of givenUp) {
    const what = `job ${id} is given up: its lease was lost ${Math.round(unknownAfterMs / 1000)} s ago or more, and its message was not seen here again`;
    emit({ type: "warning", what });
  }
}
