import { configurationError } from "../../errors.ts";

/** What a queue's URL says. */
export interface QueueAddress {
  /** As it was given: SQS knows the queue by it. */
  readonly url: string;
  readonly name: string;
  /** Null where the URL has none, as with most look-alike servers. */
  readonly region: string | null;
  /**
   * Where requests go. Null: to the region's own endpoint, which the SDK knows, with its settings for FIPS and
   * dual-stack and the profile's `endpoint_url`.
   */
  readonly endpoint: string | null;
  /** Only the name tells: a message of a standard queue may have a MessageGroupId too (fair queues). */
  readonly isFifo: boolean;
}

const REGION = "[a-z]{2,4}(?:-[a-z]+)+-\\d+";

/** `sqs.eu-west-1.amazonaws.com`, with `.cn` in China. */
const USUAL_HOST = new RegExp(`^sqs\\.(${REGION})\\.amazonaws\\.com(?:\\.cn)?$`);

/**
 * The others of AWS (`eu-west-1.queue.amazonaws.com`, `sqs-fips.…`, `sqs.eu-west-1.api.aws`, a VPC endpoint's) and those
 * of look-alikes that follow them (`sqs.eu-west-1.localhost.localstack.cloud:4566`).
 */
const REGION_IN_HOST = new RegExp(`(?:^|\\.)(${REGION})\\.`);

/** LocalStack with `SQS_ENDPOINT_STRATEGY=path`: `/queue/eu-west-1/000000000000/jobs`. */
const REGION_IN_PATH = new RegExp(`^/queue/(${REGION})/`);

const HINT = "it looks like https://sqs.eu-west-1.amazonaws.com/123456789012/jobs; `aws sqs get-queue-url` tells it";

/** @throws {ReeveError} where the text is no queue's URL */
export function parseQueueUrl(text: string): QueueAddress {
  const url = parse(text);
  const name = url.pathname.split("/").findLast((segment) => segment !== "");
  if (name === undefined) throw configurationError(`${text}: a queue's URL ends in its name`, HINT);
  const usual = USUAL_HOST.exec(url.host);
  return {
    url: text,
    name,
    region: usual?.[1] ?? regionOf(url),
    endpoint: usual ? null : url.origin,
    isFifo: name.endsWith(".fifo"),
  };
}

function parse(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw configurationError(`${JSON.stringify(text)} is no queue's URL`, HINT);
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    const where = `${url.protocol}//${url.host}${url.pathname}`;
    throw configurationError(`the queue's URL ${where} has a user, a query or a fragment`, HINT);
  }
  return url;
}

function regionOf({ hostname, pathname }: URL): string | null {
  // The first host of SQS, which has no region in it and still is us-east-1's.
  if (hostname === "queue.amazonaws.com") return "us-east-1";
  return (REGION_IN_HOST.exec(hostname) ?? REGION_IN_PATH.exec(pathname))?.[1] ?? null;
}

/** Whether it is a queue of Amazon's own, and not of a server that speaks as SQS does. */
export const isAmazons = ({ url }: Pick<QueueAddress, "url">): boolean =>
  /\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$/.test(new URL(url).hostname);

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where requests go: the option, else `AWS_ENDPOINT_URL_SQS` or `AWS_ENDPOINT_URL` (in the SDK's order), else the queue
 * URL's own host. Null: where the SDK thinks best.
 *
 * @throws {ReeveError} where a setting is no address
 */
export function endpointFor(address: QueueAddress, option: string | null, environment: Environment): string | null {
  const endpoint = option === null ? configuredEndpoint("SQS", environment) : checkEndpoint(option, "the endpoint");
  return endpoint ?? address.endpoint;
}

/** @throws {ReeveError} where the value is no address */
function checkEndpoint(value: string, source: string): string {
  if (!/^https?:$/.test(URL.parse(value)?.protocol ?? "")) {
    throw configurationError(`${source} is ${JSON.stringify(value)}`, "an address like http://localhost:4566");
  }
  return value;
}

/**
 * What the environment says instead of a service's own address; null: nothing
 * (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
 *
 * @throws {ReeveError} where a setting is no address
 */
export function configuredEndpoint(service: "SQS" | "S3", environment: Environment): string | null {
  if (environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"]?.toLowerCase() === "true") return null;
  const name = [`AWS_ENDPOINT_URL_${service}`, "AWS_ENDPOINT_URL"].find((one) => environment[one]);
  return name === undefined ? null : checkEndpoint(environment[name] ?? "", name);
}

/** The parts of `arn:aws:sqs:eu-west-1:123456789012:jobs-dead` that are needed to find that queue; null: it is none. */
export function parseQueueArn(arn: string): { readonly account: string; readonly name: string } | null {
  const [prefix, , service, , account = "", name = "", ...rest] = arn.split(":");
  const isOne = prefix === "arn" && service === "sqs" && rest.length === 0;
  return isOne && /^\d+$/.test(account) && /^[A-Za-z0-9_-]{1,75}(?:\.fifo)?$/.test(name) ? { account, name } : null;
}
