import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { SQSClient, SQSClientConfig } from "@aws-sdk/client-sqs";
import { configurationError, messageOf } from "../../errors.ts";
import type { Runtime } from "../../runtime/port.ts";
import { endpointFor, type QueueAddress } from "./address.ts";
import { FetchHandler, type Fetch } from "./http.ts";
import type { Sdk } from "./requests.ts";

export interface ClientSettings {
  /** Instead of the region in the queue's URL, which is rarely wrong. */
  readonly region?: string;
  /** Instead of `AWS_ENDPOINT_URL_SQS`, `AWS_ENDPOINT_URL` and the queue URL's own host. */
  readonly endpoint?: string;
  /** Where `AWS_…` is read; the SDK's chain of credentials reads the process's own. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface ClientPorts {
  readonly runtime: Pick<Runtime, "fetchTrusting">;
  /** Told what the SDK warns of. */
  readonly warn: (message: string) => void;
}

/**
 * A client for one queue, with the SDK's whole chain of credentials (environment, profile, SSO, `credential_process`,
 * web identity, container, IMDS).
 *
 * @throws {ReeveError} where a setting cannot be right
 */
export async function createClient(
  sdk: Sdk,
  address: QueueAddress,
  settings: ClientSettings,
  { fetch, warn }: { readonly fetch: Fetch; readonly warn: ClientPorts["warn"] },
): Promise<SQSClient> {
  const endpoint = endpointFor(address, settings.endpoint ?? null, settings.environment);
  const requestHandler = new FetchHandler(fetch);
  const region = settings.region ?? address.region ?? (await configuredRegion(sdk, address, settings.environment));
  const config: SQSClientConfig & { readonly ignoreCache: boolean } = {
    region,
    requestHandler: { handle: requestHandler.handle.bind(requestHandler), destroy: requestHandler.destroy },
    ...(endpoint !== null && { endpoint }),
    // Without it the queue URL's host would win over an endpoint from the profile.
    useQueueUrlAsEndpoint: false,
    // For the chain of credentials: when it is asked again it is to read ~/.aws again.
    ignoreCache: true,
    // Whoever asks knows how long it may take: one try each.
    maxAttempts: 1,
    // One message with a wrong or missing checksum would strand the nine that came with it; TLS guards the bytes.
    md5: false,
    logger: { trace() {}, debug() {}, info() {}, error() {}, warn: (...words) => warn(words.join(" ")) },
  };
  return new sdk.SQSClient(config);
}

/** By the SDK's order where the URL has no region. Look-alikes ask for none, but a signature needs one. */
async function configuredRegion(
  sdk: Sdk,
  address: QueueAddress,
  environment: ClientSettings["environment"],
): Promise<string> {
  const fromEnvironment = environment["AWS_REGION"] || environment["AWS_DEFAULT_REGION"];
  if (fromEnvironment) return fromEnvironment;
  try {
    return await new sdk.SQSClient({}).config.region();
  } catch (error) {
    if (!new URL(address.url).hostname.endsWith(".amazonaws.com")) return "us-east-1";
    throw configurationError(`${address.url}: no region (${messageOf(error)})`, "set AWS_REGION");
  }
}

/**
 * What asks servers, and trusts those that AWS_CA_BUNDLE names.
 *
 * @throws {ReeveError} where that is no file of certificates
 */
export function fetchFor(environment: ClientSettings["environment"], { runtime }: ClientPorts): Fetch {
  const path = environment["AWS_CA_BUNDLE"];
  if (path === undefined || path === "") return (url, init) => fetch(url, init);
  try {
    const certificates = readFileSync(path, "utf8");
    void new X509Certificate(certificates);
    return runtime.fetchTrusting(certificates);
  } catch (error) {
    throw configurationError(`AWS_CA_BUNDLE=${path}: ${messageOf(error)}`, "a file of certificates in PEM");
  }
}
