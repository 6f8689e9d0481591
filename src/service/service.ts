import { ReeveError } from "../errors.ts";
import type { HttpHandler, Peer } from "../runtime/port.ts";
import { baseOf, refuseForeignOrigin } from "./addresses.ts";
import { madeSafe, refused, withoutBody } from "./answers.ts";
import { Authentication } from "./authentication.ts";
import type { Exchange, ServicePorts } from "./ports.ts";
import { busy, malformed, Refusal, refusalOf } from "./refusal.ts";
import { route } from "./routing.ts";
import { Waiters } from "./waiters.ts";

/** The definitions of a configuration as services of UWS 1.1. */
export class Service {
  readonly #ports: ServicePorts;
  readonly #waiters: Waiters;
  readonly #authentication: Authentication;

  constructor(ports: ServicePorts) {
    this.#ports = ports;
    const { store, clock, limits, access, onFault } = ports;
    this.#authentication = new Authentication(access, clock);
    this.#waiters = new Waiters({ store, clock, most: limits.waiters, onFault });
  }

  /** Answers whatever comes; nothing is thrown. */
  readonly handle: HttpHandler = async (request, peer) => {
    const response = await this.#answer(request, peer).catch((error: unknown) => refused(this.#refusalOf(error)));
    return madeSafe(request.method === "HEAD" ? await withoutBody(response) : response);
  };

  /** Requests that wait are answered now. */
  end(): void {
    this.#waiters.end();
  }

  async #answer(request: Request, peer: Peer): Promise<Response> {
    this.#ports.store.mustBeInPlace();
    const base = baseOf(request, peer, this.#ports.hosts);
    if (!["GET", "HEAD"].includes(request.method)) refuseForeignOrigin(request, base);
    if (!URL.canParse(request.url)) throw malformed("The request's address is none.");
    const { pathname, searchParams: query } = new URL(request.url);
    const caller = await this.#authentication.callerOf(request, peer);
    const exchange: Exchange = { ...this.#ports, request, query, base, caller, waiters: this.#waiters };
    return route(exchange, pathname);
  }

  #refusalOf(error: unknown): Refusal {
    if (error instanceof Refusal) return error;
    const known = error instanceof ReeveError ? refusalOf(error) : undefined;
    if (known) return known;
    const trouble = this.#ports.store.database.trouble(error);
    if (trouble === "busy" || trouble === "full") return busy("The store cannot be written now.");
    this.#ports.onFault(error);
    return new Refusal(500, "Something went wrong here; the service's log says what.");
  }
}
