import { assetCalled } from "../page/assets.ts";
import { documentOf, refusalPage } from "../page/layout.ts";
import { viewIndex } from "./index-view.ts";
import { viewJob, viewJobAgain } from "./job-view.ts";
import { viewList } from "./list-view.ts";
import { mannerOf } from "./negotiation.ts";
import type { Shown } from "./live-pages.ts";
import type { Exchange, ListedJob } from "./ports.ts";
import { busy, notFound, RETRY_SECONDS, tooMany, type Refusal } from "./refusal.ts";
import type { View } from "./view.ts";

const PAGE_HEADERS = {
  "Content-Type": "text/html; charset=utf-8",
  // Only what comes with the program is run or shown, and no page elsewhere has this one in it.
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  // Without one, browsers say of no form where it comes from, and it would be refused.
  "Referrer-Policy": "same-origin",
  Vary: "Accept",
};

function pageAnswer(text: string, status: number, headers: Readonly<Record<string, string>> = {}): Response {
  const length = String(Buffer.byteLength(text));
  return new Response(text, { status, headers: { ...PAGE_HEADERS, "Content-Length": length, ...headers } });
}

type Answer = Response | Promise<Response>;

/** A resource that is a document for programs and a page for people, as they ask for it. */
const shown =
  <Target extends readonly unknown[]>(
    view: (exchange: Exchange, ...target: Target) => View,
    again: (exchange: Exchange, ...target: Target) => View | null,
  ) =>
  (document: (exchange: Exchange, ...target: Target) => Answer) =>
  async (exchange: Exchange, ...target: Target): Promise<Response> => {
    const manner = mannerOf(exchange.request);
    if (manner === "events")
      return eventsAnswer(exchange, () => exchange.store.atOnce(() => again(exchange, ...target)));
    if (manner === "page") {
      const { page, status } = exchange.store.atOnce(() => view(exchange, ...target));
      return pageAnswer(documentOf(page), status);
    }
    const response = await document(exchange, ...target);
    response.headers.set("Vary", "Accept");
    return response;
  };

export const shownIndex = shown(viewIndex, viewIndex);
export const shownList = shown(viewList, viewList);
export const shownJob = shown<[ListedJob]>(viewJob, viewJobAgain);

function eventsAnswer({ views, base, request, caller, limits }: Exchange, look: () => View | null): Response {
  if (views.live.isFull) throw busy("Too many pages are being looked at.");
  const { owner } = caller;
  if (owner !== null && views.live.countOf(owner) >= limits.waitersPerOwner) {
    throw tooMany("You look at too many pages.", RETRY_SECONDS);
  }
  // Who may see something else does not get the same.
  const key = JSON.stringify([base, request.url, caller]);
  const lookAtParts = (): Shown | null => {
    const view = look();
    return view && { parts: view.live.map(({ html }) => html), moves: view.moves };
  };
  const headers = { "Content-Type": "text/event-stream", "X-Accel-Buffering": "no", Vary: "Accept" };
  return new Response(views.live.open(key, lookAtParts, request.signal, owner), { headers });
}

/** Why something is not answered as asked, for those who look at pages. */
export const refusedPage = ({ status, message, headers }: Refusal, root: string): Response =>
  pageAnswer(refusalPage(root, status, message), status, headers);

/** A file that pages name: under its tag it never changes. */
export function answerAsset({ request }: Exchange, name: string): Response {
  const asset = assetCalled(name);
  if (!asset) throw notFound();
  const isTagged = new URL(request.url).search === `?${asset.tag}`;
  const headers = {
    "Content-Type": asset.type,
    "Content-Length": String(Buffer.byteLength(asset.text)),
    "Cache-Control": isTagged ? "private, max-age=31536000, immutable" : "private, no-cache",
    ETag: `"${asset.tag}"`,
  };
  if (request.headers.get("if-none-match") === headers.ETag) return new Response(null, { status: 304, headers });
  return new Response(asset.text, { headers });
}
