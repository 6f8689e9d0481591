import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { existing, temporaryDirectory } from "../support/temporary.ts";
import { IS_ROOT } from "../support/unprivileged.ts";
import { forEachForm } from "./forms.ts";
import { Place } from "./place.ts";
import { idOf, Serving, type Reply } from "./serving.ts";

const DEFINITIONS = `
[jobs.copy]
command = ["sh", "-c", 'cp "$1" "$REEVE_RESULTS/result" && printf %s "$1" > path', "sh", "{param.data}"]
params.data = { type = "file", required = true }
params.more = { type = "file" }
params.note = { type = "string" }

[service]
upload_limit = "8MB"
`;

/** Larger than what one read or write takes at once, and nothing that a text could be. */
const CONTENT = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 31 + (index >> 8)) & 255));

type Part = readonly [name: string, value: string | File];

const bytesOf = async (address: string): Promise<Buffer> => Buffer.from(await (await fetch(address)).arrayBuffer());

forEachForm("what clients upload", (form) => {
  let place: Place;
  let at: Serving;

  beforeAll(async () => {
    place = new Place(form);
    place.write("reeve.toml", DEFINITIONS);
    at = await Serving.start(place, ["--concurrency", "1"]);
  });
  afterAll(() => place[Symbol.asyncDispose]());

  const send = (path: string, ...parts: readonly Part[]): Promise<Reply> => {
    const body = new FormData();
    for (const [name, value] of parts) {
      if (typeof value === "string") body.append(name, value);
      else body.append(name, value, value.name);
    }
    return at.get(path, { method: "POST", body });
  };
  const make = async (...parts: readonly Part[]): Promise<string> => {
    const { headers, text } = await send("/copy", ...parts);
    return headers.get("location") ?? text;
  };
  const directoryOf = (job: string): string => join(place.store, "jobs", idOf(job).slice(0, 2), idOf(job));
  const staged = (): string[] => readdirSync(join(place.store, "uploads"));
  const jobDirectories = (): string[] => {
    const jobs = join(place.store, "jobs");
    return existsSync(jobs) ? readdirSync(jobs).flatMap((shard) => readdirSync(join(jobs, shard))) : [];
  };

  test.each([
    ["a part with the parameter's name", "DATA", []],
    ["a part that UPLOAD names", "part 1", [["UPLOAD", "data,param:part 1"]]],
    ["a part of any case, beside an empty UPLOAD,", "part 1", [["UPLOAD", ""], ["upload", "DATA, PARAM:part 1;"]]], // prettier-ignore
  ] as const)("%s reaches the job as a file, and can be had again", async (_, part, others) => {
    const file = new File([CONTENT], "../-m 31;$(x).fits", { type: "image/fits" });
    const job = await make(...others, ["PHASE", "RUN"], ["note", "né"], [part, file]);
    await at.reaches(job, "COMPLETED", "ERROR");
    expect((await bytesOf(`${job}/results/result`)).equals(CONTENT)).toBe(true);
    const response = await fetch(`${job}/parameters/data`);
    expect(response.headers.get("content-type")).toBe("image/fits");
    expect(response.headers.get("content-security-policy")).toContain("sandbox");
    expect(Buffer.from(await response.arrayBuffer()).equals(CONTENT)).toBe(true);
    for (const path of [job, `${job}/parameters`]) {
      const xml = await at.xml(path);
      expect(xml).toContain(`<uws:parameter id="data" byReference="true">${job}/parameters/data</uws:parameter>`);
      expect(xml).toContain('<uws:parameter id="note" byReference="false">né</uws:parameter>');
    }
    const path = readFileSync(place.of("path"), "utf8");
    expect(path).toStartWith(`${directoryOf(job)}/uploads/`);
    expect(path.slice(directoryOf(job).length)).toMatch(/^\/uploads\/[a-z2-7]{10}-[\w.-]+\.fits$/);
    expect(staged()).toEqual([]);
    const again = `${at.base}/copy/${(await place.ok("retry", "--quiet", idOf(job))).trim()}`;
    expect((await at.get(job, { method: "DELETE" })).status).toBe(303);
    expect(existsSync(directoryOf(job))).toBe(false);
    await at.reaches(again, "COMPLETED", "ERROR");
    expect((await bytesOf(`${again}/results/result`)).equals(CONTENT)).toBe(true);
    expect((await bytesOf(`${again}/parameters/data`)).equals(CONTENT)).toBe(true);
  });

  test("what is refused leaves nothing behind", async () => {
    const before = jobDirectories();
    const file = new File(["content"], "a.txt");
    const refused: readonly (readonly [status: number, ...Part[]])[] = [
      [403, ["data", "a value"]],
      [403, ["data", new File([], "")]],
      [403, ["note", file]],
      [403, ["other", file]],
      [403, ["PHASE", file], ["data", file]],
      [403, ["data", file], ["data", file]],
      [403, ["data", file], ["UPLOAD", "data,http://127.0.0.1/"]],
      [403, ["UPLOAD", "data,file:///etc/passwd"]],
      [400, ["UPLOAD", "data,param:nothing"]],
      [400, ["UPLOAD", "data"]],
      [400, ["p", file], ["UPLOAD", "data,param:p;more,param:p"]],
      [400, ["p", "a value"], ["UPLOAD", "data,param:p;".repeat(1000)]],
      [400, ["data", file], ["PHASE", "ABORT"]],
    ];
    for (const [status, ...parts] of refused) {
      const reply = await send("/copy", ...parts);
      expect([parts, reply.status]).toEqual([parts, status]);
    }
    const nameless = "--x\r\nContent-Disposition: form-data\r\n\r\nb\r\n--x--\r\n";
    const latin = Buffer.from(nameless.replace("form-data", 'form-data; name="note"').replace("b", "\u00e9"), "latin1");
    const headers = { "content-type": "multipart/form-data; boundary=x" };
    const unreadable = await at.get("/copy", { method: "POST", body: latin, headers });
    expect([unreadable.status, unreadable.text]).toEqual([400, expect.stringContaining("UTF-8")]);
    const types = ["multipart/form-data", "multipart/form-data; boundary=", `multipart/form-data; boundary=x`];
    for (const type of types) {
      for (const body of [
        "",
        "x",
        "--x\r\n",
        "--x--\r\n",
        nameless,
        nameless.replace("form-data", 'form-data; filename="a"'),
        '--x\r\nContent-Disposition: form-data; name="data"; filename="a"\r\n\r\nb',
      ]) {
        const { status } = await at.get("/copy", { method: "POST", body, headers: { "content-type": type } });
        expect([type, body, status >= 400 && status < 500]).toEqual([type, body, true]);
      }
    }
    expect(jobDirectories()).toEqual(before);
    await eventually("nothing is left of them", () => staged().length === 0);
    expect(at.running.log().filter(({ event }) => event === "request failed")).toEqual([]);
  });

  test("more than may come is refused, said before or not, and so is what breaks off", async () => {
    const before = jobDirectories();
    const large = Buffer.alloc(9_000_000, "x");
    expect((await send("/copy", ["data", new File([large], "large")])).status).toBe(413);
    const head = '--x\r\nContent-Disposition: form-data; name="data"; filename="a"\r\n\r\n';
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(sent === 0 ? Buffer.from(head) : Buffer.alloc(65_536, "x"));
        if ((sent += 1) > 200) controller.close();
      },
    });
    const headers = { "content-type": "multipart/form-data; boundary=x" };
    const outcome = await at.get("/copy", { method: "POST", headers, body: endless }).catch(() => ({ status: 413 }));
    expect(outcome.status).toBe(413);
    await new Promise<void>((resolve) => {
      const { port, host } = new URL(at.base);
      const lines = [`POST /copy HTTP/1.1`, `Host: ${host}`, "Content-Type: multipart/form-data; boundary=x"];
      const socket = connect(Number(port), "127.0.0.1", () => {
        socket.write(`${[...lines, "Content-Length: 100000"].join("\r\n")}\r\n\r\n${head}${"x".repeat(50_000)}`);
        void eventually("it comes in", () => staged().length > 0).then(() => socket.destroy());
      });
      socket.on("close", () => resolve());
    });
    await eventually("nothing is left of them", () => staged().length === 0);
    expect(jobDirectories()).toEqual(before);
    await at.xml("/copy");
  });

  test("another file takes the place of one while the job is PENDING, and not later", async () => {
    const job = await make(["data", new File(["first"], "a.txt", { type: "text/plain" })]);
    const files = (): string[] => readdirSync(join(directoryOf(job), "uploads"));
    const [first] = files();
    const tag = existing((await at.get(`${job}/parameters/data`)).headers.get("etag"));
    const second = new File(["secon"], "b.html", { type: "text/html" });
    expect((await send(`${job}/parameters`, ["data", second])).status).toBe(303);
    const now = await at.get(`${job}/parameters/data`, { headers: { "if-none-match": tag } });
    expect([now.status, now.text]).toEqual([200, "secon"]);
    expect(now.headers.get("content-type")).toStartWith("text/html");
    expect(files()).toHaveLength(1);
    expect(files()).not.toEqual([existing(first)]);
    expect((await send(`${job}/parameters/data`, ["VALUE", new File(["third"], "c")])).status).toBe(303);
    // What changes something else leaves the file as it is.
    expect((await send(job, ["RUNID", "x"])).status).toBe(403);
    expect((await at.get(`${job}/parameters/data`)).text).toBe("third");
    expect((await send(`${job}/phase`, ["PHASE", "RUN"])).status).toBe(303);
    await at.reaches(job, "COMPLETED", "ERROR");
    expect((await send(`${job}/parameters`, ["data", second])).status).toBe(403);
    expect((await at.get(`${job}/results/result`)).text).toBe("third");
    expect(files()).toHaveLength(1);
  });

  test.skipIf(!IS_ROOT)(
    "a job of another user can read what was uploaded, and cannot see what else there is",
    async () => {
      using passable = temporaryDirectory();
      chmodSync(passable.path, 0o711);
      await using other = new Place(form, passable.of("store"));
      const script = 'id -un; cat "$1"; ls "$(dirname "$1")" 2>/dev/null || echo unseen';
      other.write(
        "reeve.toml",
        `[jobs.theirs]\ncommand = ["sh", "-c", '''${script}''', "sh", "{param.data}"]\ncwd = "/"
params.data = { type = "file", required = true }\nlimits = { user = "nobody" }`,
      );
      const their = await Serving.start(other, ["--concurrency", "1"]);
      const body = new FormData();
      body.append("data", new File(["content\n"], "a"));
      body.append("PHASE", "RUN");
      const { headers } = await their.get("/theirs", { method: "POST", body });
      const job = existing(headers.get("location"));
      await their.reaches(job, "COMPLETED", "ERROR");
      expect((await their.get(`${job}/results/log`)).text).toBe("nobody\ncontent\nunseen\n");
    },
  );

  test("what is too long for a document, or cannot be in one, is there by reference", async () => {
    for (const note of ["é".repeat(50_001), "a\u0001b"]) {
      const job = await make(["data", new File(["x"], "x")], ["note", note]);
      expect(await at.xml(job)).toContain(`<uws:parameter id="note" byReference="true">${job}/parameters/note</`);
      expect((await at.get(`${job}/parameters/note`)).text).toBe(note);
    }
  });
});
