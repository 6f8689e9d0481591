import { escaped } from "./text.ts";

/** Colours and their like (SGR, ECMA-48), which are let through; one may be cut in two by the end of what was read. */
const COLOUR = String.raw`\u001b\[[\d;:]{0,64}m`;
const BEGUN_COLOUR = new RegExp(String.raw`\u001b(?:\[[\d;:]{0,64})?$`);
/** What a terminal acts on. A lone carriage return only goes back on its line, as progress bars do. */
const PART = new RegExp(String.raw`${COLOUR}|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]`, "g");
const RESET = "\u001b[0m";

/**
 * A program's output as it may be shown on a terminal: colours, tabs, line feeds and carriage returns do what they do,
 * all other control characters are written out, and what is no UTF-8 is a replacement character.
 */
export class TerminalText {
  readonly #decoder = new TextDecoder();
  #begun = "";
  #coloured = false;

  show(bytes: Uint8Array): string {
    const text = this.#begun + this.#decoder.decode(bytes, { stream: true });
    this.#begun = BEGUN_COLOUR.exec(text)?.[0] ?? "";
    return this.#shown(text.slice(0, text.length - this.#begun.length));
  }

  /** What was held back; the colours are the terminal's own again. */
  end(): string {
    const rest = this.#shown(this.#begun + this.#decoder.decode());
    this.#begun = "";
    const reset = this.#coloured ? RESET : "";
    this.#coloured = false;
    return rest + reset;
  }

  #shown(text: string): string {
    return text.replaceAll(PART, (part) => {
      if (part.length === 1) return escaped(part);
      this.#coloured = part !== RESET && part !== "\u001b[m";
      return part;
    });
  }
}
