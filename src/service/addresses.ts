import { BlockList, isIPv6 } from "node:net";
import type { Network } from "../config/networks.ts";
import type { Peer } from "../runtime/port.ts";
import type { ServicePorts } from "./ports.ts";
import { forbidden, malformed, Refusal } from "./refusal.ts";

const HOST = /^(?<name>[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;
const PREFIX = /^(?:\/[\w.~%-]+)*\/?$/;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i;

/** Whether a Host can be called so, with any port. */
export const isHostName = (text: string): boolean => HOST.exec(text)?.groups?.["name"] === text;

/** Whether it is this machine by a name or an address that no other has. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

/**
 * Whether it is the address of somebody who is taken at their word on how clients know the service: a program of this
 * machine, or one of these.
 */
export function proxiesOf(networks: readonly Network[]): (address: string) => boolean {
  const list = new BlockList();
  for (const { address, prefix, family } of networks) list.addSubnet(address, prefix, family);
  return (address) => isOwnAddress(address) || list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}

/**
 * The absolute address of the service, without a slash at its end, as the client knows it: behind a proxy, as that says
 * in X-Forwarded-Proto, -Host and -Prefix.
 *
 * @param hosts by which the service is known beside those of the loopback
 * @throws Refusal for a Host that is not ours: a page from elsewhere may have given its own name our address
 */
export function baseOf(
  { headers }: Request,
  { address }: Peer,
  { hosts, isProxy }: Pick<ServicePorts, "hosts" | "isProxy">,
): string {
  const host = headers.get("host") ?? "";
  const name = HOST.exec(host)?.groups?.["name"]?.toLowerCase();
  if (name === undefined) throw malformed("The request has no Host that could be one.");
  if (!isLoopback(name) && !hosts.has(name)) {
    throw new Refusal(421, "This service is not known by that Host; `reeve serve --allow-host NAME` makes it so.");
  }
  const said = address === null || isProxy(address) ? headers : new Headers();
  const proto = first(said, "x-forwarded-proto").toLowerCase() === "https" ? "https" : "http";
  const prefix = first(said, "x-forwarded-prefix");
  return `${proto}://${forwardedHost(said) ?? host}${PREFIX.test(prefix) ? prefix.replace(/\/$/, "") : ""}`;
}

const isOwnAddress = (address: string): boolean => /^(?:::ffff:)?127\.|^::1$/.test(address);

function forwardedHost(headers: Headers): string | null {
  const host = first(headers, "x-forwarded-host");
  return HOST.test(host) ? host : null;
}

/** Each proxy adds to the list; the first entry is what the client's own said. */
const first = (headers: Headers, name: string): string => headers.get(name)?.split(",")[0]?.trim() ?? "";

/**
 * Any page can have a browser post here.
 *
 * @throws Refusal for a change that a page from elsewhere asks for
 */
export function refuseForeignOrigin({ headers }: Request, base: string): void {
  const origin = headers.get("origin");
  if (origin === null || (URL.canParse(origin) && new URL(origin).host === new URL(base).host)) return;
  throw forbidden("A page from elsewhere asked for this change.");
}
