import { assetPath } from "./assets.ts";
import { html, type Html, type Part } from "./html.ts";

/** One step of the way to a page. */
export interface Crumb {
  readonly title: string;
  /** Null: it is the page itself. */
  readonly path: string | null;
}

/** A page, as far as its frame needs it. */
export interface Page {
  /** The path of the service, without a slash at its end. */
  readonly root: string;
  readonly title: string;
  readonly crumbs: readonly Crumb[];
  /** What changes while somebody looks, each element by itself. Null: nothing does. */
  readonly live: readonly Html[] | null;
  /** What stands between the heading and that, and stays. */
  readonly still: Html;
  /** For the foot: how a program asks for the same. */
  readonly command: string | null;
}

/** The document of a page. */
export function documentOf({ root, title, crumbs, live, still, command }: Page): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · Reeve</title>
        <link rel="icon" type="image/svg+xml" href="${assetPath(root, "icon.svg")}" />
        <link rel="stylesheet" href="${assetPath(root, "page.css")}" />
        <script type="module" src="${assetPath(root, "page.js")}"></script>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header class="top">
          <div class="wide">
            <a class="brand" href="${root}/"
              ><img src="${assetPath(root, "icon.svg")}" alt="" width="26" height="26" /> Reeve</a
            >
            <nav aria-label="Breadcrumb">
              <ol class="crumbs">
                ${crumbs.map(crumb)}
              </ol>
            </nav>
            <span class="pulse" id="pulse" role="status" hidden></span>
          </div>
        </header>
        <main id="main" class="wide">${still} ${live && html`<div id="live" data-live>${live}</div>`}</main>
        <footer class="wide foot">
          ${command === null ? "" : ["The same for programs: ", html`<code>${command}</code>`]}
        </footer>
      </body>
    </html> `.html;
}

const crumb = ({ title, path }: Crumb): Html =>
  path === null ? html`<li aria-current="page">${title}</li>` : html`<li><a href="${path}">${title}</a></li>`;

/** A part of a page under a heading of its own. */
export const section = (id: string, title: Part, ...content: readonly Part[]): Html =>
  html`<section id="${id}" class="card" aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title}</h2>
    ${content}
  </section>`;

/** What is said where there is nothing to show. */
export const emptiness = (...sentence: readonly Part[]): Html => html`<p class="empty">${sentence}</p>`;

/** A page that tells why there is nothing else. */
export const refusalPage = (root: string, status: number, sentence: string): string =>
  documentOf({
    root,
    title: REASONS[status] ?? "That did not work",
    crumbs: [{ title: String(status), path: null }],
    live: null,
    still: html`<section class="card refusal">
      <p class="status">${status}</p>
      <h1>${REASONS[status] ?? "That did not work"}</h1>
      <p>${sentence}</p>
      <p class="row"><a class="button" href="${root}/">To the start</a></p>
    </section>`,
    command: null,
  });

const REASONS: Readonly<Record<number, string>> = {
  400: "That could not be understood",
  401: "Who are you?",
  403: "That is not taken",
  404: "There is nothing here",
  405: "That cannot be done here",
  413: "That is too large",
  429: "That is too much at once",
  500: "Something went wrong",
  503: "Not just now",
};
