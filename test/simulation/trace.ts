/** What happened, line by line: its hash tells whether two histories are the same. */
export class Trace {
  readonly #hash = new Bun.CryptoHasher("sha256");
  readonly #tail: string[] = [];
  readonly #show: boolean;
  readonly #tailLength: number;
  lines = 0;

  constructor(show: boolean, tailLength = 80) {
    this.#show = show;
    this.#tailLength = tailLength;
  }

  add(at: number, who: string, what: string): void {
    const line = `${(at / 1000).toFixed(3).padStart(9)} ${who.padEnd(4)} ${what}`;
    this.lines += 1;
    this.#hash.update(line);
    this.#tail.push(line);
    if (this.#tail.length > 2 * this.#tailLength) this.#tail.splice(0, this.#tailLength);
    if (this.#show) console.log(line);
  }

  tail(): string[] {
    return this.#tail.slice(-this.#tailLength);
  }

  hash(): string {
    return this.#hash.copy().digest("hex");
  }
}
