import type { Pointer } from "./pointer.ts";

/** How S3 is reached. */
export interface S3Place {
  /** Instead of Amazon's own; null: none is set. */
  readonly endpoint: string | null;
  readonly region: string;
  readonly isFips: boolean;
  readonly isDualStack: boolean;
}

/** Domains of those partitions of AWS that have others than most. */
const DOMAINS: readonly (readonly [RegExp, string])[] = [
  [/^cn-/, "amazonaws.com.cn"],
  [/^us-iso-/, "c2s.ic.gov"],
  [/^us-isob-/, "sc2s.sgov.gov"],
  [/^eusc-/, "amazonaws.eu"],
];

/** What can be a part of a host's name; a certificate for `*.s3.…` vouches for no name with a dot in it. */
const HOST_LABEL = /^[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]$/;

const AWS_HOST = /\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|api\.aws)$/;

/**
 * An object's URL: with the bucket as a part of the host where the host is Amazon's, else of the path, which all
 * look-alikes understand, and which needs no names of their own for them.
 */
export function objectUrl({ bucket, key }: Pick<Pointer, "bucket" | "key">, place: S3Place): URL {
  const base = new URL(place.endpoint ?? `https://${amazonsHost(place)}`);
  const inHost = HOST_LABEL.test(bucket) && AWS_HOST.test(base.hostname);
  const host = inHost ? `${bucket}.${base.host}` : base.host;
  const path = inHost ? "" : `/${encode(bucket)}`;
  return new URL(`${base.protocol}//${host}${base.pathname.replace(/\/+$/, "")}${path}/${encode(key)}`);
}

function amazonsHost({ region, isFips, isDualStack }: S3Place): string {
  const domain = DOMAINS.find(([regions]) => regions.test(region))?.[1] ?? "amazonaws.com";
  return `s3${isFips ? "-fips" : ""}${isDualStack ? ".dualstack" : ""}.${region}.${domain}`;
}

/** Each byte as signatures have it; slashes stay (a "+" would be read as a space). */
const encode = (text: string): string =>
  encodeURIComponent(text)
    .replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%2F", "/");
