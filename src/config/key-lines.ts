/** Finds the line, counted from 1, of the value that a key path leads to; of the nearest table around it, if none. */
export type LineFinder = (path: readonly string[]) => number;

/**
 * Where the keys of a TOML text are. The text must be valid TOML: only as much of it is understood as is needed to
 * tell keys from values, because the parser itself gives places for syntax errors only.
 */
export function keyLines(text: string): LineFinder {
  const lines = new Scanner(text).document();
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const line = lines.get(JSON.stringify(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return 1;
  };
}

const SPACE = /[ \t]*/y;
const BLANK = /(?:[ \t\r\n]|#[^\n]*)*/y;
const BARE_KEY = /[A-Za-z0-9_-]+/y;
// Longest quotes first, since `""` begins `"""` as well; up to two quotes may stand right before the closing three.
const STRING = /"""(?:[^\\]|\\[^])*?"""(?:"{1,2})?|'''[^]*?'''(?:'{1,2})?|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y;
const SCALAR = /[^,\]}#\n]+/y;

class Scanner {
  readonly #text: string;
  readonly #lines = new Map<string, number>();
  #at = 0;
  #line = 1;
  #lineEnd = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Map<string, number> {
    let table: string[] = [];
    for (this.#take(BLANK); this.#at < this.#text.length; this.#take(BLANK)) {
      const before = this.#at;
      if (this.#text[this.#at] === "[") table = this.#header();
      else this.#entry(table);
      if (this.#at === before) break;
    }
    return this.#lines;
  }

  #header(): string[] {
    this.#take(/\[+/y);
    const table = this.#keys([]);
    this.#take(/\]+/y);
    return table;
  }

  #entry(table: readonly string[]): void {
    const path = this.#keys(table);
    this.#take(/=[ \t]*/y);
    this.#value(path);
  }

  #keys(table: readonly string[]): string[] {
    const path = [...table];
    do {
      this.#take(SPACE);
      path.push(this.#key());
      this.#note(path);
      this.#take(SPACE);
    } while (this.#take(/\./y) !== "");
    return path;
  }

  #key(): string {
    const written = this.#take(STRING);
    return written === "" ? this.#take(BARE_KEY) : unquoted(written);
  }

  #value(path: readonly string[]): void {
    const first = this.#text[this.#at];
    if (first === "{") this.#members("}", () => this.#entry(path));
    else if (first === "[") this.#members("]", (index) => this.#item([...path, String(index)]));
    else if (this.#take(STRING) === "") this.#take(SCALAR);
  }

  #item(path: readonly string[]): void {
    this.#note(path);
    this.#value(path);
  }

  #members(end: "}" | "]", member: (index: number) => void): void {
    this.#at++;
    this.#take(BLANK);
    for (let index = 0; this.#at < this.#text.length && this.#text[this.#at] !== end; index++) {
      const before = this.#at;
      member(index);
      this.#take(BLANK);
      this.#take(/,/y);
      this.#take(BLANK);
      if (this.#at === before) return;
    }
    this.#at++;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const taken = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += taken.length;
    return taken;
  }

  #note(path: readonly string[]): void {
    const key = JSON.stringify(path);
    if (!this.#lines.has(key)) this.#lines.set(key, this.#currentLine());
  }

  #currentLine(): number {
    for (; this.#lineEnd < this.#at; this.#lineEnd++) if (this.#text[this.#lineEnd] === "\n") this.#line++;
    return this.#line;
  }
}

function unquoted(written: string): string {
  if (written.startsWith("'")) return written.slice(1, -1);
  try {
    return String(JSON.parse(written));
  } catch {
    return written.slice(1, -1);
  }
}
