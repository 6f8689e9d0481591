const ALWAYS = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const;

/** That somebody tells this process to stop. */
export class StopOrder {
  readonly #controller = new AbortController();
  #by: NodeJS.Signals | null = null;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The first signal that came; null: none. */
  get by(): NodeJS.Signals | null {
    return this.#by;
  }

  /** From here on these signals abort, and end nothing by themselves. `more`: the job's own, as its definition has it. */
  listen(more: unknown): void {
    const own = typeof more === "string" && more !== "KILL" ? [`SIG${more}` as NodeJS.Signals] : [];
    for (const name of new Set<NodeJS.Signals>([...ALWAYS, ...own])) process.on(name, () => this.#stop(name));
  }

  #stop(by: NodeJS.Signals): void {
    this.#by ??= by;
    this.#controller.abort(new DOMException(`the job was told to stop (${by})`, "AbortError"));
  }

  /** Whether it is what was thrown because of the order. */
  isReasonOf(error: unknown): boolean {
    if (!this.signal.aborted) return false;
    return error === this.signal.reason || (error instanceof Error && error.name === "AbortError");
  }
}
