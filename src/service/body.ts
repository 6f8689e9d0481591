import type { Clock } from "../clock.ts";
import { malformed, Refusal } from "./refusal.ts";

/** Bytes in a millisecond: a client that sends no faster than this in the long run is held to be holding us up. */
const SLOWEST = 1;

export const tooLarge = (most: number): Refusal => new Refusal(413, `The body is larger than ${most} bytes.`);

interface Patience {
  /** Bytes. */
  readonly most: number;
  /** Milliseconds that may be spent waiting, beside what is given for each byte that came. */
  readonly bodyMs: number;
  readonly clock: Pick<Clock, "monotonic" | "after">;
}

/**
 * The pieces of a request's body as they come.
 *
 * @throws Refusal for one that is too large (413), comes too slowly (408) or breaks off (400)
 */
export async function* piecesOf(request: Request, { most, bodyMs, clock }: Patience): AsyncGenerator<Uint8Array> {
  if (Number(request.headers.get("content-length") ?? 0) > most) throw tooLarge(most);
  const reader = request.body?.getReader();
  let size = 0;
  let waited = 0;
  try {
    while (reader) {
      const from = clock.monotonic();
      const piece = await soonEnough(reader, bodyMs + size / SLOWEST - waited, clock);
      if (piece === null) return;
      waited += clock.monotonic() - from;
      size += piece.length;
      if (size > most) throw tooLarge(most);
      yield piece;
    }
  } finally {
    // What else comes is nobody's any more; that it cannot be called off does not matter.
    reader?.cancel().catch(() => null);
  }
}

interface PieceReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
}

/** Null: it has ended. */
async function soonEnough(
  reader: PieceReader,
  milliseconds: number,
  clock: Patience["clock"],
): Promise<Uint8Array | null> {
  const late = Promise.withResolvers<never>();
  const cancel = clock.after(milliseconds, () => {
    late.reject(new Refusal(408, "The body did not come in time.", { Connection: "close" }));
  });
  try {
    return (await Promise.race([late.promise, pieceOf(reader)])) ?? null;
  } finally {
    cancel();
  }
}

async function pieceOf(reader: PieceReader): Promise<Uint8Array | undefined> {
  try {
    return (await reader.read()).value;
  } catch {
    // The client hung up, or what it sent is no HTTP: nobody reads the answer.
    throw malformed("The body broke off.");
  }
}
