import { element, xmlDocument, type Markup } from "./xml.ts";

const NAMESPACES = {
  "xmlns:vosi": "http://www.ivoa.net/xml/VOSICapabilities/v1.0",
  "xmlns:vr": "http://www.ivoa.net/xml/VOResource/v1.0",
  "xmlns:vs": "http://www.ivoa.net/xml/VODataService/v1.1",
  "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
};

/** VOSI 1.1: what the service behind a job list is, by the list's absolute address. */
export const capabilitiesXml = (list: string): string =>
  xmlDocument(
    element(
      "vosi:capabilities",
      NAMESPACES,
      capability("ivo://ivoa.net/std/VOSI#capabilities", {}, `${list}/capabilities`, "full"),
      capability("ivo://ivoa.net/std/UWS#rest-1.1", { version: "1.1" }, list, "base"),
    ),
  );

function capability(
  standardID: string,
  version: Readonly<Record<string, string>>,
  address: string,
  use: "base" | "full",
): Markup {
  const accessURL = element("accessURL", { use }, address);
  return element(
    "capability",
    { standardID },
    element("interface", { "xsi:type": "vs:ParamHTTP", role: "std", ...version }, accessURL),
  );
}
