import { Busboy, type BusboyFileStream, type BusboyInstance } from "@fastify/busboy";
import { codeOf } from "../errors.ts";
import type { Field } from "./form.ts";
import type { Exchange } from "./ports.ts";
import { busy, malformed, Refusal } from "./refusal.ts";
import type { ReceivedFile, Staging } from "./staging.ts";

const LONGEST_NAME = 1000;
/** What the parser leaves out, whatever its types say. */
const NO_NAME = "";
/** What the parser puts in the place of bytes that are no text: a value would silently become another. */
const REPLACED = "\ufffd";

/**
 * Reads a form in parts (RFC 7578); its files go to disk as they come.
 *
 * @throws Refusal for what is none, or more than the limits allow
 */
export async function readMultipart(
  pieces: AsyncIterable<Uint8Array>,
  exchange: Pick<Exchange, "request" | "limits">,
  staging: Staging,
): Promise<{ readonly fields: readonly Field[]; readonly files: readonly ReceivedFile[] }> {
  const form = new MultipartForm(exchange, staging);
  try {
    for await (const piece of pieces) await form.take(piece);
    return await form.end();
  } finally {
    await form.close();
  }
}

class MultipartForm {
  readonly #parser: BusboyInstance;
  readonly #staging: Staging;
  readonly #limits: Exchange["limits"];
  readonly #fields: Field[] = [];
  readonly #streams: BusboyFileStream[] = [];
  readonly #saved: Promise<ReceivedFile | null>[] = [];
  readonly #failed = Promise.withResolvers<never>();
  #size = 0;

  constructor({ request, limits }: Pick<Exchange, "request" | "limits">, staging: Staging) {
    this.#limits = limits;
    this.#staging = staging;
    this.#parser = parserFor(request.headers.get("content-type") ?? "", limits);
    this.#failed.promise.catch(() => null);
    this.#listen();
  }

  #listen(): void {
    const fail = this.#failed.reject;
    const crowd = (): void => fail(new Refusal(413, `There are more than ${this.#limits.formFields} values.`));
    this.#parser.on("field", (name: string | undefined = NO_NAME, value, nameCut, cut) => {
      this.#size += name.length + value.length;
      if (nameCut || cut || this.#size > this.#limits.formBytes) {
        fail(new Refusal(413, `The values are larger than ${this.#limits.formBytes} bytes.`));
      } else if (name.includes(REPLACED) || value.includes(REPLACED)) {
        fail(malformed("What was given is not all UTF-8."));
      } else this.#fields.push([name, value]);
    });
    this.#parser.on("file", (part: string | undefined, stream, name, _encoding, type) =>
      this.#take(part ?? NO_NAME, stream, name, type),
    );
    for (const event of ["partsLimit", "fieldsLimit", "filesLimit"] as const) this.#parser.on(event, crowd);
    this.#parser.on("error", () => fail(malformed("The body is not in parts as it says.")));
  }

  #take(part: string, stream: BusboyFileStream, name: string | undefined, type: string): void {
    this.#streams.push(stream);
    // It may be told after whoever reads it has gone.
    stream.on("error", this.#failed.reject);
    const saved = this.#staging.save(part, name ?? NO_NAME, type, stream).then(
      // What a browser sends of a field for a file where none was chosen.
      (file) => (file.size === 0 && !name ? null : file),
      (error: unknown) => {
        throw asRefusal(error);
      },
    );
    saved.catch(this.#failed.reject);
    this.#saved.push(saved);
  }

  /** Done when there is room for more. */
  take(piece: Uint8Array): Promise<void> {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    return this.#orFailed(
      new Promise((resolve, reject) => {
        this.#parser.write(bytes, (error) => (error ? reject(malformed("The body is not in parts.")) : resolve()));
      }),
    );
  }

  async end(): Promise<{ readonly fields: readonly Field[]; readonly files: readonly ReceivedFile[] }> {
    await this.#orFailed(
      new Promise<void>((resolve) => {
        this.#parser.once("finish", resolve);
        this.#parser.end();
      }),
    );
    const files = await Promise.all(this.#saved);
    return { fields: this.#fields, files: files.filter((file) => file !== null) };
  }

  #orFailed<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#failed.promise]);
  }

  /** Nothing is written any more. */
  async close(): Promise<void> {
    for (const stream of this.#streams) stream.destroy();
    await Promise.allSettled(this.#saved);
  }
}

function parserFor(type: string, { formBytes, formFields }: Exchange["limits"]): BusboyInstance {
  const limits = { fieldNameSize: LONGEST_NAME, fieldSize: formBytes, parts: formFields };
  try {
    return new Busboy({ headers: { "content-type": type }, limits });
  } catch {
    // Its sentences are for programmers: there is no boundary, or it cannot be one.
    throw malformed("The body's type does not say how it is in parts.");
  }
}

/** The client is not to blame for a full disk; for all else that keeps a part from being whole it is. */
function asRefusal(error: unknown): unknown {
  const code = codeOf(error);
  if (code === "ENOSPC" || code === "EDQUOT") return busy("There is no room for files now.");
  const isOurs = code !== undefined && /^E[A-Z]+$/.test(code);
  return isOurs ? error : malformed("The body broke off within a part.");
}
