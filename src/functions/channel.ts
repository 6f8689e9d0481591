import { messageOf } from "../errors.ts";
import { fs } from "./builtins.ts";

/** What a function says of its job, in the form of the contract of all jobs. */
export type Saying =
  | { readonly progress: number; readonly message?: string }
  | { readonly result: { readonly id: string; readonly path: string; readonly type?: string } }
  | { readonly error: { readonly message: string; readonly type: "transient" | "fatal"; readonly detail?: string } }
  | { readonly log: { readonly level: string; readonly message: string } }
  | { readonly deadline: number }
  | { readonly release: number };

const CONTROL = 3;

/**
 * Descriptor 3. What is said has been written when `say` returns, so that the order is that of the calls, nothing waits
 * in this process, and whoever says much is slowed down to what can be written.
 */
export class Channel {
  #isBroken = false;

  /** @throws an `Error` with an errno `code` when it cannot be written. */
  say(saying: Saying): void {
    writeLine(CONTROL, JSON.stringify(saying));
  }

  /** The same for what no job is to fail for. */
  mention(saying: Saying): void {
    try {
      this.say(saying);
    } catch (error) {
      if (!this.#isBroken) console.error(`reeve: what the job says of itself cannot be written: ${messageOf(error)}`);
      this.#isBroken = true;
    }
  }
}

/** All of it, however much the kernel takes at once. */
export function writeLine(descriptor: number, text: string): void {
  const bytes = Buffer.from(`${text}\n`);
  for (let written = 0; written < bytes.length;) written += fs().writeSync(descriptor, bytes, written);
}
