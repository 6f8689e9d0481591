import { open, rm, statfs, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../../clock.ts";
import type { Asked } from "./health.ts";
import { readNumber } from "./message.ts";
import { DONE, type Answer, type Failure, type Settled } from "./outcome.ts";
import { persist } from "./persist.ts";
import { pointerProblem, type Pointer } from "./pointer.ts";
import type { Requests } from "./requests.ts";
import { chunksOf, S3, type S3Settings } from "./s3.ts";

export interface PayloadsSettings extends S3Settings {
  readonly clock: Clock;
  readonly random: () => number;
  /** No larger body is fetched. */
  readonly maxBytes: number;
}

/** Bodies that senders have put into S3 for their size. Whether a pointer may be followed is for the caller to say. */
export class Payloads {
  readonly #requests: Requests;
  readonly #settings: PayloadsSettings;
  readonly #s3: S3;

  constructor(requests: Requests, settings: PayloadsSettings) {
    this.#requests = requests;
    this.#settings = settings;
    this.#s3 = new S3(settings);
  }

  /**
   * Writes the object to a file, which only we can read, and which must not be there yet; after a failure it is not
   * there. What fails for a reason that may pass is tried again, from the start; a disk that is full is one of these.
   *
   * @param limitMs what this may take with all its tries
   */
  async fetch(pointer: Pointer, file: string, limitMs: number): Promise<Answer<{ readonly bytes: number }>> {
    const asked: Asked = { action: "GetObject", queue: bucketOf(pointer) };
    const problem = pointerProblem(pointer, [pointer.bucket]);
    if (problem !== null) return refusal(asked, "InvalidPointer", problem);
    const answer = await this.#persist(limitMs, (leftMs) => this.#fetch(asked, pointer, file, leftMs));
    if (answer.kind !== "ok") return answer;
    if (answer.value !== null) return { kind: "ok", value: { bytes: answer.value } };
    const { maxBytes } = this.#settings;
    return refusal(asked, "EntityTooLarge", `${shown(pointer)} is larger than the ${maxBytes} bytes that are taken`);
  }

  /** Deletes the object; one that is not there any more is deleted. */
  async remove(pointer: Pointer, limitMs: number): Promise<Settled> {
    const asked: Asked = { action: "DeleteObject", queue: bucketOf(pointer) };
    const problem = pointerProblem(pointer, [pointer.bucket]);
    if (problem !== null) return refusal(asked, "InvalidPointer", problem);
    const answer = await this.#persist(limitMs, (leftMs) =>
      this.#requests.ask(asked, leftMs, async (sender) => {
        const response = await this.#s3.ask("DELETE", pointer, sender);
        await response.body?.cancel();
      }),
    );
    return answer.kind === "ok" || answer.name === "NoSuchKey" ? DONE : answer;
  }

  async #persist<T>(limitMs: number, ask: (leftMs: number) => Promise<Answer<T>>): Promise<Answer<T>> {
    const [answer] = await persist([null], limitMs, this.#settings, async (_, leftMs) => [await ask(leftMs)]);
    if (answer === undefined) throw new Error("it was asked for one, and has no answer");
    return answer;
  }

  /** Null: it is too large. */
  async #fetch(asked: Asked, pointer: Pointer, file: string, limitMs: number): Promise<Answer<number | null>> {
    let saving: Promise<unknown> = Promise.resolve();
    const answer = await this.#requests.ask(asked, limitMs, async (sender) => {
      const response = await this.#s3.ask("GET", pointer, sender);
      sender.options.abortSignal.throwIfAborted();
      const saved = save(response, file, this.#settings.maxBytes);
      saving = saved;
      return await saved;
    });
    // After its time limit it may still be about to take its file away.
    await Promise.allSettled([saving]);
    return answer;
  }
}

/** Gives how many bytes there were; null: too many. */
async function save(response: Response, file: string, maxBytes: number): Promise<number | null> {
  let saved: number | null = null;
  const handle = await open(file, "wx", 0o600);
  try {
    saved = await copy(response, handle, dirname(file), maxBytes);
    // A row on disk is to name it.
    await handle.sync();
  } finally {
    await handle.close();
    if (saved === null) await rm(file, { force: true });
  }
  return saved;
}

/** An answer that ends before its time is an error of the runtimes'. */
async function copy(
  response: Response,
  handle: FileHandle,
  directory: string,
  maxBytes: number,
): Promise<number | null> {
  const announced = readNumber(response.headers.get("content-length") ?? undefined) ?? 0;
  let bytes = 0;
  for await (const chunk of chunksOf(response)) {
    if (Math.max(bytes + chunk.length, announced) > maxBytes) return null;
    if (bytes === 0) await needRoom(directory, announced);
    bytes += chunk.length;
    await handle.writeFile(chunk);
  }
  return bytes;
}

/** A disk that was filled to no end would fail all others who write there. */
async function needRoom(directory: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  if (bytes > bavail * bsize) throw new Error(`it has ${bytes} bytes, and the disk has room for ${bavail * bsize}`);
}

const bucketOf = ({ bucket }: Pointer): string => `s3://${bucket}`;

const shown = ({ key }: Pointer): string => `the object ${JSON.stringify(key)}`;

const refusal = ({ action, queue }: Asked, name: string, what: string): Failure => ({
  kind: "refused",
  name,
  message: `${action} on ${queue}: ${what}`,
  hint: null,
  unanswered: false,
});
