import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually, within } from "../support/eventually.ts";
import { isLiving } from "../support/processes.ts";
import { forEachForm } from "./forms.ts";
import { sh, type Place } from "./place.ts";
import { idOf, idsIn, placeWithDefinitions, Serving, valueOf } from "./serving.ts";

/** Where nothing is waited for, an answer takes less, in milliseconds. */
const AT_ONCE_MS = 5000;

async function timed<T>(work: Promise<T>): Promise<{ value: T; tookMs: number }> {
  const from = performance.now();
  return { value: await work, tookMs: performance.now() - from };
}

forEachForm("the service", (form) => {
  let place: Place;
  let at: Serving;

  beforeAll(async () => {
    place = placeWithDefinitions(form);
    // Half an hour and more off, so that no time of day is right by chance.
    at = await Serving.start(place, ["--concurrency", "4"], { environment: { TZ: "Pacific/Chatham" } });
  });
  afterAll(() => place[Symbol.asyncDispose]());

  test("makes a job of a form, runs it, and gives its results", async () => {
    const job = await at.make("echo", { PHASE: "RUN", text: 'a <b> & "c"', RUNID: "mine", RESPONSEFORMAT: "votable" });
    expect(job).toStartWith(`${at.base}/echo/`);
    // After the redirect of a RUN nobody sees it PENDING any more.
    expect(await at.phase(job)).not.toBe("PENDING");
    await at.reaches(job, "COMPLETED");
    const xml = await at.xml(job);
    expect(valueOf(xml, "jobId")).toBe(idOf(job));
    expect(valueOf(xml, "runId")).toBe("mine");
    expect(valueOf(xml, "ownerId")).toBeNull();
    expect(valueOf(xml, "quote")).toBeNull();
    expect(xml).toContain('<uws:parameter id="text" byReference="false">a &lt;b&gt; &amp; "c"</uws:parameter>');
    expect(xml).toContain('<uws:parameter id="RESPONSEFORMAT" byReference="false">votable</uws:parameter>');
    for (const name of ["creationTime", "startTime", "endTime", "destruction"]) {
      expect(valueOf(xml, name)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
    expect(Math.abs(Date.parse(valueOf(xml, "creationTime") ?? "") - Date.now())).toBeLessThan(60_000);
    expect((await at.get(`${job}/results/result.txt`)).text).toBe('a <b> & "c"');
    // The same job, the same truth.
    const shown = await place.show(idOf(job));
    expect(shown).toMatchObject({
      phase: "COMPLETED",
      runId: "mine",
      creationTime: valueOf(xml, "creationTime") ?? "",
    });
  });

  test("takes PHASE=RUN in the query too, in any case, and said twice", async () => {
    for (const [path, fields] of [
      ["/echo?PHASE=RUN", {}],
      ["/echo", { phase: "run" }],
      ["/echo?phase=RUN", { PHASE: "RUN" }],
    ] as const) {
      const { status, headers } = await at.post(path, fields);
      expect(status).toBe(303);
      expect(await at.phase(headers.get("location") ?? "")).not.toBe("PENDING");
    }
  });

  test("leaves a job PENDING that nobody asked to run, and runs it once however often it is asked", async () => {
    const runs = place.of("runs");
    const job = await at.make("echo", { runs });
    expect(await at.phase(job)).toBe("PENDING");
    expect(valueOf(await at.xml(job), "startTime")).toBeNull();
    const replies = await Promise.all(Array.from({ length: 8 }, () => at.post(`${job}/phase`, { PHASE: "RUN" })));
    // What comes when it has ended is refused.
    for (const { status } of replies) expect([303, 403]).toContain(status);
    expect(replies.filter(({ status }) => status === 303).length).toBeGreaterThan(0);
    await at.reaches(job, "COMPLETED");
    expect(place.lines("runs")).toEqual(["run"]);
  });

  test("has no more to do for what has ended: 303 for ABORT, 403 for RUN, and nothing changes", async () => {
    const job = await at.done("echo");
    const before = await at.xml(job);
    const aborted = await at.post(`${job}/phase`, { PHASE: "ABORT" });
    expect([aborted.status, aborted.headers.get("location")]).toEqual([303, job]);
    expect((await at.post(`${job}/phase`, { PHASE: "RUN" })).status).toBe(403);
    expect(await at.xml(job)).toBe(before);
  });

  test("tells of a job that failed", async () => {
    const job = await at.done("echo", { code: "3" });
    const xml = await at.xml(job);
    expect(valueOf(xml, "phase")).toBe("ERROR");
    expect(xml).toMatch(/<uws:errorSummary type="(?:fatal|transient)" hasDetail="(?:true|false)">/);
    const error = (await at.get(`${job}/error`)).text;
    expect(error).toStartWith(valueOf(xml, "message") ?? "?");
    expect((await at.get(`${await at.make("echo")}/error`)).text).toBe("");
  });

  test.each(["phase", "itself", "delete", "action"])("ends the whole tree of a job: %s", async (way) => {
    const job = await at.make("sleep", { PHASE: "RUN" });
    await at.reaches(job, "EXECUTING");
    const child = await eventually("the job has a process", () => place.jobProcesses().find((pid) => isLiving(pid)));
    if (way === "phase") await at.post(`${job}/phase`, { PHASE: "ABORT" });
    if (way === "itself") await at.post(job, { phase: "abort" });
    if (way === "action") await at.post(job, { ACTION: "DELETE" });
    if (way === "delete") {
      const { status, headers } = await at.get(job, { method: "DELETE" });
      expect(status).toBe(303);
      // Clients follow it, and the list may be huge.
      expect(headers.get("location")).toMatch(/\/sleep\?LAST=\d+$/);
    }
    await eventually("nothing of it is left", () => !isLiving(child) && place.jobProcesses().length === 0);
    if (way === "delete" || way === "action")
      await eventually("it is gone", async () => (await at.get(job)).status === 404);
    else await at.reaches(job, "ABORTED");
  });

  test("has atoms that equal the document, without a newline", async () => {
    const job = await at.done("echo");
    const xml = await at.xml(job);
    for (const [resource, name] of [
      ["phase", "phase"],
      ["executionduration", "executionDuration"],
      ["destruction", "destruction"],
      ["owner", "ownerId"],
      ["quote", "quote"],
    ] as const) {
      const { status, headers, text } = await at.get(`${job}/${resource}`);
      expect([resource, status, text]).toEqual([resource, 200, valueOf(xml, name) ?? ""]);
      expect(headers.get("content-type")).toStartWith("text/plain");
    }
    // Of what has never run nothing is known.
    expect((await at.get(`${await at.make("needs", { image: "x" })}/quote`)).text).toBe("");
  });

  test.each([
    ["", "GET, HEAD, POST, DELETE"],
    ["/phase", "GET, HEAD, POST"],
    ["/executionduration", "GET, HEAD, POST"],
    ["/destruction", "GET, HEAD, POST"],
    ["/error", "GET, HEAD"],
    ["/quote", "GET, HEAD"],
    ["/owner", "GET, HEAD"],
    ["/results", "GET, HEAD"],
    ["/results/result.txt", "GET, HEAD"],
    ["/parameters", "GET, HEAD, POST"],
    ["/parameters/text", "GET, HEAD, POST"],
  ])("takes the methods of the table only: a job's %s", async (resource, allowed) => {
    const job = await at.done("echo");
    for (const method of ["PUT", "PATCH", "OPTIONS", "POST", "DELETE"]) {
      if (allowed.includes(method)) continue;
      const { status, headers } = await at.get(`${job}${resource}`, { method });
      expect([method, status, headers.get("allow")]).toEqual([method, 405, allowed]);
    }
    const got = await at.get(`${job}${resource}`);
    const head = await at.get(`${job}${resource}`, { method: "HEAD" });
    expect([got.status, head.status, head.text]).toEqual([200, 200, ""]);
    expect(head.headers.get("content-type")).toBe(got.headers.get("content-type"));
    expect(head.headers.get("content-length")).toBe(String(Buffer.byteLength(got.text)));
    expect((await at.get(`${job}${resource}/`)).text).toBe(got.text);
    expect((await at.get(`${at.base}/echo/nosuchjob${resource}`)).status).toBe(404);
    // A job is in its own list only.
    expect((await at.get(`${at.base}/needs/${idOf(job)}${resource}`)).status).toBe(404);
  });

  test("refuses methods on lists, knows no other resources, and describes itself", async () => {
    expect((await at.get("/echo", { method: "DELETE" })).status).toBe(405);
    expect((await at.get("/echo", { method: "PUT" })).headers.get("allow")).toBe("GET, HEAD, POST");
    const job = await at.make("echo");
    for (const path of [
      "/nothing",
      "/Echo",
      `${job}/nothing`,
      `${job}/phase/x`,
      "/echo//",
      "/__proto__",
      `${job}/toString`,
    ]) {
      expect([path, (await at.get(path)).status]).toEqual([path, 404]);
    }
    expect((await at.get("/")).text).toContain(`${at.base}/echo  Gives back a text.\n`);
    const { text, headers } = await at.get("/echo/capabilities");
    expect(headers.get("content-type")).toStartWith("text/xml");
    expect(text).toContain('standardID="ivo://ivoa.net/std/UWS#rest-1.1"');
    expect(text).toContain(`<accessURL use="base">${at.base}/echo</accessURL>`);
  });

  test("refuses parameters with a sentence, and makes no broken job of them", async () => {
    const before = idsIn(await at.xml("/needs"));
    for (const [fields, sentence] of [
      [{}, /`image` is required/],
      [{ image: "" }, /`image` is required/],
      [{ image: "a".repeat(11) }, /at most 10 characters/],
      [{ image: "a", picture: "b" }, /does not take one of the parameters/],
      [{ image: "-x" }, /option/],
      [[["image", "a"], ["IMAGE", "b"]], /2 times/], // prettier-ignore
      [{ image: "a", WAIT: "1" }, /does not take/],
    ] as const) {
      const { status, text } = await at.post("/needs", fields);
      expect([fields, status]).toEqual([fields, 403]);
      expect(text).toMatch(sentence);
    }
    expect((await at.post("/echo", { data: "/etc/passwd" })).status).toBe(403);
    for (const fields of [
      { PHASE: "STOP" },
      { PHASE: "ABORT" },
      { PHASE: "" },
      { EXECUTIONDURATION: "1.5" },
      { EXECUTIONDURATION: "-1" },
      { DESTRUCTION: "tomorrow" },
      { DESTRUCTION: "2030-01-01T00:00:00+01:00" },
      { ACTION: "DELETE" },
    ]) {
      expect([fields, (await at.post("/needs", { image: "a", ...fields })).status]).toEqual([fields, 400]);
    }
    const twice = [["image", "a"], ["RUNID", "1"], ["runid", "2"]] as const; // prettier-ignore
    expect(await at.post("/needs", twice)).toMatchObject({
      status: 400,
      text: expect.stringContaining("more than once"),
    });
    expect(idsIn(await at.xml("/needs"))).toEqual(before);
    const wrongType = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
    expect((await at.get("/echo", wrongType)).status).toBe(415);
    const type = { "content-type": "application/x-www-form-urlencoded" };
    const packed = { method: "POST", body: "text=a", headers: { ...type, "content-encoding": "gzip" } };
    expect((await at.get("/echo", packed)).status).toBe(415);
    // Other bytes would silently become another text.
    for (const body of ["text=%ff", "text=a%C3", "%E9=a", "text=%ED%A0%80", Buffer.from("text=\u00e9", "latin1")]) {
      expect([body, (await at.get("/echo", { method: "POST", body, headers: type })).status]).toEqual([body, 400]);
    }
    expect((await at.get("/echo?text=%ff", { method: "POST" })).status).toBe(400);
    for (const body of ["text=100%", "text=%C3%A9+%e2%82%ac", "text=é", "text=%EF%BF%BD"]) {
      expect([body, (await at.get("/echo", { method: "POST", body, headers: type })).status]).toEqual([body, 303]);
    }
    // A job has it as an argument, and as a variable with its name.
    expect((await at.post("/echo", { text: "x".repeat(131_060) })).text).toMatch(/131071 bytes/);
    // Each of them can be handed to a program, and all of them cannot.
    const large = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`p${index}`, "x".repeat(130_000)]));
    expect(await at.post("/much", large)).toMatchObject({ status: 403, text: expect.stringContaining("all together") });
    expect(await at.phase(await at.done("much", { ...large, p8: "" }))).toBe("COMPLETED");
    expect((await at.post("/echo", { text: "x".repeat(9_000_000) })).status).toBe(413);
    expect(
      (
        await at.post(
          "/echo",
          Array.from({ length: 1001 }, () => ["tags", "a"] as const),
        )
      ).status,
    ).toBe(413);
  });

  test("changes parameters while the job is PENDING, adds none, and never takes a control for one", async () => {
    const job = await at.make("echo", { text: "one", MAXREC: "5" });
    const changed = await at.post(`${job}/parameters`, { TEXT: "two" });
    expect([changed.status, changed.headers.get("location")]).toEqual([303, job]);
    expect((await at.get(`${job}/parameters/text`)).text).toBe("two");
    expect((await at.post(`${job}/parameters/text`, { VALUE: "three" })).status).toBe(303);
    expect((await at.post(`${job}/parameters/code`, { code: "4" })).status).toBe(303);
    expect((await at.post(job, { maxrec: "7" })).status).toBe(303);
    expect((await at.post(`${job}/parameters/MAXREC`, { VALUE: "6" })).status).toBe(303);
    const xml = await at.xml(`${job}/parameters`);
    for (const [name, value] of [
      ["text", "three"],
      ["code", "4"],
      ["MAXREC", "6"],
    ]) {
      // prettier-ignore
      expect(xml).toContain(`<uws:parameter id="${name}" byReference="false">${value}</uws:parameter>`);
    }
    for (const [path, fields] of [
      ["/parameters", { tags: "new" }],
      ["/parameters", { stranger: "x" }],
      ["/parameters", { code: "77" }],
      ["/parameters", { text: "x", PHASE: "RUN" }],
      ["/parameters/text", { code: "1" }],
      ["/parameters/PHASE", { VALUE: "RUN" }],
      ["/phase", { PHASE: "RUN", text: "x" }],
      ["", { RUNID: "later" }],
    ] as const) {
      expect([path, fields, (await at.post(job + path, fields)).status]).toEqual([path, fields, 403]);
    }
    expect((await at.post(`${job}/parameters`)).status).toBe(400);
    expect(await at.xml(`${job}/parameters`)).toBe(xml);
    expect(await at.phase(job)).toBe("PENDING");
    await at.post(job, { text: "four", code: "0", phase: "RUN" });
    await at.reaches(job, "COMPLETED");
    expect((await at.get(`${job}/results/result.txt`)).text).toBe("four");
    expect((await at.post(`${job}/parameters`, { text: "five" })).status).toBe(403);
  });

  test("gives by reference what is too long or no text for XML, and secrets to nobody", async () => {
    const long = "ä".repeat(50_001);
    const job = await at.make("echo", [["text", long], ["tags", "a"], ["tags", "\u0001"], ["key", "topsecret"]]); // prettier-ignore
    const xml = await at.xml(job);
    for (const name of ["text", "tags"]) {
      expect(xml).toContain(`<uws:parameter id="${name}" byReference="true">${job}/parameters/${name}</uws:parameter>`);
    }
    expect((await at.get(`${job}/parameters/text`)).text).toBe(long);
    expect((await at.get(`${job}/parameters/tags`)).text).toBe("a\n\u0001");
    expect(xml).not.toContain("topsecret");
    expect((await at.get(`${job}/parameters/key`)).text).not.toContain("topsecret");
    const many = await at.make("echo", [["tags", "a"], ["tags", "b"]]); // prettier-ignore
    expect((await at.xml(many)).match(/id="tags"/g)).toHaveLength(2);
  });

  test("takes times and durations, within what it allows", async () => {
    const job = await at.make("bounded", { EXECUTIONDURATION: "7", DESTRUCTION: "2026-12-24" });
    expect((await at.get(`${job}/executionduration`)).text).toBe("7");
    for (const [given, kept] of [
      ["3", "3"],
      ["99", "10"],
      ["0", "10"],
      ["99999999999999999999", "10"],
    ] as const) {
      // prettier-ignore
      expect((await at.post(`${job}/executionduration`, { executionduration: given })).status).toBe(303);
      expect((await at.get(`${job}/executionduration`)).text).toBe(kept);
    }
    const later = new Date(Date.now() + 3600_000 * 24 * 30).toISOString();
    expect((await at.post(`${job}/destruction`, { DESTRUCTION: later.replace("Z", "") })).status).toBe(303);
    expect((await at.get(`${job}/destruction`)).text).toBe(later);
    for (const past of ["2015", "20151026", "2015-10-26 09:00"]) {
      const { status, headers } = await at.post(`${job}/destruction`, { DESTRUCTION: past });
      expect(status).toBe(303);
      expect((await at.get(headers.get("location") ?? "")).status).toBe(200);
      expect(Date.parse((await at.get(`${job}/destruction`)).text)).toBeGreaterThan(Date.now());
    }
    await at.post(`${job}/destruction`, { DESTRUCTION: "9999-12-31T23:59:59.999Z" });
    expect(Date.parse((await at.get(`${job}/destruction`)).text)).toBeLessThan(Date.now() + 367 * 24 * 3600_000);
    for (const [resource, field, value] of [
      ["executionduration", "EXECUTIONDURATION", "ten"],
      ["executionduration", "EXECUTIONDURATION", ""],
      ["destruction", "DESTRUCTION", "2026-02-30"],
      ["destruction", "DESTRUCTION", ""],
      ["phase", "PHASE", "PENDING"],
    ] as const) {
      expect((await at.post(`${job}/${resource}`, { [field]: value })).status).toBe(400);
    }
    await at.post(`${job}/phase`, { PHASE: "RUN" });
    await at.reaches(job, "COMPLETED");
    expect((await at.post(`${job}/executionduration`, { EXECUTIONDURATION: "5" })).status).toBe(403);
  });

  test("lists by phase, time and number, the newest first", async () => {
    const jobs: string[] = [];
    for (const RUNID of ["1", "2", "3"]) jobs.push(await at.make("bounded", { RUNID }));
    await at.post(`${jobs[1]}/phase`, { PHASE: "ABORT" });
    const [first = "", second = "", third = ""] = jobs.map(idOf);
    const list = async (query: string): Promise<string[]> =>
      idsIn(await at.xml(`/bounded?${query}`)).filter((id) => [first, second, third].includes(id));
    expect(await list("LAST=3")).toEqual([third, second, first]);
    expect(await list("last=1")).toEqual([third]);
    expect(await list("PHASE=PENDING&LAST=2")).toEqual([third, first]);
    expect(await list("PHASE=PENDING&PHASE=ABORTED&LAST=3")).toEqual([third, second, first]);
    expect(await list("PHASE=ABORTED")).toEqual([second]);
    const created = valueOf(await at.xml(`${jobs[1]}`), "creationTime") ?? "";
    expect(await list(`AFTER=${created}`)).toEqual([third]);
    // Compared at the precision that is printed.
    expect(await list(`AFTER=${created.replace("Z", "999")}`)).toEqual([third]);
    expect(await list(`AFTER=${created.slice(0, 10)}`)).toEqual([third, second, first]);
    expect(await list(`AFTER=${created}&PHASE=ABORTED`)).toEqual([]);
    expect(await list("AFTER=2015&LAST=99999999999999999999")).toEqual([third, second, first]);
    for (const query of [
      "PHASE=DONE",
      "PHASE=",
      "LAST=0",
      "LAST=-1",
      "LAST=x",
      "LAST=1&LAST=2",
      "AFTER=x",
      "AFTER=2015-10-26T09:00:00%2B02:00",
    ]) {
      expect([query, (await at.get(`/bounded?${query}`)).status]).toEqual([query, 400]);
    }
    const xml = await at.xml("/bounded?LAST=1");
    expect(xml).toContain(`xlink:href="${jobs[2]}"`);
    expect(xml).toContain("<uws:runId>3</uws:runId>");
  });

  test("has the jobs without a definition in a list of their own, and takes none there", async () => {
    const id = await place.submit("--hold", ...sh("true"));
    const job = `${at.base}/jobs/${id}`;
    expect(idsIn(await at.xml("/jobs?LAST=5"))).toContain(id);
    expect(idsIn(await at.xml("/echo"))).not.toContain(id);
    expect(valueOf(await at.xml(job), "phase")).toBe("PENDING");
    expect((await at.post("/jobs", { PHASE: "RUN" })).status).toBe(403);
    expect((await at.post(`${job}/phase`, { PHASE: "RUN" })).status).toBe(303);
    await at.reaches(job, "COMPLETED");
    expect((await at.get(`${at.base}/echo/${id}`)).status).toBe(404);
  });

  test("ends a job that runs longer than it was allowed to", async () => {
    const job = await at.make("sleep", { PHASE: "RUN", EXECUTIONDURATION: "1" });
    await at.reaches(job, "ABORTED");
    expect((await at.get(`${job}/error`)).text).not.toBe("");
  });

  test("WAIT returns when another process changes the job, and not before", async () => {
    const job = await at.make("sleep");
    const waiting = Array.from({ length: 20 }, () => timed(at.xml(`${job}?WAIT=30`)));
    const other = timed(at.xml(`${job}?WAIT=-1&PHASE=PENDING`));
    await place.ok("hold", idOf(job));
    for (const { value, tookMs } of await Promise.all([...waiting, other])) {
      expect(valueOf(value, "phase")).toBe("HELD");
      expect(tookMs).toBeLessThan(15_000);
    }
    await at.get(job, { method: "DELETE" });
  });

  test("WAIT returns at once where there is nothing to wait for, and in time where nothing happens", async () => {
    const job = await at.make("sleep");
    for (const query of [
      "WAIT=30&PHASE=EXECUTING",
      "WAIT=0",
      "WAIT=",
      "WAIT=x",
      "WAIT=-7",
      "WAIT=30&WAIT=30",
      "WAIT=1.5",
      "PHASE=PENDING",
    ]) {
      expect((await timed(at.xml(`${job}?${query}`))).tookMs).toBeLessThan(AT_ONCE_MS);
    }
    const { tookMs, value } = await timed(at.xml(`${job}?wait=1`));
    expect(tookMs).toBeGreaterThanOrEqual(990);
    expect(valueOf(value, "phase")).toBe("PENDING");
    const gone = at.get(`${job}?WAIT=30`);
    await place.ok("delete", idOf(job));
    expect((await within("the waiter hears that it is gone", gone)).status).toBe(404);
    const ended = await at.done("echo");
    const held = await at.make("sleep");
    await place.ok("hold", idOf(held));
    for (const still of [ended, held]) {
      expect((await timed(at.xml(`${still}?WAIT=30`))).tookMs).toBeLessThan(AT_ONCE_MS);
    }
  });

  test("is known by what a proxy says, wherever an address is given", async () => {
    const headers = {
      "x-forwarded-proto": "https",
      "x-forwarded-host": "data.example, inner",
      "x-forwarded-prefix": "/svc/",
    };
    const { headers: got } = await at.post("/echo", { PHASE: "RUN" }, headers);
    const location = got.get("location") ?? "";
    expect(location).toStartWith("https://data.example/svc/echo/");
    const path = location.replace("https://data.example/svc", "");
    await at.reaches(at.base + path, "COMPLETED");
    expect(await at.xml(path, { headers })).toContain(`xlink:href="${location}/results/result.txt"`);
    expect(await at.xml("/echo?LAST=1", { headers })).toContain('xlink:href="https://data.example/svc/echo/');
    for (const bad of [
      { "x-forwarded-host": 'a"b' },
      { "x-forwarded-prefix": "//evil.example" },
      { "x-forwarded-proto": "javascript" },
    ]) {
      expect((await at.post("/echo", {}, bad)).headers.get("location")).toStartWith(`${at.base}/echo/`);
    }
  });
});
