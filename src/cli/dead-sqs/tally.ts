import { EXIT } from "../../errors.ts";
import type { Options } from "../invocation.ts";
import { printJson } from "../render/json.ts";
import { counted, safe } from "../render/text.ts";
import { printLine, remark } from "../streams.ts";
import type { Letter } from "./letter.ts";
import type { Reading } from "./reading.ts";
import { complaintOf } from "./telling.ts";
import type { Fate } from "./working.ts";

const CLEAR_LINE = "\r\u001b[K";

/** Tells what becomes of letters: ids on stdout, all else on stderr. */
export class Tally {
  readonly #done: string;
  readonly #reading: Pick<Reading, "looked">;
  readonly #asJson: boolean;
  readonly #isQuiet: boolean;
  /** A line that is drawn again and again, where the ids are not to be seen anyway. */
  readonly #isLive: boolean;
  readonly #ids: string[] = [];
  readonly #failed: { readonly id: string; readonly messageId: string; readonly what: string; readonly why: string }[] =
    [];
  #code: number = EXIT.done;

  /** @param done what is done to letters: `sent back` */
  constructor(done: string, reading: Pick<Reading, "looked">, options: Options) {
    this.#done = done;
    this.#reading = reading;
    this.#asJson = options.flag("json");
    this.#isQuiet = options.flag("quiet");
    this.#isLive = process.stderr.isTTY && !process.stdout.isTTY && !this.#isQuiet;
  }

  /** The exit code of the first failure, else 0. */
  get code(): number {
    return this.#code;
  }

  async take(letter: Letter, fate: Fate): Promise<void> {
    if (fate.kind === "done") this.#ids.push(letter.id);
    else this.#complain(letter, fate);
    if (fate.kind === "done" && !this.#asJson) await printLine(safe(letter.id));
    if (this.#isLive) process.stderr.write(`${CLEAR_LINE}${this.#summary()}`);
  }

  #complain(letter: Letter, fate: Exclude<Fate, { kind: "done" }>): void {
    const { kind, message } = fate.failure;
    const isOut = kind === "fatal" || kind === "transient";
    if (this.#code === EXIT.done) this.#code = isOut ? EXIT.unavailable : EXIT.jobFailed;
    this.#failed.push({ id: letter.id, messageId: letter.message.id, what: fate.kind, why: message });
    this.#clear();
    remark(complaintOf(letter, fate));
  }

  #summary(): string {
    return `${counted(this.#ids.length, "letter")} ${this.#done}, of ${this.#reading.looked} looked at`;
  }

  #clear(): void {
    if (this.#isLive) process.stderr.write(CLEAR_LINE);
  }

  async finish(stop: AbortSignal): Promise<void> {
    this.#clear();
    if (this.#asJson) await printJson({ done: this.#ids.length, ids: this.#ids, failed: this.#failed });
    const stopped = stop.aborted ? "stopped: " : "";
    if (!this.#isQuiet || stop.aborted) remark(`${stopped}${this.#summary()}`);
  }
}
