import { ReeveError } from "../errors.ts";
import type { HttpHandler, Peer } from "../runtime/port.ts";
import { baseOf, refuseForeignOrigin } from "./addresses.ts";
import { madeSafe, refused, withoutBody } from "./answers.ts";
import { Authentication } from "./authentication.ts";
import { Health } from "./health.ts";
import type { Exchange, ServicePorts, Views } from "./ports.ts";
import { busy, malformed, Refusal, refusalOf } from "./refusal.ts";
import { LivePages } from "./live-pages.ts";
import { History } from "./history.ts";
import { mannerOf } from "./negotiation.ts";
import { isOpen, route } from "./routing.ts";
import { refusedPage } from "./showing.ts";
import { Sparing } from "./sparing.ts";
import { rootOf } from "./view.ts";
import { Waiters } from "./waiters.ts";

/** The definitions of a configuration as services of UWS 1.1. */
export class Service {
  readonly #ports: ServicePorts;
  readonly #waiters: Waiters;
  readonly #authentication: Authentication;
  readonly #views: Views;
  readonly #health: Health;

  constructor(ports: ServicePorts) {
    this.#ports = ports;
    const { store, clock, limits, access, onFault } = ports;
    this.#authentication = new Authentication(access, clock);
    this.#waiters = new Waiters({ store, clock, most: limits.waiters, onFault });
    this.#health = new Health(ports);
    this.#views = {
      live: new LivePages({ store, clock, most: limits.livePages, onFault }),
      history: new History(store.overview, clock),
      activity: new Sparing(clock),
    };
  }

  /** Answers whatever comes; nothing is thrown. */
  readonly handle: HttpHandler = async (request, peer) => {
    const response = await this.#answer(request, peer).catch((error: unknown) => this.#refuse(error, request, peer));
    return madeSafe(request.method === "HEAD" ? await withoutBody(response) : response);
  };

  /** Requests that wait are answered now. */
  end(): void {
    this.#waiters.end();
    this.#views.live.end();
  }

  async #answer(request: Request, peer: Peer): Promise<Response> {
    this.#mustBeInPlace();
    const base = baseOf(request, peer, this.#ports);
    if (!["GET", "HEAD"].includes(request.method)) refuseForeignOrigin(request, base);
    if (!URL.canParse(request.url)) throw malformed("The request's address is none.");
    const { pathname, searchParams: query } = new URL(request.url);
    const caller = await this.#authentication.callerOf(request, peer, isOpen(pathname));
    const exchange: Exchange = {
      ...this.#ports,
      request,
      query,
      base,
      caller,
      waiters: this.#waiters,
      views: this.#views,
      health: this.#health,
    };
    return route(exchange, pathname);
  }

  #mustBeInPlace(): void {
    try {
      this.#ports.store.mustBeInPlace();
    } catch (error) {
      this.#ports.onGone(error);
      throw error;
    }
  }

  #refuse(error: unknown, request: Request, peer: Peer): Response {
    const refusal = this.#refusalOf(error);
    return mannerOf(request) === "page" ? refusedPage(refusal, this.#root(request, peer)) : refused(refusal);
  }

  /** Where the request itself says nothing that could be heeded, it is the server's own. */
  #root(request: Request, peer: Peer): string {
    try {
      return rootOf(baseOf(request, peer, this.#ports));
    } catch (error) {
      if (error instanceof Refusal) return "";
      throw error;
    }
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
