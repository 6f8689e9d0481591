import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { eventually } from "../support/eventually.ts";
import { existing } from "../support/temporary.ts";
import { forEachForm } from "./forms.ts";
import type { Place } from "./place.ts";
import { idOf, idsIn, placeWithDefinitions, Serving, valueOf, type Reply } from "./serving.ts";

const basic = (name: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`,
});

const PASSWORD = "open: sésame";
const ada = basic("ada", PASSWORD);

interface Known {
  readonly place: Place;
  /** Bob's. */
  readonly token: string;
}

/** A place with two users: one has a password, the other a token. */
async function placeWithUsers(form: Parameters<typeof placeWithDefinitions>[0], settings = ""): Promise<Known> {
  const place = placeWithDefinitions(form);
  const password = (await place.run(["hash"], { stdin: `${PASSWORD}\n` })).stdout.trim();
  const { stdout, stderr } = await place.reeve("hash", "--token");
  const [, hash] = /tokens = \["(\$sha256\$[^"]+)"\]/.exec(stderr) ?? [];
  const users = `[users.ada]\npassword = "${password}"\n[users."bob@example.org"]\ntokens = ["${hash}"]\n`;
  place.write("reeve.toml", `${place.read("reeve.toml")}\n${users}${settings}`);
  return { place, token: stdout.trim() };
}

const SUB_RESOURCES = ["", "/phase", "/executionduration", "/destruction", "/error", "/quote", "/owner", "/results", "/results/result.txt", "/results/stdout", "/results/stderr", "/parameters", "/parameters/text"]; // prettier-ignore

/** Neither can be run, and each would tell where it is. */
const BROKEN = `[jobs.broken]
command = ["/opt/of-the-operator"]
[jobs.fails]
command = ["sh", "-c", "echo '{\\"error\\":{\\"message\\":\\"no such order\\",\\"detail\\":\\"at /opt/of-the-operator/a.ts:5\\"}}' >&3; exit 1"]
`;

forEachForm("the users of the service", (form) => {
  let place: Place;
  let at: Serving;
  let bob: Record<string, string>;

  beforeAll(async () => {
    const known = await placeWithUsers(form, BROKEN);
    place = known.place;
    bob = { authorization: `Bearer ${known.token}` };
    at = await Serving.start(place, ["--concurrency", "1"]);
  });
  afterAll(() => place[Symbol.asyncDispose]());

  const make = async (headers: Record<string, string>, fields: Record<string, string> = {}): Promise<string> =>
    existing((await at.post("/echo", fields, headers)).headers.get("location"));

  test("who is not known is asked who they are, whatever they ask for", async () => {
    const job = await make(ada);
    const token = bob["authorization"]?.replace("Bearer ", "") ?? "";
    for (const headers of [
      {},
      basic("ada", ""),
      basic("ada", `${PASSWORD}x`),
      basic("eve", PASSWORD),
      basic("", ""),
      basic("ada", token),
      { authorization: "Basic" },
      { authorization: "Basic !" },
      { authorization: "Basic YWRh" },
      { authorization: "Bearer " },
      { authorization: `Bearer ${token}x` },
      { authorization: `Bearer ${PASSWORD.replaceAll(/\W/g, "")}` },
      { authorization: `Digest ${token}` },
    ] satisfies Record<string, string>[]) {
      const { status, headers: answered } = await at.get("/echo", { headers });
      expect([headers, status]).toEqual([headers, 401]);
      expect(answered.get("www-authenticate")).toStartWith("Basic ");
    }
    for (const path of ["/", "/jobs", "/nothing", "/echo/capabilities", ...SUB_RESOURCES.map((part) => job + part)]) {
      expect([path, (await at.get(path)).status]).toEqual([path, 401]);
    }
    expect((await at.post("/echo", { PHASE: "RUN" })).status).toBe(401);
    expect((await at.get(job, { method: "DELETE" })).status).toBe(401);
    for (const headers of [ada, bob, basic("bob@example.org", token)]) {
      expect((await at.get("/echo", { headers })).status).toBe(200);
    }
  });

  test("who is not known learns whether all is well, and no more of it", async () => {
    const { status, headers, text } = await at.get("/health");
    expect(headers.get("content-type")).toBe("application/json");
    expect([status, text]).toEqual([200, '{"status":"well"}\n']);
    expect((await at.get("/health/", { method: "HEAD" })).status).toBe(200);
    expect(JSON.parse((await at.get("/health", { headers: ada })).text)).toMatchObject({ canWrite: true });
    for (const wrong of [basic("ada", ""), { authorization: "Bearer x" }]) {
      expect((await at.get("/health", { headers: wrong })).status).toBe(401);
    }
    expect((await at.get("/metrics")).status).toBe(401);
  });

  test("nobody learns anything of another's job, nor changes it", async () => {
    const job = await make(ada, { PHASE: "RUN", text: "mine" });
    await eventually("it is done", async () => (await at.get(`${job}/phase`, { headers: ada })).text === "COMPLETED");
    const held = await make(ada);
    const nowhere = await at.get("/echo/aaaaaaaaaaaaaaaaaaaa", { headers: bob });
    for (const part of SUB_RESOURCES) {
      expect([part, (await at.get(job + part, { headers: ada })).status]).toEqual([part, 200]);
      for (const method of ["GET", "HEAD", "POST", "DELETE", "PUT"]) {
        const { status, text } = await at.get(job + part, { method, headers: bob });
        expect([method, part, status]).toEqual([method, part, 404]);
        if (method !== "HEAD") expect(text).toBe(nowhere.text);
      }
    }
    for (const [part, fields] of [
      ["", { ACTION: "DELETE" }],
      ["/phase", { PHASE: "RUN" }],
      ["/phase", { PHASE: "ABORT" }],
      ["/parameters", { text: "other" }],
      ["/executionduration", { EXECUTIONDURATION: "1" }],
    ] as const) {
      expect((await at.post(held + part, fields, bob)).status).toBe(404);
    }
    expect((await at.get(`${held}/phase`, { headers: ada })).text).toBe("PENDING");
    const list = async (headers: Record<string, string>): Promise<string[]> =>
      idsIn(await at.xml("/echo", { headers }));
    expect(await list(ada)).toEqual(expect.arrayContaining([idOf(job), idOf(held)]));
    expect(await list(bob)).toEqual([]);
    const theirs = await make(bob);
    expect(await list(bob)).toEqual([idOf(theirs)]);
    expect(await list(ada)).not.toContain(idOf(theirs));
    expect(valueOf(await at.xml(job, { headers: ada }), "ownerId")).toBe("ada");
    expect((await at.get(`${job}/owner`, { headers: ada })).text).toBe("ada");
    for (const accept of ["text/html", "text/event-stream"]) {
      const seen = { headers: { ...bob, accept } };
      for (const address of [job, held]) expect((await at.get(address, seen)).status).toBe(404);
    }
    const page = async (path: string, headers: Record<string, string>): Promise<string> =>
      (await at.get(path, { headers: { ...headers, accept: "text/html" } })).text;
    expect(await page("/echo", bob)).toContain(idOf(theirs));
    expect(await page("/echo", ada)).toContain(idOf(job));
    for (const path of ["/", "/echo"]) {
      expect(await page(path, bob)).not.toContain(idOf(job));
      expect(await page(path, ada)).not.toContain(idOf(theirs));
    }
    // Their own are counted, and nothing is said of the machine.
    expect(await page("/echo", ada)).toMatch(/1 job\b/);
    expect(await page("/", ada)).toContain('id="now"');
    expect(await page("/", ada)).not.toContain('id="workers"');
    // The command line has all of them, and what it makes is nobody's of these.
    expect(await place.ok("list", "--owner", "ada", "--json")).toContain(idOf(job));
    const local = await place.submit("echo", "--hold");
    for (const headers of [ada, bob]) expect((await at.get(`/echo/${local}`, { headers })).status).toBe(404);
    const plain = await place.submit("--hold", "--", "true");
    expect((await at.get(`/jobs/${plain}`, { headers: ada })).status).toBe(404);
    expect(await at.xml("/jobs", { headers: ada })).not.toContain(plain);
  });

  test.each([
    ["broken", "could not be started: no such program"],
    ["fails", "no such order"],
  ])("users learn why a job failed, and not where and as what it runs: %s", async (list, why) => {
    const { headers } = await at.post(`/${list}`, { PHASE: "RUN" }, ada);
    const job = existing(headers.get("location"));
    const read = async (path: string, accept: string): Promise<string> =>
      (await at.get(path, { headers: { ...ada, accept } })).text;
    await eventually("it was tried", async () => (await read(`${job}/error`, "*/*")) !== "");
    for (const [path, accept] of [
      [`${job}/error`, "*/*"],
      [job, "*/*"],
      [job, "text/html"],
      [`/${list}`, "text/html"],
    ] as const) {
      const text = await read(path, accept);
      expect([path, accept, text]).toEqual([path, accept, expect.stringContaining(why)]);
      expect(text).not.toContain("of-the-operator");
      expect(text).not.toContain("reeve logs");
    }
    expect(JSON.stringify(await place.show(idOf(job)))).toContain("of-the-operator");
    await at.post(`${job}/phase`, { PHASE: "ABORT" }, ada);
  });

  test("whoever tries passwords has to wait, and those who know theirs do not", async () => {
    expect((await at.get("/echo", { headers: ada })).status).toBe(200);
    let refused: Reply | undefined;
    for (let tries = 0; tries < 20 && refused === undefined; tries += 1) {
      const reply = await at.get("/echo", { headers: basic("ada", `guess ${tries}`) });
      expect([401, 429]).toContain(reply.status);
      if (reply.status === 429) refused = reply;
    }
    expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await at.get("/echo", { headers: ada })).status).toBe(200);
  });
});

forEachForm("a service that others may use", (form) => {
  test("anonymous jobs are their makers' by their ids; nobody has a list of them", async () => {
    const { place: own, token } = await placeWithUsers(form, "[service]\nanonymous = true\n");
    await using place = own;
    const at = await Serving.start(place);
    const job = await at.make("echo", { text: "who knows" });
    expect(idsIn(await at.xml("/echo"))).toEqual([]);
    expect(idsIn(await at.xml("/echo?PHASE=PENDING&LAST=5"))).toEqual([]);
    expect(valueOf(await at.xml(job), "ownerId")).toBeNull();
    expect((await at.get(`${job}/owner`)).text).toBe("");
    expect(await place.show(idOf(job))).toMatchObject({ ownerId: null });
    expect((await at.get("/health")).text).toBe('{"status":"ill"}\n');
    expect((await at.post(`${job}/phase`, { PHASE: "ABORT" })).status).toBe(303);
    expect(await at.phase(job)).toBe("ABORTED");
    const bob = { authorization: `Bearer ${token}` };
    expect((await at.get(job, { headers: bob })).status).toBe(404);
    const theirs = existing((await at.post("/echo", {}, bob)).headers.get("location"));
    const local = await place.submit("echo", "--hold");
    for (const path of [theirs, `/echo/${local}`]) expect((await at.get(path)).status).toBe(404);
    expect(idsIn(await at.xml("/echo", { headers: bob }))).toEqual([idOf(theirs)]);
    // Credentials that are wrong are not the same as none.
    expect((await at.get(job, { headers: basic("bob@example.org", "x") })).status).toBe(401);
    expect((await at.get(job, { method: "DELETE" })).status).toBe(303);
    expect((await at.get(job)).status).toBe(404);
  });

  test("a public address is listened on where there are users; the socket is the local user's, who sees all", async () => {
    const { place: own, token } = await placeWithUsers(form);
    await using place = own;
    const bob = { authorization: `Bearer ${token}` };
    const open = await Serving.start(place, ["--listen", "0.0.0.0:0"]);
    const address = open.base.replace("0.0.0.0", "127.0.0.1");
    expect((await fetch(`${address}/echo`)).status).toBe(401);
    const made = await fetch(`${address}/echo`, { method: "POST", headers: bob, redirect: "manual" });
    expect(made.status).toBe(303);
    expect((await fetch(`${address}/echo`, { headers: { ...bob, host: "evil.example" } })).status).toBe(421);
    const running = place.start(["serve", "--listen", "unix:reeve.sock"]);
    await running.says("service started");
    const list = await fetch("http://localhost/echo", { unix: place.of("reeve.sock") });
    expect(idsIn(await list.text())).toEqual([idOf(existing(made.headers.get("location")))]);
    const wrong = await fetch("http://localhost/echo", { unix: place.of("reeve.sock"), headers: basic("ada", "x") });
    expect(wrong.status).toBe(401);
    place.write("reeve.toml", "[service]\nanonymous = true\n");
    const { code, stderr } = await place.reeve("serve", "--listen", "0.0.0.0:0");
    expect([code, stderr]).toEqual([2, expect.stringContaining("could be reached from elsewhere")]);
  });

  test("what one owner may have is bounded; the others are not held up", async () => {
    const settings = `[service]
jobs_per_owner = 2
waiters_per_owner = 1
form_limit = "2KB"
upload_limit = "4KB"
values_limit = 10
body_timeout = "400ms"
destruction_limit = "2d"
execution_duration_limit = "1h"
`;
    const { place: own, token } = await placeWithUsers(form, settings);
    await using place = own;
    const at = await Serving.start(place);
    const bob = { authorization: `Bearer ${token}` };
    const made = await Promise.all(Array.from({ length: 5 }, () => at.post("/echo", {}, bob)));
    expect(made.map(({ status }) => status).toSorted()).toEqual([303, 303, 429, 429, 429]);
    expect(Number(existing(made.find(({ status }) => status === 429)).headers.get("retry-after"))).toBeGreaterThan(0);
    const job = existing(existing(made.find(({ status }) => status === 303)).headers.get("location"));
    const hers = await make(at, { EXECUTIONDURATION: "0", DESTRUCTION: "2999" });
    expect((await at.get(`${hers}/executionduration`, { headers: ada })).text).toBe("3600");
    const destruction = (await at.get(`${hers}/destruction`, { headers: ada })).text;
    expect(Math.abs(Date.parse(destruction) - Date.now() - 2 * 86_400_000)).toBeLessThan(60_000);
    const unsaid = await make(at, {});
    expect((await at.get(`${unsaid}/executionduration`, { headers: ada })).text).toBe("3600");
    expect((await at.get(`${unsaid}?ACTION=DELETE`, { method: "POST", headers: ada })).status).toBe(303);
    const waiting = new AbortController();
    const waits = at.get(`${job}?WAIT=60`, { headers: bob, signal: waiting.signal }).catch(() => "hung up");
    const next = await eventually("another has to come again", async () => {
      const reply = await at.get(`${job}?WAIT=1`, { headers: bob });
      return reply.status === 429 && reply;
    });
    expect(Number(next.headers.get("retry-after"))).toBeGreaterThan(0);
    const events = { headers: { ...bob, accept: "text/event-stream" }, signal: waiting.signal };
    const looking = await fetch(job, events);
    expect([looking.status, (await fetch(job, events)).status]).toEqual([200, 429]);
    await looking.body?.cancel();
    expect((await at.post(`${job}/phase`, { PHASE: "ABORT" }, bob)).status).toBe(303);
    expect(await waits).toMatchObject({ status: 200 });
    expect((await at.post("/echo", {}, bob)).status).toBe(303);
    expect((await at.post("/echo", { text: "x".repeat(3000) }, ada)).status).toBe(413);
    expect(
      (
        await at.post(
          "/echo",
          Array.from({ length: 11 }, () => ["tags", "x"] as const),
          ada,
        )
      ).status,
    ).toBe(413);
    const parts = new FormData();
    parts.append("data", new File(["x".repeat(5000)], "large"));
    expect((await at.get("/echo", { method: "POST", headers: ada, body: parts })).status).toBe(413);
    const values = new FormData();
    values.append("text", "x".repeat(3000));
    expect((await at.get("/echo", { method: "POST", headers: ada, body: values })).status).toBe(413);
    expect(await slowly(at, ada["authorization"] ?? "")).toStartWith("HTTP/1.1 408 ");
    expect((await at.get("/echo", { headers: ada })).status).toBe(200);
  });
});

const make = async (at: Serving, fields: Record<string, string>): Promise<string> =>
  existing((await at.post("/echo", fields, ada)).headers.get("location"));

/** Promises a form, and sends a byte of it now and then. */
function slowly(at: Serving, authorization: string): Promise<string> {
  const { port, host } = new URL(at.base);
  const type = "application/x-www-form-urlencoded";
  const head = [`Host: ${host}`, `Authorization: ${authorization}`, `Content-Type: ${type}`, "Content-Length: 1000"];
  return new Promise((resolve) => {
    const socket = connect(Number(port), "127.0.0.1", () =>
      socket.write(`POST /echo HTTP/1.1\r\n${head.join("\r\n")}\r\n\r\n`),
    );
    const dripping = setInterval(() => socket.write("x"), 100);
    let got = "";
    const end = (): void => {
      clearInterval(dripping);
      socket.destroy();
      resolve(got);
    };
    socket.on("data", (bytes) => {
      got += bytes.toString();
      end();
    });
    socket.on("close", end).on("error", end);
  });
}
