/** What of a resource is sent: its document of UWS, a page for people, or the changes of that page as they come. */
export type Manner = "document" | "page" | "events";

/** What is asked for, by Accept (RFC 9110, section 12.5.1): a page only where it is preferred to XML. */
export function mannerOf({ headers, method }: Request): Manner {
  const accept = headers.get("accept");
  if (accept === null) return "document";
  const ranges = rangesOf(accept);
  const document = Math.max(quality(ranges, "text/xml"), quality(ranges, "application/xml"));
  const page = quality(ranges, "text/html");
  // Who takes anything does not mean a stream.
  const events = method === "GET" ? (ranges.get("text/event-stream") ?? 0) : 0;
  if (events > Math.max(document, page)) return "events";
  return page > document ? "page" : "document";
}

function rangesOf(accept: string): Map<string, number> {
  const ranges = accept.split(",").map((range): [string, number] => {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const q = parameters.find((parameter) => parameter.startsWith("q="));
    const value = q === undefined ? 1 : Number(q.slice(2));
    return [type, value >= 0 && value <= 1 ? value : 0];
  });
  return new Map(ranges);
}

const quality = (ranges: ReadonlyMap<string, number>, type: string): number =>
  ranges.get(type) ?? ranges.get(`${type.split("/")[0]}/*`) ?? ranges.get("*/*") ?? 0;
