import { rmSync } from "node:fs";
import type { Heard, Launch, RunningTree, Slot, Takings } from "./port.ts";
import { Confinement } from "./confinement.ts";
import type { ControlGroup } from "./control-group.ts";
import { ExitRecord } from "./shim.ts";
import { SlotFiles } from "./slot-files.ts";
import { placesOf } from "./spawn.ts";
import { ProcessTree, withFiles, type Supervision } from "./supervisor.ts";

/**
 * The place of one attempt that goes on when its worker ends. It has a directory of its own, since what its variables
 * say of its files must stay true when the worker's directory goes.
 */
export class OutlivingSlot implements Slot {
  readonly directory: string;
  readonly #supervision: Supervision;
  readonly #confinement: Confinement;
  #files: SlotFiles | null = null;
  /** Made by the worker before us. */
  #takenOver: ControlGroup | null = null;

  constructor(directory: string, supervision: Supervision) {
    this.directory = directory;
    this.#confinement = new Confinement(supervision);
    this.#supervision = supervision;
  }

  get files(): SlotFiles {
    this.#files ??= new SlotFiles(this.directory, this.#supervision.runtime.libc());
    return this.#files;
  }

  start(launch: Launch): RunningTree {
    this.close();
    return withFiles(this, () => {
      this.files.begin(launch.limits);
      const init = ExitRecord.ofInit(this.directory, launch.limits);
      const record = new ExitRecord(this.directory, init);
      const place = { files: this.files, record, init, ...this.#confinement.begin(launch.limits) };
      const tree = new ProcessTree(launch, place, this.#supervision);
      // Whoever adopts it must be able to tell its main process from any other.
      tree.remember();
      this.files.keep(this.#supervision.clock, launch.limits);
      return tree;
    });
  }

  places(launch: Launch): Record<string, string> {
    return placesOf(launch, this.files);
  }

  listen(hear: (heard: Heard) => void, heard: number): void {
    this.files.control(heard).listen(this.#supervision.clock, hear);
  }

  catchUp(): boolean {
    return this.files.control().catchUp();
  }

  /** Somebody may have been interrupted at it. */
  collect(launch: Launch): Takings {
    return this.#confinement.warned(this.files.collect(launch, true));
  }

  /** The group of the attempt that is adopted goes with its files. */
  takeOver(group: ControlGroup | null): void {
    this.#takenOver = group;
  }

  close(): void {
    this.#confinement.close();
    this.#takenOver?.remove();
    this.#takenOver = null;
    this.#files?.close();
    this.#files = null;
    rmSync(this.directory, { recursive: true, force: true });
  }
}
