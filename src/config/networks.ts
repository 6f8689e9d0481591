import { isIP } from "node:net";

/** The addresses that begin with the same bits. */
export interface Network {
  readonly address: string;
  readonly family: "ipv4" | "ipv6";
  /** How many bits. */
  readonly prefix: number;
}

const FORM = /^(?<address>[0-9a-f.:]+)(?:\/(?<prefix>\d{1,3}))?$/i;

/**
 * Reads an address, which is a network of its own, or a network: `10.1.2.3`, `10.0.0.0/8`, `fd00::/8`.
 *
 * @throws Error with a sentence, if it is none
 */
export function readNetwork(given: unknown): Network {
  const { address = "", prefix } = (typeof given === "string" && FORM.exec(given)?.groups) || {};
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  const length = prefix === undefined ? bits : Number(prefix);
  if (bits >= 0 && length <= bits) return { address, family: bits === 32 ? "ipv4" : "ipv6", prefix: length };
  throw new Error('must be an address or a network, such as "10.1.2.3" or "10.0.0.0/8"');
}
