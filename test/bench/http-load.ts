/** Connections that ask at once. */
const CONNECTIONS = 8;

const END_OF_CHUNKS = "0\r\n\r\n";

/**
 * Asks a server on this machine the same again and again, for so many milliseconds. Gives the answers a second. It reads
 * no more of an answer than is needed to see its end, so that it is the server that is measured.
 *
 * @throws for an answer that does not begin with `expected`
 */
export async function answersPerSecond(
  port: number,
  request: string,
  expected: string,
  forMs: number,
): Promise<number> {
  let answers = 0;
  const end = performance.now() + forMs;
  const connections = Array.from({ length: CONNECTIONS }, async () => {
    const done = Promise.withResolvers<void>();
    const answer = new Answer(expected);
    await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => void socket.write(request),
        data(socket, bytes) {
          try {
            if (!answer.add(bytes)) return;
          } catch (error) {
            done.reject(error);
            return;
          }
          answers += 1;
          if (performance.now() < end) return void socket.write(request);
          socket.end();
          done.resolve();
        },
        error: (_, error) => done.reject(error),
        close: () => done.resolve(),
      },
    });
    return done.promise;
  });
  const from = performance.now();
  await Promise.all(connections);
  return (answers / (performance.now() - from)) * 1000;
}

/** One answer after the other, as their bytes come in. */
class Answer {
  readonly #expected: string;
  /** Bytes of the body that are still to come; null: not known, it comes in chunks. */
  #left: number | null = 0;
  #isBegun = false;

  constructor(expected: string) {
    this.#expected = expected;
  }

  /** Whether it is whole by now. */
  add(bytes: Buffer): boolean {
    const body = this.#isBegun ? bytes.length : bytes.length - this.#begin(bytes);
    if (this.#left !== null) this.#left -= body;
    const isWhole = this.#left === null ? bytes.subarray(-END_OF_CHUNKS.length).equals(CHUNKS_ENDED) : this.#left === 0;
    this.#isBegun = !isWhole;
    return isWhole;
  }

  /** Takes in its head, of which it gives the length. */
  #begin(bytes: Buffer): number {
    const length = bytes.indexOf("\r\n\r\n") + 4;
    const head = bytes.toString("latin1", 0, length);
    if (!head.startsWith(this.#expected)) throw new Error(`it answered ${head}`);
    const size = /content-length: *(\d+)/i.exec(head)?.[1];
    this.#left = size === undefined ? null : Number(size);
    return length;
  }
}

const CHUNKS_ENDED = Buffer.from(END_OF_CHUNKS);
