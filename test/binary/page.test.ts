import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { forEachForm } from "./forms.ts";
import type { Place } from "./place.ts";
import { idOf, placeWithDefinitions, Serving, type Reply } from "./serving.ts";

const BROWSER = { accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" };
const NASTY = `<script>alert("1")</script>'"><img src=x onerror=alert(2)>`;

/** A tag, without the values of its attributes, that brings a script or a style with it. */
const HANDLER = /<script>|<[^>]*\s(?:style|on\w+)=/;

forEachForm("the pages", (form) => {
  let place: Place;
  let at: Serving;

  beforeAll(async () => {
    place = placeWithDefinitions(form);
    at = await Serving.start(place, ["--concurrency", "2"]);
  });
  afterAll(() => place[Symbol.asyncDispose]());

  const page = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> =>
    at.get(path, { headers: { ...BROWSER, ...headers } });

  test("stand at the addresses of the documents, for those who prefer them", async () => {
    const job = await at.done("echo");
    for (const path of ["/", "/echo", "/jobs", job]) {
      const { status, headers, text } = await page(path);
      expect([path, status, headers.get("content-type")]).toEqual([path, 200, "text/html; charset=utf-8"]);
      expect(headers.get("content-length")).toBe(String(Buffer.byteLength(text)));
      expect(headers.get("vary")).toBe("Accept");
      expect(text).toStartWith("<!doctype html>");
      const head = await at.get(path, { method: "HEAD", headers: BROWSER });
      expect([head.status, head.text, head.headers.get("content-type")]).toEqual([200, "", "text/html; charset=utf-8"]);
      for (const accept of ["*/*", "text/html,text/xml", "text/html;q=0.5,application/xml"]) {
        const other = await at.get(path, { headers: { accept } });
        expect(other.headers.get("content-type")).toStartWith(path === "/" ? "text/plain" : "text/xml");
        expect(other.headers.get("vary")).toBe("Accept");
      }
    }
  });

  test("run nothing but the program's own script, and have everything escaped", async () => {
    const job = await at.done("echo", { text: NASTY, RUNID: NASTY, code: "3" });
    for (const path of [
      "/",
      "/echo",
      job,
      `/echo?AFTER=${encodeURIComponent(NASTY)}`,
      `/${encodeURIComponent(NASTY)}`,
    ]) {
      const { headers, text } = await page(path);
      expect(headers.get("content-security-policy")).toStartWith(
        "default-src 'none'; script-src 'self'; style-src 'self'",
      );
      expect([path, text.includes("<img src=x"), HANDLER.test(text.replaceAll(/"[^"]*"/g, ""))]).toEqual([
        path,
        false,
        false,
      ]);
    }
    expect((await page(job)).text).toContain("&lt;script&gt;alert(&quot;1&quot;)");
  });

  test("name files that come with the program, for ever under their tag", async () => {
    const { text } = await page("/");
    const paths = [...text.matchAll(/(?:href|src)="(\/-\/[^"]+)"/g)].map(([, path = ""]) => path);
    expect(new Set(paths).size).toBe(3);
    for (const path of paths) {
      const { status, headers } = await at.get(path);
      expect([path, status, headers.get("cache-control")]).toEqual([path, 200, "private, max-age=31536000, immutable"]);
      const again = await at.get(path, { headers: { "if-none-match": headers.get("etag") ?? "" } });
      expect([again.status, again.text]).toEqual([304, ""]);
    }
    expect((await at.get("/-/page.css")).headers.get("cache-control")).toBe("private, no-cache");
    for (const path of ["/-", "/-/nothing", "/-/../page.css", "/-/__proto__"])
      expect((await at.get(path)).status).toBe(404);
  });

  test("are right behind a prefix", async () => {
    const job = await at.done("echo");
    const path = job.slice(at.base.length);
    const proxied = { "x-forwarded-prefix": "/uws", "x-forwarded-host": "example.org", "x-forwarded-proto": "https" };
    for (const of of ["/", "/echo", path, "/nothing"]) {
      const { text } = await page(of, proxied);
      const addresses = [...text.matchAll(/\s(?:href|src|action)="([^"]*)"/g)].map(([, address = ""]) => address);
      expect(addresses.length).toBeGreaterThan(3);
      expect(addresses.filter((address) => !address.startsWith("/uws/") && address !== "#main")).toEqual([]);
    }
    expect((await page(path, proxied)).text).toContain(`curl https://example.org/uws${path}`);
  });

  test("have a form that makes a job, buttons that steer it, and say why something is refused", async () => {
    const { text } = await page("/needs");
    expect(text).toMatch(/<form method="post" action="\/needs"/);
    expect(text).toMatch(/<input id="new-image" name="image" required[^>]*maxlength="10"/);
    const origin = { ...BROWSER, origin: at.base };
    const made = await at.post("/needs", { image: "m31", RUNID: "" }, origin);
    expect(made.status).toBe(303);
    const job = made.headers.get("location") ?? "";
    expect((await page(job)).text).toMatch(/name="PHASE"\s+value="RUN"/);
    expect((await at.post(`${job}/phase`, { PHASE: "ABORT" }, origin)).status).toBe(303);
    const aborted = (await page(job)).text;
    expect(aborted).toContain('data-phase="ABORTED"');
    expect(aborted).not.toContain('value="ABORT"');
    const refused = await at.post("/needs", { image: "a".repeat(11) }, origin);
    expect([refused.status, refused.headers.get("content-type")]).toEqual([403, "text/html; charset=utf-8"]);
    expect(refused.text).toContain("at most 10 characters");
    expect((await at.post("/needs", { image: "m31" }, { ...BROWSER, origin: "http://elsewhere" })).status).toBe(403);
    expect((await at.post(job, { ACTION: "DELETE" }, origin)).status).toBe(303);
    expect((await page(job)).status).toBe(404);
  });

  test("show of a list what is asked for, and take what a form left empty", async () => {
    const done = idOf(await at.done("bounded"));
    const waits = idOf(await at.make("bounded"));
    const ids = async (query: string): Promise<boolean[]> => {
      const { text } = await page(`/bounded?${query}`);
      return [done, waits].map((id) => text.includes(`class="id" href="/bounded/${id}"`));
    };
    expect(await ids("")).toEqual([true, true]);
    expect(await ids("PHASE=COMPLETED&AFTER=&LAST=50")).toEqual([true, false]);
    expect(await ids("PHASE=COMPLETED&PHASE=PENDING")).toEqual([true, true]);
    expect(await ids("LAST=1")).toEqual([false, true]);
    expect(await ids("AFTER=2999-01-01")).toEqual([false, false]);
    const wrong = await page("/bounded?AFTER=yesterday");
    expect([wrong.status, wrong.text.includes("AFTER must be an ISO 8601 time")]).toEqual([400, true]);
  });

  /** A page of the list `needs`, and where it leads. */
  const seen = async (path: string): Promise<{ ids: string[]; text: string; to: (rel: string) => string }> => {
    const { status, text } = await page(path);
    expect([path, status]).toEqual([path, 200]);
    const ids = [...text.matchAll(/class="id" href="\/needs\/([^"]+)"/g)].map(([, id = ""]) => id);
    const to = (rel: string): string =>
      (new RegExp(`rel="${rel}"\\s+href="([^"]+)"`).exec(text)?.[1] ?? "").replaceAll("&amp;", "&");
    return { ids, text, to };
  };

  test("of a list go on to older jobs and back, with the filters that were set, and say how many there are", async () => {
    const made: string[] = [];
    for (let count = 0; count < 5; count += 1) made.unshift(idOf(await at.make("needs", { image: `n${count}` })));
    const first = await seen("/needs?PHASE=PENDING&AFTER=2001-01-01&LAST=2");
    expect([first.ids, first.text.includes("2 of 5 jobs"), first.to("prev")]).toEqual([made.slice(0, 2), true, ""]);
    expect(first.to("next")).toStartWith("/needs?PHASE=PENDING&AFTER=2001-01-01&LAST=2&OLDER=");
    const second = await seen(first.to("next"));
    expect(second.ids).toEqual(made.slice(2, 4));
    const third = await seen(second.to("next"));
    expect([third.ids, third.to("next")]).toEqual([made.slice(4), ""]);
    expect((await seen(third.to("prev"))).ids).toEqual(made.slice(2, 4));
    // The place stays when the job that it names is gone.
    await at.post(`/needs/${made[1]}`, { ACTION: "DELETE" });
    expect((await seen(first.to("next"))).ids).toEqual(made.slice(2, 4));
    for (const place of ["nonsense", "2999-01-01,x", NASTY])
      expect((await seen(`/needs?LAST=2&OLDER=${encodeURIComponent(place)}`)).ids).toEqual([
        made[0] ?? "",
        made[2] ?? "",
      ]);
  });

  test("are kept true by events at the same address, from making to deletion", async () => {
    const job = await at.make("sleep");
    const hangUp = new AbortController();
    const response = await fetch(job, { headers: { accept: "text/event-stream" }, signal: hangUp.signal });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    let seen = "";
    const reading = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) seen += decoder.decode(chunk);
    })();
    await eventually("it has the page", () => seen.includes('data-phase="PENDING"'));
    await at.post(`${job}/phase`, { PHASE: "RUN" });
    await eventually("it runs", () => seen.includes('data-phase="EXECUTING"'));
    await at.post(`${job}/phase`, { PHASE: "ABORT" });
    await eventually("it is aborted", () => seen.includes('data-phase="ABORTED"'));
    await at.post(job, { ACTION: "DELETE" });
    await reading;
    expect(seen).toContain("event: gone");
    hangUp.abort();
  });

  test("show to those who do not say who they are the job whose address they have, and no list", async () => {
    await using own = placeWithDefinitions(form);
    own.write("reeve.toml", `${own.read("reeve.toml")}\n[service]\nanonymous = true\n`);
    const open = await Serving.start(own);
    const job = await open.make("echo", { text: "of somebody" });
    const shown = await open.get(job, { headers: BROWSER });
    expect([shown.status, shown.text.includes("of somebody")]).toEqual([200, true]);
    for (const path of ["/", "/echo", "/echo?PHASE=PENDING"]) {
      const { status, text } = await open.get(path, { headers: BROWSER });
      expect([path, status, text.includes(idOf(job)), /\b1 (?:job|pending)/.test(text)]).toEqual([
        path,
        200,
        false,
        false,
      ]);
    }
    expect((await open.get("/echo", { headers: BROWSER })).text).toContain("keep the address of yours");
    for (const id of ["now", "activity", "workers"])
      expect((await open.get("/", { headers: BROWSER })).text).not.toContain(`id="${id}"`);
  });
});
