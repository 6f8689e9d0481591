import { expect, test } from "bun:test";
import { mannerOf } from "../../src/service/negotiation.ts";

const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

const asked = (accept: string | null, method = "GET"): string =>
  mannerOf(new Request("http://127.0.0.1/", { method, headers: accept === null ? {} : { accept } }));

test.each([
  [null, "document"],
  ["", "document"],
  ["*/*", "document"],
  ["text/*", "document"],
  ["text/html,text/xml", "document"],
  ["text/html,application/xml", "document"],
  ["text/html;q=0.5,*/*;q=0.5", "document"],
  ["text/html;q=0.4,text/xml;q=0.6", "document"],
  ["text/html;q=0,*/*;q=0", "document"],
  ["text/html;q=2", "document"],
  ["application/json", "document"],
  ["text/xml", "document"],
  ["text/html", "page"],
  ["TEXT/HTML ; Q=0.2 , */*;q=0.1", "page"],
  ["text/html;q=0.6,text/xml;q=0.4", "page"],
  ["text/xml;q=0,*/*", "document"],
  ["text/xml;q=0,application/xml;q=0,*/*", "page"],
  [BROWSER, "page"],
  ["text/event-stream", "events"],
  ["text/event-stream,*/*", "document"],
  ["text/event-stream;q=0.5,text/html", "page"],
] as const)("%p is answered with a %s", (accept, manner) => {
  expect(asked(accept)).toBe(manner);
});

test("HEAD never begins a stream", () => {
  expect(asked("text/event-stream", "HEAD")).toBe("document");
  expect(asked(BROWSER, "HEAD")).toBe("page");
});
