import { lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { resolve } from "node:path";
import { shown } from "../../config/wording.ts";
import { codeOf, messageOf, unavailable, usageError } from "../../errors.ts";
import type { HttpHandler, HttpServer, ListenAddress, Runtime } from "../../runtime/port.ts";
import { isHostName, isLoopback } from "../../service/addresses.ts";

const HOST_AND_PORT = /^(?<host>\[[0-9a-f:.]+\]|[^:[\]]+):(?<port>\d{1,5})$/i;
const HIGHEST_PORT = 65_535;

/**
 * @param hasUsers whoever asks has to say who they are
 * @throws ReeveError (usage) for what is no address, and for one that strangers could reach
 */
export function readAddress(text: string, cwd: string, hasUsers = false): ListenAddress {
  if (/^unix:./.test(text)) return { kind: "unix", path: resolve(cwd, text.slice("unix:".length)) };
  const { host = "", port: digits = "" } = HOST_AND_PORT.exec(text)?.groups ?? {};
  const port = Number(digits);
  if (digits === "" || port > HIGHEST_PORT) {
    throw usageError(`--listen ${shown(text)} is no address`, "write it as 127.0.0.1:8080 or unix:/run/reeve.sock");
  }
  if (isLoopback(host) || hasUsers) return { kind: "tcp", host: host.replaceAll(/[[\]]/g, ""), port };
  throw usageError(
    `--listen ${shown(text)} could be reached from elsewhere, by clients that nobody has asked who they are`,
    "name its users in reeve.toml, or listen on 127.0.0.1 or unix:PATH, behind a proxy that lets in whom it knows",
  );
}

/** @throws ReeveError (usage) for a name that no Host would ever be the same as. */
export function readNames(texts: readonly string[]): string[] {
  const wrong = texts.find((text) => !isHostName(text));
  if (wrong === undefined) return [...texts];
  throw usageError(
    `--allow-host ${shown(wrong)} is no name of a host`,
    "write it as data.example.org, without scheme, port and path: it is known by every port",
  );
}

/** By what Host clients know who listens there: none where that is every address of the machine. */
export function namesOf(address: ListenAddress): string[] {
  if (address.kind === "unix" || ["0.0.0.0", "::"].includes(address.host)) return [];
  return [address.host.includes(":") ? `[${address.host}]` : address.host];
}

/** @throws ReeveError (unavailable) when the address cannot be had. */
export async function listen(runtime: Runtime, address: ListenAddress, handler: HttpHandler): Promise<HttpServer> {
  if (address.kind === "unix") await clearSocket(address.path);
  try {
    return runtime.serve(address, handler);
  } catch (error) {
    const why = codeOf(error) === "EADDRINUSE" ? "another program listens there" : messageOf(error);
    throw unavailable(
      `${describeAddress(address, null)} cannot be listened on: ${why}`,
      "choose another --listen",
      error,
    );
  }
}

/** `port`: what was chosen in the place of 0. */
export function describeAddress(address: ListenAddress, port: number | null): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `http://${host}:${port ?? address.port}/`;
}

/** A server that was killed leaves its socket's file behind, which keeps the next one from listening. */
async function clearSocket(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isSocket()) throw usageError(`${path} is there already, and is no socket`, "choose another --listen");
  if (await isAnswered(path)) throw unavailable(`another program listens on ${path}`, "choose another --listen");
  rmSync(path, { force: true });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolveTo) => {
    const socket = connect(path);
    const end = (answered: boolean): void => {
      socket.destroy();
      resolveTo(answered);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
