import { print } from "../streams.ts";

/** One value as JSON, for people to read as well. */
export function printJson(value: unknown): Promise<void> {
  return print(`${JSON.stringify(value, null, 2)}\n`);
}

/** How many items are made into text at once. */
const CHUNK = 200;

/** A list that may be long: its items are made and written a few at a time. */
export async function printJsonList<T>(things: readonly T[], make: (thing: T) => unknown): Promise<void> {
  if (things.length === 0) return print("[]\n");
  for (let from = 0; from < things.length; from += CHUNK) {
    const items = things.slice(from, from + CHUNK).map((thing) => indented(make(thing)));
    await print(`${from === 0 ? "[\n" : ",\n"}${items.join(",\n")}`);
  }
  await print("\n]\n");
}

const indented = (value: unknown): string => JSON.stringify(value, null, 2).replaceAll(/^/gm, "  ");
