import { ASSETS } from "../page/assets.ts";
import { addressOf } from "../uws/job-xml.ts";
import { PLAIN_LIST } from "./index-page.ts";
import { isFor } from "./owners.ts";
import type { Exchange, List, ListedJob } from "./ports.ts";
import { notFound, Refusal } from "./refusal.ts";
import {
  ASSET,
  INDEX,
  JOB,
  LIST,
  OF_JOB,
  OF_LIST,
  OF_SERVICE,
  WITHIN_JOB,
  type Method,
  type Resource,
} from "./resources.ts";

/**
 * Answers a request by the resource that its path names.
 *
 * @throws Refusal where there is none, or it does not take the method
 */
export async function route(exchange: Exchange, path: string): Promise<Response> {
  const [listName, name, part, ...rest] = segmentsOf(path);
  if (listName === undefined) return perform(INDEX, exchange);
  if (listName === ASSETS && name !== undefined && part === undefined) return perform(ASSET, exchange, name);
  const ofService = own(OF_SERVICE, listName);
  if (ofService && name === undefined) return perform(ofService, exchange);
  const list = listCalled(exchange, listName);
  if (name === undefined) return perform(LIST, exchange, list);
  const ofList = own(OF_LIST, name);
  if (ofList && part === undefined) return perform(ofList, exchange, list);
  if (part === undefined) return perform(JOB, exchange, jobCalled(exchange, list, name));
  if (rest.length === 0) return perform(own(OF_JOB, part) ?? absent(), exchange, jobCalled(exchange, list, name));
  const within = own(WITHIN_JOB, part) ?? absent();
  return perform(within, exchange, jobCalled(exchange, list, name), rest.join("/"));
}

/** Whether strangers may ask for it: what it tells them is for everybody. */
export const isOpen = (path: string): boolean => /^\/health\/?$/.test(path);

/** A path means the same with a slash at its end. */
function segmentsOf(path: string): string[] {
  const segments = path.replace(/^\//, "").replace(/\/$/, "").split("/");
  try {
    return path === "/" ? [] : segments.map(decodeURIComponent);
  } catch {
    // What is no UTF-8 names nothing.
    throw notFound();
  }
}

function absent(): never {
  throw notFound();
}

const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

function listCalled({ definitions, base }: Exchange, name: string): List {
  const definition = definitions.get(name) ?? null;
  if (definition === null && name !== PLAIN_LIST) throw notFound();
  return { name, definition, url: addressOf(base, name) };
}

/** Only the caller's job of the list that is named: the id alone must not tell that there is one elsewhere. */
function jobCalled({ store, caller }: Exchange, list: List, id: string): ListedJob {
  const job = store.jobs.byId(id);
  if (!job || !isFor(caller, job) || (job.definition || null) !== (list.definition?.name ?? null)) throw notFound();
  return { list, job, url: addressOf(list.url, id) };
}

async function perform<Target extends readonly unknown[]>(
  resource: Resource<Target>,
  exchange: Exchange,
  ...target: Target
): Promise<Response> {
  const action = resource[methodOf(exchange.request) ?? refuseMethod(resource)] ?? refuseMethod(resource);
  return action(exchange, ...target);
}

function methodOf({ method }: Request): Method | undefined {
  if (method === "GET" || method === "HEAD") return "GET";
  return method === "POST" || method === "DELETE" ? method : undefined;
}

function refuseMethod(resource: object): never {
  const allowed = Object.keys(resource).flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
  throw new Refusal(405, "This resource does not take that method.", { Allow: allowed.join(", ") });
}
