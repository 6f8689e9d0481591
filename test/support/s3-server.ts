import { createHash, createHmac } from "node:crypto";
import { FaultProxy, type Fate, type HttpAnswer, type Seen } from "./fault-proxy.ts";

const OWNER = { id: "test", secret: "test" };
const LATEST_MS = 15 * 60_000;

/**
 * A server on loopback that answers as S3 does, with the bucket in the path: it has objects to get and to delete, and
 * believes nobody whose signature it does not come to as well
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
 */
export class S3Server implements AsyncDisposable {
  readonly proxy: FaultProxy;
  /** By bucket and key: `bucket/key`. */
  readonly objects = new Map<string, Uint8Array<ArrayBuffer>>();
  /** Where buckets are that are not in us-east-1. */
  readonly regions = new Map<string, string>();
  /** What befalls the next requests, in order; then all is well. It is given what the server would answer. */
  readonly fates: ((answer: HttpAnswer) => Fate)[] = [];
  /** How far its clock is ahead of ours. */
  skewMs = 0;

  private constructor(proxy: FaultProxy) {
    this.proxy = proxy;
    proxy.decide = (request) => {
      const answer = this.#answer(request);
      return this.fates.shift()?.(answer) ?? answer;
    };
  }

  static async start(): Promise<S3Server> {
    return new S3Server(await FaultProxy.start());
  }

  get origin(): string {
    return this.proxy.origin;
  }

  /** What was asked for: the method and the key, as it is in the path. */
  get asked(): string[] {
    return this.proxy.seen.map(({ method, path }) => `${method} ${path}`);
  }

  put(name: string, body: string | Uint8Array<ArrayBuffer>): void {
    this.objects.set(name, Buffer.from(body));
  }

  #answer(request: Seen): HttpAnswer {
    // S3 reads a plus as a space.
    const name = decodeURIComponent(request.path.slice(1).replaceAll("+", " "));
    const bucket = name.slice(0, name.indexOf("/"));
    const region = this.regions.get(bucket) ?? "us-east-1";
    const { refusal, signedRegion } = this.#check(request, `/${name}`);
    if (signedRegion !== region && refusal === null) return elsewhere(region);
    if (refusal !== null) return refusal;
    if (bucket === "nowhere") return s3Error(404, "NoSuchBucket", "The specified bucket does not exist");
    const body = this.objects.get(name);
    if (request.method === "DELETE") return (void this.objects.delete(name), { status: 204, body: "" });
    return body ? { status: 200, body } : s3Error(404, "NoSuchKey", "The specified key does not exist.");
  }

  #check(request: Seen, path: string): { refusal: HttpAnswer | null; signedRegion: string } {
    const { headers } = request;
    const [, id = "", day = "", signedRegion = "", names = "", signature = ""] =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)$/.exec(
        headers.get("authorization") ?? "",
      ) ?? [];
    const refused = (code: string, text: string) => ({ refusal: s3Error(403, code, text), signedRegion });
    if (id !== OWNER.id) return refused("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist.");
    const time = headers.get("x-amz-date") ?? "";
    if (Math.abs(parseTime(time) - Date.now() - this.skewMs) > LATEST_MS)
      return refused(
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
      );
    const isWhole = ["host", "x-amz-content-sha256", "x-amz-date"].every((name) => names.split(";").includes(name));
    const own = sign(canonical(request, path, names), time, [day, signedRegion, "s3", "aws4_request"]);
    if (isWhole && own === signature) return { refusal: null, signedRegion };
    return refused("SignatureDoesNotMatch", "The request signature we calculated does not match.");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
  }
}

const parseTime = (text: string): number =>
  Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));

function canonical({ method, headers }: Seen, path: string, names: string): string {
  const lines = names.split(";").map((name) => `${name}:${(headers.get(name) ?? "").trim().replaceAll(/ +/g, " ")}\n`);
  return [method, encode(path), "", lines.join(""), names, headers.get("x-amz-content-sha256") ?? ""].join("\n");
}

/** Each byte by itself, as Amazon's page has it. */
function encode(path: string): string {
  return [...Buffer.from(path)].map(encodeByte).join("");
}

function encodeByte(byte: number): string {
  const char = String.fromCharCode(byte);
  return /[A-Za-z0-9._~/-]/.test(char) ? char : `%${byte.toString(16).padStart(2, "0").toUpperCase()}`;
}

function sign(request: string, time: string, scope: readonly string[]): string {
  const hash = createHash("sha256").update(request).digest("hex");
  const key = scope.reduce<Buffer>((secret, part) => hmac(secret, part), Buffer.from(`AWS4${OWNER.secret}`));
  return hmac(key, ["AWS4-HMAC-SHA256", time, scope.join("/"), hash].join("\n")).toString("hex");
}

const hmac = (key: Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();

export function s3Error(status: number, code: string, text: string, headers: HttpAnswer["headers"] = {}): HttpAnswer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${text}</Message></Error>`;
  return { status, headers: { "content-type": "application/xml", "x-amz-request-id": "request-1", ...headers }, body };
}

const elsewhere = (region: string): HttpAnswer =>
  s3Error(301, "PermanentRedirect", "The bucket you are attempting to access must be addressed elsewhere.", {
    "x-amz-bucket-region": region,
  });
