/** Between two looks, in milliseconds. */
const LOOK_EVERY_MS = 5;
const PATIENCE_MS = 15_000;

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Waits until `look` gives something other than undefined, null or false, and gives that.
 *
 * @throws when that does not happen in time; `what` says what was waited for.
 */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  patienceMs: number = PATIENCE_MS,
): Promise<Exclude<T, undefined | null | false>> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const seen = await look();
    // The three values that mean "not yet" are taken out of the type here.
    if (seen !== undefined && seen !== null && seen !== false) return seen as Exclude<T, undefined | null | false>;
    if (performance.now() >= end) throw new Error(`not within ${patienceMs} ms: ${what}`);
    await pause(LOOK_EVERY_MS);
  }
}

/** Gives what the promise gives; throws when it is not kept in time. */
export async function within<T>(what: string, promise: Promise<T>, patienceMs: number = PATIENCE_MS): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not within ${patienceMs} ms: ${what}`)), patienceMs);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks for so many milliseconds that something does not change; `what` says what. */
export async function stays(what: string, look: () => boolean, forMs: number): Promise<void> {
  const end = performance.now() + forMs;
  while (performance.now() < end) {
    if (!look()) throw new Error(`it did not stay so: ${what}`);
    await pause(LOOK_EVERY_MS);
  }
}
