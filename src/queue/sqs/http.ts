import { codeOf, messageOf } from "../../errors.ts";
import { Unanswered } from "./failures.ts";

/** What the SDK hands over; its own type has no type for the body. */
interface HttpRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

interface HttpResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

/** `fetch`, as much of it as is used here. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * Sends the SDK's requests with `fetch`: the SDK's own handler for Node honours no HTTPS_PROXY
 * (https://github.com/aws/aws-sdk-js-v3/issues/4126), and its handler for browsers can be given no certificates. The
 * whole answer is read here, so that a time limit holds for its body as well.
 */
export class FetchHandler {
  readonly #fetch: Fetch;

  constructor(fetch: Fetch) {
    this.#fetch = fetch;
  }

  async handle(
    request: HttpRequest,
    { abortSignal }: { readonly abortSignal?: AbortSignal } = {},
  ): Promise<{ response: HttpResponse }> {
    const init: RequestInit = {
      method: request.method,
      headers: request.headers,
      // A redirected POST would come as a GET, with a signature for another host.
      redirect: "manual",
      ...(request.body !== undefined && { body: request.body }),
      ...(abortSignal && { signal: abortSignal }),
    };
    try {
      const response = await this.#fetch(urlOf(request), init);
      const body = new Uint8Array(await response.arrayBuffer());
      return { response: { statusCode: response.status, headers: Object.fromEntries(response.headers), body } };
    } catch (error) {
      throw unanswered(error);
    }
  }

  /** The connections are the runtime's: there is nothing to close. */
  destroy(): void {}
}

/** Bun has the system's name for it in `code` and advice for debuggers in the text, Deno has all in the cause's text. */
export function unanswered(error: unknown): Unanswered {
  const code = codeOf(error);
  const text = messageOf(error instanceof Error && error.cause instanceof Error ? error.cause : error);
  const shown = text.replace(/ For more information, pass `verbose: true`.*$/, "").replace(`${code}: `, "");
  return new Unanswered(code ?? "ConnectionFailed", shown, { cause: error });
}

function urlOf({ protocol, hostname, port, path, query = {} }: HttpRequest): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value].flat().map((one) => (one === null ? encode(name) : `${encode(name)}=${encode(one)}`)),
  );
  const search = pairs.length > 0 ? `?${pairs.join("&")}` : "";
  return `${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}${search}`;
}

/** As RFC 3986 has it, and as signatures are made. */
const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
