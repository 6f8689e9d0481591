/** A piece of an HTML document, with everything in it escaped. */
export interface Html {
  readonly html: string;
}

/** What a template takes: texts and numbers are escaped; null and false are nothing; a list is its items side by side. */
export type Part = Html | string | number | null | false | readonly Part[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

// Browsers show them as nothing, or take them for what they are not; the line's end and the tab are kept.
const UNFIT = /(?![\n\r\t])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu;

/** Printable ASCII that means nothing to a browser: nearly all texts have nothing else, and need no second look. */
const OTHER_THAN_PLAIN = /[^ !#-%(-;=?-~]/;

const escaped = (text: string): string => (OTHER_THAN_PLAIN.test(text) ? replaced(text) : text);

const replaced = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character).replaceAll(UNFIT, "\ufffd");

/** The texts of a template are the same each time: they are looked at once. */
const outdented = new WeakMap<TemplateStringsArray, readonly string[]>();

/** How a template is laid out in its source is of no use to a browser: it would be a quarter of a page. */
function withoutIndentation(texts: TemplateStringsArray): readonly string[] {
  const known = outdented.get(texts) ?? texts.map((text) => text.replaceAll(/\s*\n\s*/g, "\n"));
  outdented.set(texts, known);
  return known;
}

/** The template's own text is markup; what is put into it is not, unless it is Html itself. Attributes are to be quoted. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const [first = "", ...others] = withoutIndentation(texts);
  return { html: others.reduce((markup, text, index) => markup + markupOf(parts[index] ?? null) + text, first) };
}

function markupOf(part: Part): string {
  if (part === null || part === false) return "";
  if (typeof part === "string") return escaped(part);
  if (typeof part === "number") return String(part);
  return "html" in part ? part.html : part.map(markupOf).join("");
}

export const NOTHING: Html = { html: "" };
