import { eventually, within } from "../support/eventually.ts";
import type { Place } from "./place.ts";

/** What gives a terminal back after a screen of a program's own. */
const LEAVE = "\u001b[?1049l";
const SEQUENCE = new RegExp(String.raw`\u001b\[[?\d;]*[A-Za-z]`, "g");

/** The program on a terminal of its own. */
export function onTerminal(place: Place, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const decoder = new TextDecoder();
  let text = "";
  const child = Bun.spawn([...place.form.argv, ...args], {
    cwd: place.of(),
    env: { ...place.environment, TERM: "xterm", ...environment },
    terminal: {
      cols: 90,
      rows: 12,
      data: (_terminal, bytes) => void (text += decoder.decode(bytes, { stream: true })),
    },
  });
  return {
    type: (keys: string) => void child.terminal?.write(keys),
    signal: (name: NodeJS.Signals) => void process.kill(child.pid, name),
    all: () => text,
    /** What can be read on it now. */
    screen: () => (text.split("\u001b[H").at(-1) ?? "").replaceAll(SEQUENCE, ""),
    gaveBack: () => eventually("the terminal is given back", () => text.endsWith(LEAVE)),
    shows: (words: string) => eventually(`it shows ${words}`, () => text.includes(words)),
    async ended() {
      await within("it ends", child.exited);
      return { code: child.exitCode, signal: child.signalCode };
    },
    [Symbol.dispose]: () => child.terminal?.close(),
  };
}
