import { configurationError } from "../errors.ts";
import { keyLines } from "./key-lines.ts";
import type { Problem } from "./problems.ts";
import type { ConfigurationTable } from "./schema.ts";
import { shown } from "./wording.ts";

/**
 * Reads the text of a `reeve.toml`; `name` is what the file is called in errors, `hasMore` whether there are definitions
 * elsewhere, too. The parser and the schema are loaded
 * here, because most starts have no file and should not wait for them.
 *
 * @throws ReeveError (configuration): the place and sentence of a syntax error, or a line for each wrong key.
 */
export async function readToml(text: string, name: string, hasMore: boolean): Promise<ConfigurationTable> {
  const [document, { checkDocument }] = await Promise.all([parseToml(text, name), import("./schema.ts")]);
  const checked = checkDocument(document, hasMore);
  if ("problems" in checked) throw configurationError(report(text, name, checked.problems));
  return checked.table;
}

async function parseToml(text: string, name: string): Promise<unknown> {
  const toml = await import("smol-toml");
  try {
    return toml.parse(text, { integersAsBigInt: "asNeeded" });
  } catch (error) {
    if (!(error instanceof toml.TomlError)) throw error;
    throw configurationError(`${name}:${error.line}:${error.column}: ${syntaxSentence(error.message)}`);
  }
}

// The parser's message goes on with the lines around the error, which the place already tells.
const syntaxSentence = (message: string): string =>
  `this is not valid TOML: ${message.split("\n", 1)[0]?.replace("Invalid TOML document: ", "")}`;

function report(text: string, name: string, problems: readonly Problem[]): string {
  const lineOf = keyLines(text);
  const found = problems.map(({ path, message }) => {
    const keys = path.map(String);
    return { line: lineOf(keys), sentence: `${keys.map(keyName).join(".")} ${message}` };
  });
  const sorted = found.toSorted((one, other) => one.line - other.line);
  return sorted.map(({ line, sentence }) => `${name}:${line}: ${sentence}`).join("\n");
}

const keyName = (key: string): string => (/^[A-Za-z0-9_-]{1,60}$/.test(key) ? key : shown(key));
