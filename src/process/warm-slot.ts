import { closeSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import { codeOf } from "../errors.ts";
import { tailOf } from "./files.ts";
import {
  SpawnFailed,
  type Heard,
  type Launch,
  type RunningTree,
  type Spare,
  type Takings,
  type WarmSlot,
} from "./port.ts";
import { orderBytes, SPARE_VARIABLE } from "./spare-order.ts";
import { placesOf } from "./spawn.ts";
import { FileSlot, type ProcessTree, type Supervision } from "./supervisor.ts";

const TAIL_BYTES = 4096;
const AT_ONCE = { signal: "KILL", graceMs: 0 } as const;

/**
 * A slot whose jobs find their process there: it was started with the files, the limits and the control group of the
 * slot, and becomes the tree of the first job that comes. It ends by itself when this process does.
 */
export class FileWarmSlot implements WarmSlot {
  readonly directory: string;
  readonly #slot: FileSlot;
  /** Where what waits lists what it has loaded. */
  readonly #list: string;
  #waiting: ProcessTree | null = null;

  constructor(directory: string, supervision: Supervision) {
    this.directory = directory;
    this.#list = join(directory, "loaded");
    this.#slot = new FileSlot(directory, supervision);
  }

  prepare(launch: Parameters<WarmSlot["prepare"]>[0]): Spare {
    rmSync(this.#list, { force: true });
    const environment = { ...launch.environment, [SPARE_VARIABLE]: this.#list };
    const name = { job: `spare-${randomUUID()}`, attempt: 0, role: "job" } as const;
    const nothing = { body: null, jobDirectory: this.directory, waits: true } as const;
    const tree = this.#slot.start({ ...launch, ...name, ...nothing, environment });
    this.#waiting = tree;
    const isWaiting = (): boolean => this.#waiting === tree;
    return {
      get isWaiting() {
        return isWaiting();
      },
      exited: tree.exited,
      hasEnded: () => tree.hasEnded(),
      loaded: () => this.#loaded(),
      output: () => tailOf(this.#slot.files.path("output"), TAIL_BYTES),
      end: () => this.#end(tree),
    };
  }

  #loaded(): readonly string[] | null {
    try {
      // Our own program wrote it, in this version.
      return JSON.parse(readFileSync(this.#list, "utf8")) as string[];
    } catch (error) {
      if (codeOf(error) === "ENOENT") return null;
      throw error;
    }
  }

  async #end(tree: ProcessTree): Promise<void> {
    this.#waiting = null;
    tree.kill();
    await tree.exited;
    await tree.gone(AT_ONCE);
  }

  start(launch: Launch): RunningTree {
    const tree = this.#waiting;
    this.#waiting = null;
    if (tree === null) return this.#slot.start(launch);
    if (tree.hasEnded()) throw new SpawnFailed("EAGAIN", "the process that had waited for it has just ended");
    const { files } = this.#slot;
    if (launch.body) closeSync(files.openBody(launch.body));
    const environment = { ...launch.environment, ...placesOf(launch, files) };
    tree.become(launch, orderBytes({ environment }, launch.body));
    return tree;
  }

  places(launch: Launch): Record<string, string> {
    return this.#slot.places(launch);
  }

  listen(hear: (heard: Heard) => void): void {
    this.#slot.listen(hear);
  }

  catchUp(): boolean {
    return this.#slot.catchUp();
  }

  collect(launch: Launch): Takings {
    return this.#slot.collect(launch);
  }

  close(): void {
    this.#slot.close();
  }
}
