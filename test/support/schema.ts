import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ParseOption, XmlDocument, XsdValidator } from "libxml2-wasm";
import { xmlRegisterFsInputProviders } from "libxml2-wasm/lib/nodejs.mjs";

/** The schema of UWS stands beside the project, where it is. */
const SCHEMA = join(import.meta.dirname, "../../../shared/spec/UWS.xsd");

let validator: XsdValidator | null | undefined;

/** Null: the schema is not here. */
function theValidator(): XsdValidator | null {
  if (!existsSync(SCHEMA)) return null;
  // It imports another one, by a path.
  xmlRegisterFsInputProviders();
  return XsdValidator.fromDoc(XmlDocument.fromBuffer(readFileSync(SCHEMA), { url: SCHEMA }));
}

/** @throws for a document that is no XML, or, where the schema of UWS is at hand, is not as that wants it. */
export function mustBeValid(document: string): void {
  if (validator === undefined) {
    validator = theValidator();
    if (validator === null) console.log("UWS.xsd is not beside the project: documents are not validated by it");
  }
  const parsed = XmlDocument.fromString(document, { option: ParseOption.XML_PARSE_NONET });
  try {
    validator?.validate(parsed);
  } catch (error) {
    throw new Error(`${String(error)}\n${document}`, { cause: error });
  } finally {
    parsed.dispose();
  }
}
