/** How a function has ended. */
export type End<Value = unknown> =
  { readonly kind: "returned"; readonly value: Value } | { readonly kind: "threw"; readonly error: unknown };

/** Waits for a function, and for what nobody catches in this process: an exception out of a timer, a rejection. */
export function withTrouble<Value>(work: () => Promise<Value>): Promise<End<Value>> {
  return new Promise((resolve) => {
    let trouble: End<Value> | undefined;
    const fail = (error: unknown): void => resolve({ kind: "threw", error });
    // Bun does not look at what a handler has kept promised before something else wakes it.
    const failSoon = (error: unknown): void => {
      trouble ??= { kind: "threw", error };
      setImmediate(resolve, trouble);
    };
    process.on("uncaughtException", failSoon);
    process.on("unhandledRejection", failSoon);
    // What it has left to be rejected in this very moment is told of after the moment only.
    const succeed = (value: Value): void => void setImmediate(() => resolve(trouble ?? { kind: "returned", value }));
    work().then(succeed, fail);
  });
}
