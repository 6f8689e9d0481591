import { createHash } from "node:crypto";
import icon from "./icon.svg" with { type: "text" };
import script from "./page.js" with { type: "text" };
import style from "./page.css" with { type: "text" };

/** A file that pages name. */
export interface Asset {
  readonly type: string;
  readonly text: string;
  /** Changes when the text does. */
  readonly tag: string;
}

/** Where they are; no definition can be called so. */
export const ASSETS = "-";

const assetOf = (type: string, text: string): Asset => ({
  type,
  text,
  tag: createHash("sha256").update(text).digest("hex").slice(0, 12),
});

const FILES: ReadonlyMap<string, Asset> = new Map([
  ["page.css", assetOf("text/css; charset=utf-8", style)],
  ["page.js", assetOf("text/javascript; charset=utf-8", script)],
  ["icon.svg", assetOf("image/svg+xml", icon)],
]);

export const assetCalled = (name: string): Asset | undefined => FILES.get(name);

/** The path of one, with its tag: it can be kept for ever. */
export const assetPath = (root: string, name: string): string =>
  `${root}/${ASSETS}/${name}?${FILES.get(name)?.tag ?? ""}`;
