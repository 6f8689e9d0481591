import type { Assignment } from "./assignment.ts";
import { Reject, Release } from "./api.ts";
import { path } from "./builtins.ts";
import type { Channel } from "./channel.ts";
import type { Context, ExitContext } from "./context.ts";
import { REJECT_CODE, RELEASE_CODE } from "./exit-codes.ts";
import { keepResult } from "./results.ts";
import { StopOrder } from "./stop-order.ts";
import { withTrouble, type End } from "./trouble.ts";

/** How the process is to end. */
export type WayOut = { readonly code: number } | { readonly signal: NodeJS.Signals };

type Source = Readonly<Record<string, unknown>>;
type Params = Assignment["params"];

const FAILED = 1;
const LONG_MS = 60_000;

/** What the function has said that its process should exit with. */
const codeByChoice = (): number => Number(process.exitCode ?? 0);

/** The one function that this process is for. */
export class Work {
  readonly #assignment: Assignment;
  readonly #channel: Channel;
  /** The module: places are told relative to its directory. */
  readonly #file: string;
  readonly #stop = new StopOrder();

  constructor(assignment: Assignment, channel: Channel, file: string) {
    this.#assignment = assignment;
    this.#channel = channel;
    this.#file = file;
  }

  /** Runs it. Whatever goes wrong in this process meanwhile is its failure. */
  async perform(task: "run" | "exit", load: () => Promise<Source>): Promise<WayOut> {
    // Bun's loop spins, instead of waiting, where nothing but a signal can wake it.
    setInterval(() => {}, LONG_MS);
    const end = await withTrouble(async () => {
      const source = await load();
      this.#stop.listen(source["stopSignal"]);
      return task === "run" ? this.#run(source) : this.#exit(source);
    });
    return task === "run" ? this.#wayOut(end) : this.#wayOutOfExit(end);
  }

  async #run({ run }: Source): Promise<unknown> {
    if (typeof run !== "function") throw new TypeError("it has no run any more");
    const value: unknown = await run(this.#context());
    if (value === undefined || value instanceof Reject || value instanceof Release) return value;
    this.#keep("result", value);
    return undefined;
  }

  #exit({ onExit }: Source): unknown {
    if (typeof onExit !== "function") throw new TypeError("it has no onExit any more");
    return onExit(this.#exitContext());
  }

  #common(): Omit<ExitContext<Params>, "cause"> {
    const { params, message, jobId, attempt } = this.#assignment;
    return { params, message, jobId, attempt, signal: this.#stop.signal };
  }

  #exitContext(): ExitContext<Params> {
    return { ...this.#common(), cause: this.#assignment.cause };
  }

  #context(): Context<Params> {
    const channel = this.#channel;
    return {
      ...this.#common(),
      progress: async (fraction, message) =>
        channel.mention({ progress: fraction, ...(message !== undefined && { message }) }),
      result: async (id, value) => this.#keep(id, value),
      log: async (message, level = "info") => channel.mention({ log: { level, message } }),
      deadline: async (seconds) => channel.mention({ deadline: seconds }),
      error: async (message, type = "transient") => channel.mention({ error: { message, type } }),
    };
  }

  #keep(id: string, value: unknown): void {
    keepResult(id, value, this.#assignment.results, this.#channel);
  }

  #wayOut(end: End): WayOut | Promise<WayOut> {
    const said = end.kind === "returned" ? end.value : end.error;
    if (said instanceof Reject) return this.#rejected(said);
    if (said instanceof Release) return this.#released(said);
    return end.kind === "returned" ? { code: codeByChoice() } : this.#threw(end.error);
  }

  #rejected({ message }: Reject): WayOut {
    this.#channel.mention({ error: { message: message || "rejected", type: "fatal" } });
    return { code: REJECT_CODE };
  }

  #released({ message, seconds }: Release): WayOut {
    if (message !== "") this.#channel.mention({ error: { message, type: "transient" } });
    this.#channel.mention({ release: seconds });
    return { code: RELEASE_CODE };
  }

  /** Told to stop it has done so: as every program that does not trap the signal, it ends by that. */
  async #threw(error: unknown): Promise<WayOut> {
    const { explain } = await import("./thrown.ts");
    const { message, stack } = explain(error, path().dirname(this.#file));
    const { by } = this.#stop;
    if (by !== null && this.#stop.isReasonOf(error)) return { signal: by };
    console.error(stack);
    this.#channel.mention({ error: { message, type: "transient", detail: stack } });
    return by === null ? { code: FAILED } : { signal: by };
  }

  async #wayOutOfExit(end: End): Promise<WayOut> {
    if (end.kind === "returned") return { code: codeByChoice() };
    const { explain } = await import("./thrown.ts");
    console.error(explain(end.error, path().dirname(this.#file)).stack);
    return this.#stop.by === null ? { code: FAILED } : { signal: this.#stop.by };
  }
}
