import type { Ports } from "./ports.ts";

/** Jobs destroyed in one transaction: others want to write, too. */
const AT_ONCE = 200;

/**
 * Destroys what is due: a job that runs is aborted first and destroyed when it has ended. The rows go in one
 * transaction that lists the files; the files go after it, so that a reaper which was killed half-way is finished by
 * the next.
 */
export async function reap({ store, clock, emit }: Ports): Promise<void> {
  const now = clock.now();
  let destroyed = 0;
  for (let due = store.forgetting.due(now, AT_ONCE); due.length > 0; due = store.forgetting.due(now, AT_ONCE)) {
    const forgotten = await store.write(() => due.filter(({ seq }) => store.forgetting.forget(seq, now)).length);
    destroyed += forgotten;
    if (forgotten < due.length)
      await abortRunning(
        due.map(({ seq }) => seq),
        { store, clock },
      );
    if (forgotten === 0) break;
  }
  if (destroyed > 0) emit({ type: "destroyed", jobs: destroyed });
  await removeFiles({ store, emit });
  if (store.forgetting.hasOldTombstones(now)) await store.write(() => store.forgetting.dropOldTombstones(now));
}

async function abortRunning(seqs: readonly number[], { store, clock }: Pick<Ports, "store" | "clock">): Promise<void> {
  await store.write(() => {
    for (const seq of seqs) if (store.jobs.bySeq(seq)) store.steering.abort(seq, clock.now(), "its destruction");
    store.wakeWorkers();
  });
}

/** What cannot be removed stays listed for the next time. */
export async function removeFiles({ store, emit }: Pick<Ports, "store" | "emit">): Promise<void> {
  const listed = store.forgetting.removals();
  if (listed.length === 0) return;
  const { gone, failures } = store.forgetting.removeFiles(listed);
  await store.write(() => store.forgetting.removed(gone));
  for (const { path, error } of failures) emit({ type: "trouble", what: `${path} was not removed: ${String(error)}` });
}
