/** A piece of an XML document, with everything in it escaped. */
export interface Markup {
  readonly xml: string;
}

type Attributes = Readonly<Record<string, string | null>>;

// https://www.w3.org/TR/xml/#charsets
const UNFIT = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;
const ALL_UNFIT = new RegExp(UNFIT, "gu");

/** Whether XML 1.0 can carry this text as it is. */
export const isXmlText = (text: string): boolean => !UNFIT.test(text);

/** An element; attributes that are null, and children that are, are left out. What XML cannot carry becomes U+FFFD. */
export function element(
  name: string,
  attributes: Attributes,
  ...children: readonly (Markup | string | null)[]
): Markup {
  let content = "";
  for (const child of children) if (child !== null) content += typeof child === "string" ? escaped(child) : child.xml;
  const start = `<${name}${attributesOf(attributes)}`;
  return { xml: content === "" ? `${start}/>` : `${start}>${content}</${name}>` };
}

/** The template's own text is markup; what is put into it is escaped, unless it is Markup itself; null is nothing. */
export function markup(texts: TemplateStringsArray, ...parts: readonly (Markup | string | null)[]): Markup {
  let xml = texts[0] ?? "";
  for (let index = 0; index < parts.length; index += 1) {
    const part = parts[index] ?? null;
    if (part !== null) xml += typeof part === "string" ? quoted(part) : part.xml;
    xml += texts[index + 1] ?? "";
  }
  return { xml };
}

function attributesOf(attributes: Attributes): string {
  let text = "";
  for (const name in attributes) {
    const value = attributes[name] ?? null;
    if (value !== null) text += ` ${name}="${quoted(value)}"`;
  }
  return text;
}

/** Elements side by side. */
export const sequence = (parts: readonly Markup[]): Markup => ({ xml: parts.map(({ xml }) => xml).join("") });

const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** The document of a root element. */
export const xmlDocument = ({ xml }: Markup): string => `${HEAD}${xml}\n`;

/** The same in two parts, for a list that comes in pieces between them. */
export function xmlFrame(name: string, attributes: Attributes): { readonly start: string; readonly end: string } {
  return { start: `${HEAD}<${name}${attributesOf(attributes)}>`, end: `</${name}>\n` };
}

// Nearly all texts are so, and one look tells.
const PLAIN = /^[ !#-%'-;=?-~\u00a0-\ud7ff]*$/;
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  // Whoever parses it would make these other characters.
  "\r": "&#13;",
  "\n": "&#10;",
  "\t": "&#9;",
};
const entity = (character: string): string => ENTITIES[character] ?? character;
const fit = (text: string): string => (isXmlText(text) ? text : text.replaceAll(ALL_UNFIT, "\ufffd"));

const escaped = (text: string): string => (PLAIN.test(text) ? text : fit(text).replaceAll(/[&<>\r]/g, entity));

const quoted = (text: string): string => (PLAIN.test(text) ? text : fit(text).replaceAll(/[&<>"\r\n\t]/g, entity));
