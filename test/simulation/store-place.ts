import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runtime } from "../../src/runtime/index.ts";
import { StoreLocation } from "../../src/store/location.ts";
import { Store } from "../../src/store/store.ts";
import { Connection, SimulatedDatabase, type Disk } from "./database.ts";
import type { Life } from "./life.ts";
import type { Bells } from "./machine.ts";

/** In memory where there is such a place: nothing here is to survive this process. */
function temporaryPlace(): string {
  return mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "simulation-"));
}

export interface StorePlaceOptions {
  readonly bells: Bells;
  readonly disk: Disk;
  /** Called when a commit is on disk and nobody has been told. */
  readonly committed: (by: Life) => void;
  /** For checks of the checker: the statement that is run instead. */
  readonly rewrite: (sql: string) => string;
}

/** A store on a real file, which the virtual processes of one machine share. */
export class StorePlace {
  readonly location: StoreLocation;
  readonly #options: StorePlaceOptions;
  /** Connections that nobody uses. */
  readonly #idle: Connection[] = [];

  constructor(options: StorePlaceOptions) {
    this.#options = options;
    this.location = new StoreLocation(temporaryPlace());
    mkdirSync(this.location.workers, { recursive: true });
    writeFileSync(this.location.database, emptyStore());
  }

  open(life: Life, patience: "fail" | "wait"): Store {
    const { bells, disk, committed, rewrite } = this.#options;
    let database: SimulatedDatabase | null = null;
    const openDatabase = (path: string): SimulatedDatabase => {
      const real = this.#idle.pop() ?? new Connection(runtime.openDatabase(path, { create: false }));
      const closed = (): void => void this.#idle.push(real);
      database = new SimulatedDatabase({ real, life, closed, disk, committed: () => committed(life), rewrite });
      return database;
    };
    return Store.open({
      location: this.location,
      durability: "normal",
      openDatabase,
      changes: bells.of(life, () => database),
      clock: life.clock,
      random: life.world.random.next,
      patience,
    });
  }

  close(): void {
    for (const connection of this.#idle) connection.close();
    rmSync(this.location.directory, { recursive: true, force: true });
  }
}

let template: Uint8Array | null = null;

/** The file of an empty store of this version, made once. */
function emptyStore(): Uint8Array {
  if (template !== null) return template;
  const location = new StoreLocation(temporaryPlace());
  Store.open({
    location,
    durability: "normal",
    openDatabase: (path) => runtime.openDatabase(path, { create: true }),
    clock: { soon: () => {}, after: () => () => {} },
    random: () => 0,
    patience: "fail",
  }).close();
  template = readFileSync(location.database);
  rmSync(location.directory, { recursive: true, force: true });
  return template;
}
