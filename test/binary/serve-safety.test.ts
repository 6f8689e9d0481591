import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { runtime } from "../../src/runtime/index.ts";
import { eventually, within } from "../support/eventually.ts";
import { existing } from "../support/temporary.ts";
import { forEachForm, scaled } from "./forms.ts";
import type { Place } from "./place.ts";
import { idOf, placeWithDefinitions, Serving, valueOf } from "./serving.ts";

const JUNK_REQUESTS = { whole: 20_000, part: 2000 };

forEachForm("what the service withstands", (form) => {
  let place: Place;
  let at: Serving;

  beforeAll(async () => {
    place = placeWithDefinitions(form);
    at = await Serving.start(place, ["--concurrency", "2"]);
  });
  afterAll(() => place[Symbol.asyncDispose]());

  test("results come with type, size and tag, whole, in part, or not again", async () => {
    const job = await at.done("echo", { text: "0123456789" });
    const xml = await at.xml(`${job}/results`);
    const ids = [...xml.matchAll(/<uws:result id="([^"]*)"/g)].map(([, id]) => id);
    expect(ids).toEqual(["big.bin", "plots/a b.txt", "result.txt", "stdout", "stderr"]);
    expect(xml).toContain(`xlink:href="${job}/results/plots/a%20b.txt" size="5" mime-type="text/plain"`);
    expect((await at.get(`${job}/results/plots/a%20b.txt`)).text).toBe("plot\n");
    expect((await at.get(`${job}/results/plots%2Fa%20b.txt`)).text).toBe("plot\n");
    expect((await at.get(`${job}/results/stdout`)).text).toBe("out\n");
    expect((await at.get(`${job}/results/stderr`)).text).toBe("err\n");
    const small = `${job}/results/result.txt`;
    const whole = await at.get(small);
    const tag = existing(whole.headers.get("etag"));
    expect(whole.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(whole.headers.get("content-length")).toBe("10");
    const ask = (headers: Record<string, string>, address = small) => at.get(address, { headers });
    expect(await ask({ "if-none-match": tag })).toMatchObject({ status: 304, text: "" });
    for (const [range, text, bytes] of [
      ["bytes=2-4", "234", "2-4"],
      ["bytes=7-", "789", "7-9"],
      ["bytes=-2", "89", "8-9"],
      ["bytes=8-99", "89", "8-9"],
    ] as const) {
      const part = await ask({ range });
      expect([range, part.status, part.text]).toEqual([range, 206, text]);
      expect(part.headers.get("content-range")).toBe(`bytes ${bytes}/10`);
    }
    expect(await ask({ range: "bytes=10-" })).toMatchObject({ status: 416 });
    expect((await ask({ range: "bytes=10-" })).headers.get("content-range")).toBe("bytes */10");
    for (const range of ["bytes=4-2", "lines=1-2", "bytes=1-2,4-5", "x"]) {
      expect(await ask({ range })).toMatchObject({ status: 200, text: "0123456789" });
    }
    expect(await ask({ range: "bytes=2-4", "if-range": '"other"' })).toMatchObject({ status: 200 });
    expect(await ask({ range: "bytes=2-4", "if-range": tag })).toMatchObject({ status: 206 });
    const big = `${job}/results/big.bin`;
    expect((await at.get(big)).text).toBe("x".repeat(700_000));
    expect((await ask({ range: "bytes=300000-" }, big)).text).toHaveLength(400_000);
    expect((await at.get(big, { method: "HEAD" })).headers.get("content-length")).toBe("700000");
  });

  test("no result is a file outside of the job's directory", async () => {
    const job = await at.done("echo");
    const secret = place.write("secret", "you should not see this");
    for (const path of [
      "../../../../etc/passwd",
      "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
      "..%2f..%2f..%2fetc%2fpasswd",
      "%2Fetc%2Fpasswd",
      "/etc/passwd",
      "plots/../../../reeve.db",
      "..%5c..%5creeve.db",
      "big.bin%00",
      "%ff%fe",
      "%",
    ]) {
      const { status, text } = await at.get(`${job}/results/${path}`);
      expect([path, status]).toEqual([path, 404]);
      expect(text).not.toContain("root:");
    }
    // Files that were put in the place of a result, where jobs of the same user could put them.
    const directory = join(place.store, "jobs", idOf(job).slice(0, 2), idOf(job));
    const results = existing(readdirSync(directory).find((name) => name.startsWith("results.")));
    const file = join(directory, results, "big.bin");
    rmSync(file);
    symlinkSync(secret, file);
    expect((await at.get(`${job}/results/big.bin`)).status).toBe(404);
    // A directory beside it whose name begins the same is another's.
    renameSync(join(directory, results), `${directory}-else`);
    symlinkSync(`${directory}-else`, join(directory, results));
    rmSync(join(`${directory}-else`, "big.bin"));
    writeFileSync(join(`${directory}-else`, "big.bin"), "elsewhere");
    expect((await at.get(`${job}/results/big.bin`)).status).toBe(404);
    rmSync(`${directory}-else`, { recursive: true });
    expect((await at.get(`${job}/results/big.bin`)).status).toBe(404);
  });

  test("a foreign Host is refused always, a foreign Origin on changes", async () => {
    const job = await at.make("echo");
    const host = at.base.replace("http://", "");
    for (const bad of ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil"]) {
      expect((await at.get("/echo", { headers: { host: bad } })).status).toBe(421);
      expect((await at.post(`${job}/phase`, { PHASE: "RUN" }, { host: bad })).status).toBe(421);
    }
    for (const good of [host, "localhost", "LOCALHOST:1", "[::1]:80"]) {
      expect((await at.get("/echo", { headers: { host: good } })).status).toBe(200);
    }
    for (const origin of ["http://evil.example", "null", `http://${host}0`, "x"]) {
      expect((await at.post(`${job}/phase`, { PHASE: "RUN" }, { origin })).status).toBe(403);
      expect((await at.get(job, { method: "DELETE", headers: { origin } })).status).toBe(403);
      expect((await at.get(job, { headers: { origin } })).status).toBe(200);
    }
    expect(await at.phase(job)).toBe("PENDING");
    expect((await at.post(`${job}/phase`, { PHASE: "RUN" }, { origin: `http://${host}` })).status).toBe(303);
  });

  test("nothing of what was asked is in an error, and every answer forbids browsers to make more of it", async () => {
    const mark = "<script>alert(1)</script>";
    const replies = [
      await at.get(`/${encodeURIComponent(mark)}`),
      await at.get(`/echo?PHASE=${encodeURIComponent(mark)}`),
      await at.post("/echo", { [mark]: "x" }),
      await at.post("/echo", { code: mark }),
      await at.post("/echo", { PHASE: mark }),
      await at.get("/echo", { headers: { host: mark } }),
    ];
    for (const { status, text, headers } of replies) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(text).not.toContain("alert");
      expect(headers.get("content-type")).toStartWith("text/plain");
    }
    const job = await at.done("echo");
    for (const path of ["/", "/echo", "/nothing", job, `${job}/phase`, `${job}/results/result.txt`]) {
      const { headers } = await at.get(path);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("content-security-policy")).toContain("sandbox");
    }
  });

  test("a locked store is said to be busy, and can be read all the while", async () => {
    const job = await at.make("echo");
    const database = runtime.openDatabase(join(place.store, "reeve.db"), { create: false });
    database.exec("PRAGMA busy_timeout = 10000");
    database.exec("BEGIN IMMEDIATE");
    const { status, headers } = await at.post(`${job}/phase`, { PHASE: "RUN" });
    expect(await at.phase(job)).toBe("PENDING");
    database.exec("ROLLBACK");
    database.close();
    expect(status).toBe(503);
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await at.post(`${job}/phase`, { PHASE: "RUN" })).status).toBe(303);
  });

  test("junk gets an answer that blames it, and nothing breaks", async () => {
    const job = await at.make("echo");
    const random = seeded(20_261_122);
    const counts = new Map<number, number>();
    const most = scaled(form, JUNK_REQUESTS.whole, JUNK_REQUESTS.part);
    for (let sent = 0; sent < most; sent += 20) {
      const replies = await Promise.all(
        Array.from({ length: 20 }, () => fetch(...junkRequest(random, at.base, idOf(job)))),
      );
      for (const reply of replies) {
        counts.set(reply.status, (counts.get(reply.status) ?? 0) + 1);
        expect(await reply.text()).not.toContain("root:");
      }
    }
    expect([...counts.keys()].filter((status) => status >= 500)).toEqual([]);
    // It is not all refused for one reason.
    expect(counts.size).toBeGreaterThan(4);
    expect(place.processes()).toContain(at.running.pid);
    expect(at.running.log().filter(({ event }) => event === "request failed")).toEqual([]);
    await at.xml("/echo");
  });

  test("requests that no client of HTTP would send get no answer of ours, or one that blames them", async () => {
    const { port } = new URL(at.base);
    const raw = (lines: readonly string[]): Promise<string> =>
      new Promise((resolve) => {
        let got = "";
        const socket = connect(Number(port), "127.0.0.1", () => socket.write(`${lines.join("\r\n")}\r\n\r\n`));
        socket.on("data", (chunk) => (got += String(chunk))).on("error", () => resolve(got));
        socket.on("close", () => resolve(got));
      });
    const end = "Connection: close";
    for (const [status, ...lines] of [
      ["400", "GET /echo HTTP/1.1", end],
      ["400", "GET /echo HTTP/1.1", 'Host: a b"<', end],
      ["421", "GET http://evil.example/echo HTTP/1.1", "Host: evil.example", end],
      ["404", "GET //evil.example/echo HTTP/1.1", "Host: localhost", end],
      ["404", "GET /echo/../../../../../../etc/passwd HTTP/1.1", "Host: localhost", end],
      ["404", "GET /%zz HTTP/1.1", "Host: localhost", end],
      ["200", "GET /echo?LAST=1 HTTP/1.1", "Host: localhost", end],
    ] as const) {
      const got = await within(lines[0], raw(lines));
      expect([lines, got.slice(0, 12)]).toEqual([lines, `HTTP/1.1 ${status}`]);
    }
    for (const lines of [
      ["NONSENSE"],
      ["GET /echo HTTP/9.9", "Host: localhost", end],
      ["OPTIONS * HTTP/1.1", "Host: x", end],
    ]) {
      expect(await within(lines[0] ?? "", raw(lines))).not.toMatch(/^HTTP\/1\.1 (?:2|500)/);
    }
    expect((await at.get("/")).status).toBe(200);
  });

  test("a stop answers those who wait, ends by its signal, and hands jobs on", async () => {
    await using other = placeWithDefinitions(form);
    const server = await Serving.start(other, ["--concurrency", "1"]);
    const running = await server.make("sleep", { PHASE: "RUN" });
    await server.reaches(running, "EXECUTING");
    const waiting = server.get(`${running}?WAIT=60`);
    const alone = await Serving.start(other);
    const elsewhere = alone.get(`${running.replace(server.base, alone.base)}?WAIT=60&PHASE=EXECUTING`);
    // Both are answered by then: a request that has come is seen through.
    await alone.get("/");
    server.running.signal("SIGTERM");
    expect((await within("the waiter is answered", waiting)).status).toBe(200);
    const done = await within("the server ends", server.running.ended, 30_000);
    expect(done.signal).toBe("SIGTERM");
    expect(valueOf((await within("the other hears of it", elsewhere)).text, "phase")).toBe("QUEUED");
    expect(other.jobProcesses()).toEqual([]);
    alone.running.signal("SIGINT");
    expect((await within("the server alone ends", alone.running.ended, 30_000)).signal).toBe("SIGINT");
  });

  test("a unix socket is for this user only, outlives a killed server's file, and is taken by one", async () => {
    await using other = placeWithDefinitions(form);
    const socket = other.of("reeve.sock");
    const first = other.start(["serve", "--listen", "unix:reeve.sock"]);
    await first.says("service started");
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    const reply = await fetch("http://localhost/", { unix: socket });
    expect(await reply.text()).toContain("http://localhost/echo");
    expect((await other.reeve("serve", "--listen", `unix:${socket}`)).code).toBe(69);
    first.signal("SIGKILL");
    await first.ended;
    const second = other.start(["serve", "--listen", `unix:${socket}`]);
    await second.says("service started");
    expect((await fetch("http://localhost/echo", { unix: socket })).status).toBe(200);
    second.signal("SIGTERM");
    await second.ended;
    await eventually("the socket is gone", () => !readdirSync(other.of()).includes("reeve.sock"));
  });

  test("a server whose store is gone tells why, and ends", async () => {
    await using other = placeWithDefinitions(form);
    const server = await Serving.start(other);
    renameSync(join(other.store, "reeve.db"), join(other.store, "elsewhere.db"));
    const { status, headers } = await server.post("/echo");
    expect([status, Number(headers.get("retry-after"))]).toEqual([503, expect.any(Number)]);
    const { code, stderr } = await within("the server ends", server.running.ended, 30_000);
    expect([code, stderr]).toEqual([69, expect.stringContaining("was replaced or removed")]);
  });

  test("an address that others could reach, or that is taken, is refused", async () => {
    await using other = placeWithDefinitions(form);
    const { code: refused, stderr: why } = await other.reeve("serve", "--listen", "0.0.0.0:8080");
    expect([refused, why]).toEqual([2, expect.stringContaining("could be reached from elsewhere")]);
    // What keeps its worker from beginning ends the server, too.
    const wrong = other.reeve("serve", "--listen", "127.0.0.1:0", "--concurrency", "0");
    expect((await wrong).code).toBe(2);
    for (const name of ["data.example:8080", "https://data.example", "a b", ""]) {
      const { code, stderr } = await other.reeve("serve", "--listen", "127.0.0.1:0", "--allow-host", name);
      expect([name, code, stderr]).toEqual([name, 2, expect.stringContaining("is no name of a host")]);
    }
    mkdirSync(other.of("directory"));
    expect((await other.reeve("serve", "--listen", "unix:directory")).code).toBe(2);
    const taken = createServer().listen(0, "127.0.0.1");
    const port = await eventually("it listens", () => portOf(taken.address()));
    const listen = ["--listen", `127.0.0.1:${port}`];
    const second = await other.reeve("serve", ...listen);
    await new Promise((resolve) => taken.close(resolve));
    await Serving.start(other, listen);
    // A server of our own is another program, too.
    for (const { code, stderr } of [second, await other.reeve("serve", ...listen)]) {
      expect([code, stderr]).toEqual([69, expect.stringContaining("another program listens there")]);
    }
  });
});

const portOf = (address: unknown): number | null =>
  typeof address === "object" && address !== null && "port" in address ? Number(address.port) : null;

type Random = (below: number) => number;

/** Always the same junk: what breaks once can be looked at. */
function seeded(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const PARTS = ["echo", "jobs", "ID", "phase", "results", "parameters", "text", "..", "%2e%2e", "%00", "%ff", "%zz", "etc", "passwd", "{}", "é", "'", "--", "~", ".", "capabilities", "executionduration", "destruction", "quote", "owner", "error", "constructor", "__proto__", "stdout", "x".repeat(300)]; // prettier-ignore
const NAMES = ["PHASE", "phase", "ACTION", "WAIT", "AFTER", "LAST", "RUNID", "DESTRUCTION", "EXECUTIONDURATION", "text", "code", "tags", "data", "", "é", "__proto__", "VALUE", "MAXREC"]; // prettier-ignore
// ABORT and DELETE would leave no job to be junk to.
const VALUES = ["RUN1", "", "0", "-1", "1e400", "99999999999999999999", "2015", "2026-13-45T99:99:99Z", "\0", "\u0001", "'; DROP TABLE jobs; --", "../../etc/passwd", "%s%n", "é".repeat(200), "x".repeat(70_000), "+00:00"]; // prettier-ignore
const METHODS = ["GET", "GET", "POST", "POST", "POST", "HEAD", "PUT", "PATCH", "OPTIONS", "DELETE", "PROPFIND"];
const HEADERS = [["range", "bytes=9-1,-"], ["if-none-match", '"'], ["content-type", "multipart/form-data"], ["content-type", "text/html; charset=\u00ff"], ["x-forwarded-host", "a b"], ["x-forwarded-prefix", "/../.."], ["x-forwarded-proto", ","], ["accept", "*/*;q=x"], ["origin", "::"], ["authorization", "Basic !"], ["cookie", "=;="], ["content-type", "application/x-www-form-urlencoded; charset=x"]] as const; // prettier-ignore

function junkRequest(random: Random, base: string, id: string): [string, RequestInit] {
  const pick = <T>(from: readonly T[]): T => existing(from[random(from.length)]);
  const some = <T>(most: number, make: () => T): T[] => Array.from({ length: random(most + 1) }, make);
  const pairs = (most: number): string => {
    const given = new URLSearchParams();
    for (const [name, value] of some(most, () => [pick(NAMES), pick(VALUES)] as const)) given.append(name, value);
    return given.toString();
  };
  const segments = some(5, () => pick(PARTS).replace("ID", id));
  const path = ["echo", ...segments].slice(random(2)).join("/");
  const method = path.endsWith(id) && random(2) === 0 ? "GET" : pick(METHODS);
  const hasBody = !["GET", "HEAD"].includes(method);
  const body = random(3) === 0 ? Buffer.from(some(300, () => random(256))) : pairs(5).slice(0, 200_000);
  const headers = Object.fromEntries(some(2, () => pick(HEADERS)));
  const query = random(2) === 0 ? "" : `?${pairs(3).slice(0, 4000)}`;
  return [`${base}/${path}${query}`, { method, redirect: "manual", headers, ...(hasBody && { body }) }];
}
