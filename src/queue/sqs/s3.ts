import type { SQSClient } from "@aws-sdk/client-sqs";
import type { Clock } from "../../clock.ts";
import { Unanswered } from "./failures.ts";
import { unanswered, type Fetch } from "./http.ts";
import { objectUrl } from "./object-address.ts";
import type { Pointer } from "./pointer.ts";
import type { Sender } from "./requests.ts";

export interface S3Settings {
  readonly fetch: Fetch;
  /** Instead of Amazon's own address. */
  readonly endpoint: string | null;
  readonly clock: Pick<Clock, "now">;
}

type Method = "GET" | "DELETE";

/** What S3 says instead of doing what it was asked, in the shape of the SDK's errors. */
class S3Error extends Error {
  override readonly name: string;
  readonly $metadata: { readonly httpStatusCode: number; readonly requestId: string };
  /** Where the bucket is, if it is elsewhere. */
  readonly region: string | null;

  constructor({ status, headers }: Response, text: string) {
    super(element(text, "Message") ?? `an answer that is not S3's: ${JSON.stringify(text.slice(0, SHOWN_CHARACTERS))}`);
    this.name = element(text, "Code") ?? "Unknown";
    this.$metadata = { httpStatusCode: status, requestId: headers.get("x-amz-request-id") ?? "" };
    const isElsewhere = status === 301 || this.name === "AuthorizationHeaderMalformed";
    const region = headers.get("x-amz-bucket-region") ?? element(text, "Region") ?? "";
    this.region = isElsewhere && REGION.test(region) ? region : null;
  }
}

/** It becomes a part of a host's name. */
const REGION = /^[a-z0-9-]{1,40}$/;

/** An error of S3 has less than one. */
const LONGEST_ERROR = 64 * 1024;
const SHOWN_CHARACTERS = 80;

/**
 * Two requests of S3, signed with what the queue's client is signed with. Its own client would be as large as all the
 * rest of the SDK, and would take as long to start.
 */
export class S3 {
  readonly #settings: S3Settings;
  /** Of buckets that were found elsewhere than the queue. */
  readonly #regions = new Map<string, string>();

  constructor(settings: S3Settings) {
    this.#settings = settings;
  }

  /**
   * The answer, of which nothing but the head has been read. A bucket in another region is asked for there.
   *
   * @throws {Error} whatever else S3 answers, or what keeps it from answering
   */
  async ask(method: Method, pointer: Pointer, { client, options }: Sender): Promise<Response> {
    const region = this.#regions.get(pointer.bucket) ?? (await client.config.region());
    try {
      return await this.#askIn(region, method, pointer, { client, options });
    } catch (error) {
      if (!(error instanceof S3Error) || error.region === null || error.region === region) throw error;
      this.#regions.set(pointer.bucket, error.region);
      return await this.#askIn(error.region, method, pointer, { client, options });
    }
  }

  async #askIn(
    region: string,
    method: Method,
    pointer: Pointer,
    { client, options }: Pick<Sender, "client" | "options">,
  ): Promise<Response> {
    const [isFips, isDualStack] = await Promise.all([
      client.config.useFipsEndpoint(),
      client.config.useDualstackEndpoint(),
    ]);
    const url = objectUrl(pointer, { endpoint: this.#settings.endpoint, region, isFips, isDualStack });
    const headers = await this.#sign(method, url, region, client.config);
    const response = await this.#send(url, { method, headers, redirect: "manual", signal: options.abortSignal });
    if (response.ok) return response;
    throw new S3Error(response, await readStart(response));
  }

  async #send(url: URL, init: RequestInit): Promise<Response> {
    try {
      return await this.#settings.fetch(url.href, init);
    } catch (error) {
      throw unanswered(error);
    }
  }

  async #sign(method: Method, url: URL, region: string, config: SQSClient["config"]): Promise<Record<string, string>> {
    const { SignatureV4 } = await import("@smithy/signature-v4");
    const { credentials, sha256, systemClockOffset } = config;
    // The path is encoded already, and S3's are not encoded twice.
    const signer = new SignatureV4({ service: "s3", region, credentials, sha256, uriEscapePath: false });
    const { protocol, hostname, host, pathname: path } = url;
    const signingDate = new Date(this.#settings.clock.now() + systemClockOffset);
    const request = { method, protocol, hostname, path, query: {}, headers: { host } };
    const { headers } = await signer.sign(request, { signingDate });
    // The runtime writes it itself, from the URL.
    delete headers["host"];
    // An object is taken as it is. This is not signed, since some that stand between change it.
    return { ...headers, "accept-encoding": "identity" };
  }
}

/** What an error says; one that does not end is not read to its end. */
async function readStart(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunksOf(response)) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > LONGEST_ERROR) break;
  }
  return Buffer.concat(chunks).toString("utf8");
}

/**
 * The answer's body, as it comes; it is given up where nobody wants more of it.
 *
 * @throws {Unanswered} where it breaks off
 */
export async function* chunksOf(response: Response): AsyncGenerator<Uint8Array, void> {
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const read = await reader?.read();
      if (read === undefined || read.done) return;
      yield read.value;
    }
  } catch (error) {
    throw error instanceof Unanswered ? error : unanswered(error);
  } finally {
    // It may have broken already, which was told.
    await reader?.cancel().catch(() => undefined);
  }
}

/** The text of an element of XML that has no others in it; null: there is none. */
function element(xml: string, name: string): string | null {
  const [, text] = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml) ?? [];
  return text?.replaceAll(/&(amp|lt|gt|quot|apos|#39|#34);/g, (_, entity: string) => ENTITIES[entity] ?? "") ?? null;
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  "#39": "'",
  "#34": '"',
};
