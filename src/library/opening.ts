import { systemClock } from "../clock.ts";
import { ReeveError } from "../errors.ts";
import { runtime } from "../runtime/index.ts";
import { prepareLocation, type StoreLocation } from "../store/location.ts";
import { Store, type StoreOptions } from "../store/store.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** How a store is written. */
export interface Manner extends Pick<StoreOptions, "durability" | "patience" | "onTrouble"> {
  readonly environment: Environment;
}

/** Opens a store, which is made if it is not there. @throws ReeveError (unavailable) when it cannot be opened. */
export function openStore(location: StoreLocation, { environment, ...manner }: Manner): Store {
  prepareLocation(location, environment);
  return Store.open({
    location,
    openDatabase: (path) => runtime.openDatabase(path, { create: true }),
    clock: systemClock,
    random: Math.random,
    ...manner,
  });
}

/** What the database itself complains of is explained for people; anything else is what it is. */
export function explained(store: Store, error: unknown): unknown {
  if (error instanceof ReeveError || store.database.trouble(error) === "mistake") return error;
  return store.explained(error);
}
