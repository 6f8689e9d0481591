import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { systemClock, type Clock } from "../clock.ts";
import { loadConfiguration } from "../config/configuration.ts";
import type { Configuration } from "../config/definition.ts";
import { nothingThere, ReeveError } from "../errors.ts";
import { runtime } from "../runtime/index.ts";
import { chooseDirectory, prepareLocation, StoreLocation } from "../store/location.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import type { Options } from "./invocation.ts";

/** What a verb works with. */
export interface Context {
  readonly store: Store;
  readonly configuration: Configuration;
  readonly clock: Clock;
  /** Who asks, for the record. */
  readonly by: string;
}

/** The configuration that the options, the environment and the directory choose. */
export function readConfiguration(options: Options): Promise<Configuration> {
  return loadConfiguration({
    flag: options.text("config"),
    environment: process.env,
    cwd: process.cwd(),
    hasMore: options.has("jobs"),
  });
}

/** The place of the store that the options, the environment and the configuration choose. */
export function locateStore(options: Options, configuration: Configuration): StoreLocation {
  const uid = process.getuid?.();
  return new StoreLocation(chooseDirectory(options.text("store"), process.env, configuration.store.path, uid));
}

/** Runs `use` on the store, which is made if it is not there, and closes it. `read` gives what the verb needs to know. */
export async function withStore<T>(
  options: Options,
  use: (context: Context) => Promise<T>,
  read: (options: Options) => Promise<Configuration> = readConfiguration,
): Promise<T> {
  const configuration = await read(options);
  return openFor(locateStore(options, configuration), configuration, use);
}

/** The same for a verb that only makes sense on what is there: `absent` answers where there is no store. */
export async function withExistingStore<T>(
  options: Options,
  use: (context: Context) => Promise<T>,
  absent: (location: StoreLocation) => T | Promise<T> = refuseAbsent,
): Promise<T> {
  const configuration = await readConfiguration(options);
  const location = locateStore(options, configuration);
  return existsSync(location.database) ? openFor(location, configuration, use) : absent(location);
}

function refuseAbsent(location: StoreLocation): never {
  throw nothingThere(`no store at ${location.directory} yet`, "`reeve submit` makes one; --store DIR names another");
}

async function openFor<T>(
  location: StoreLocation,
  configuration: Configuration,
  use: (context: Context) => Promise<T>,
): Promise<T> {
  const store = openStore(location, configuration);
  try {
    return await use({ store, configuration, clock: systemClock, by: userName() });
  } catch (error) {
    throw forPeople(store, error);
  } finally {
    store.close();
  }
}

/** Opens the store, which is made if it is not there. `manner` says what happens when it cannot be written for a while. */
export function openStore(
  location: StoreLocation,
  configuration: Configuration,
  manner: Pick<StoreOptions, "patience" | "busyTries" | "onTrouble"> = { patience: "fail" },
): Store {
  prepareLocation(location, process.env);
  return Store.open({
    location,
    durability: configuration.store.durability,
    openDatabase: (path) => runtime.openDatabase(path, { create: true }),
    clock: systemClock,
    random: Math.random,
    ...manner,
  });
}

/** What the database itself complains of is explained for people; anything else is what it is. */
export function forPeople(store: Store, error: unknown): unknown {
  if (error instanceof ReeveError || store.database.trouble(error) === "mistake") return error;
  return store.explained(error);
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a uid that has no name.
    return `uid ${process.getuid?.()}`;
  }
}
