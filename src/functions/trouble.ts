/** How a function has ended. */
export type End =
  { readonly kind: "returned"; readonly value: unknown } | { readonly kind: "threw"; readonly error: unknown };

/** Waits for a function, and for what nobody catches in this process: an exception out of a timer, a rejection. */
export function withTrouble(work: () => Promise<unknown>): Promise<End> {
  return new Promise((resolve) => {
    const fail = (error: unknown): void => resolve({ kind: "threw", error });
    // Bun does not look at what a handler has kept promised before something else wakes it.
    const failSoon = (error: unknown): void => void setImmediate(fail, error);
    process.on("uncaughtException", failSoon);
    process.on("unhandledRejection", failSoon);
    work().then((value) => resolve({ kind: "returned", value }), fail);
  });
}
