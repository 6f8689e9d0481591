import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer as createTlsServer } from "node:https";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { join } from "node:path";
import { readFileSync } from "node:fs";
import { SQS_CASES } from "../contract/sqs/cases.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const ROOT = join(import.meta.dirname, "../..");
const MAIN = join(ROOT, "test/contract/sqs/main.ts");
const TLS = join(ROOT, "test/fixtures/tls");
const AUTHORITY = join(TLS, "ca.pem");
const KEYS = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", PATH: process.env["PATH"] ?? "" };

const DENO = { DENO_DIR: join(ROOT, "node_modules/.cache/deno"), DENO_NO_UPDATE_CHECK: "1" };

const directory = temporaryDirectory();
const COMPILED = directory.of("cases");

const FORMS = [
  ["compiled", [COMPILED]],
  ["bun", [process.execPath, MAIN]],
  ["deno", [join(ROOT, "node_modules/.bin/deno"), "run", "-A", MAIN]],
] as const;

/** As build.ts builds the program. */
async function compile(): Promise<void> {
  const { success, logs } = await Bun.build({
    entrypoints: [MAIN],
    target: "bun",
    format: "esm",
    minify: true,
    bytecode: true,
    splitting: true,
    compile: { outfile: COMPILED, autoloadDotenv: false, autoloadBunfig: false },
  });
  if (!success) throw new Error(logs.join("\n"));
}

const listening = async <S extends Server>(server: S): Promise<S> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
};

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** SQS, which has nothing, on TLS; and a proxy that leads to it whatever it is asked for. */
let sqs: Server;
let proxy: Server;
/** What the compiled cases print: they wait more than they work, beside the other tests. */
let cases: Promise<string>;
const asked: string[] = [];

beforeAll(async () => {
  await compile();
  const stdio = { stdin: "ignore", stdout: "pipe", stderr: "inherit" } as const;
  cases = Bun.spawn([COMPILED], { cwd: directory.path, timeout: 60_000, ...stdio }).stdout.text();
  const identity = { key: readFileSync(join(TLS, "server.key")), cert: readFileSync(join(TLS, "server.pem")) };
  sqs = await listening(createTlsServer(identity, (_, response) => void response.end("{}")));
  proxy = await listening(
    createServer((client) => {
      client.on("error", () => client.destroy());
      client.once("data", (head) => {
        asked.push(head.toString("latin1").split("\r\n")[0] ?? "");
        const server = connect(portOf(sqs), "127.0.0.1", () => {
          client.write("HTTP/1.1 200 Connection established\r\n\r\n");
          client.pipe(server).pipe(client);
        });
        server.on("error", () => client.destroy());
        client.on("close", () => server.destroy());
      });
    }),
  );
}, 60_000);

afterAll(() => {
  sqs.close();
  proxy.close();
  directory[Symbol.dispose]();
});

/** What one poll tells, in a process with this environment. */
async function poll(argv: readonly string[], url: string, environment: Readonly<Record<string, string>>) {
  asked.length = 0;
  const child = Bun.spawn([...argv, "poll", url], {
    cwd: directory.path,
    env: { ...KEYS, ...DENO, HOME: directory.path, ...environment },
    stdin: "ignore",
    stderr: "inherit",
    timeout: 30_000,
  });
  const text = await child.stdout.text();
  expect(await child.exited).toBe(0);
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}

const own = (): string => `https://127.0.0.1:${portOf(sqs)}/queue/jobs`;

describe.each(FORMS)("%s", (_, argv) => {
  test("a server whose certificate nobody vouches for is fatal, with a word on AWS_CA_BUNDLE", async () => {
    const outcome = await poll(argv, own(), {});
    expect(outcome).toMatchObject({ kind: "fatal", hint: expect.stringContaining("AWS_CA_BUNDLE") });
  });

  test("HTTPS_PROXY leads to AWS, and AWS_CA_BUNDLE vouches for who answers", async () => {
    const url = "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs";
    const environment = { HTTPS_PROXY: `http://127.0.0.1:${portOf(proxy)}`, AWS_CA_BUNDLE: AUTHORITY };
    expect(await poll(argv, url, environment)).toEqual({ kind: "ok", value: [] });
    expect(asked).toEqual(["CONNECT sqs.eu-west-1.amazonaws.com:443 HTTP/1.1"]);
  });

  test("NO_PROXY leads past the proxy", async () => {
    const environment = { HTTPS_PROXY: `http://127.0.0.1:${portOf(proxy)}`, NO_PROXY: "127.0.0.1" };
    expect(await poll(argv, own(), { ...environment, AWS_CA_BUNDLE: AUTHORITY })).toEqual({ kind: "ok", value: [] });
    expect(asked).toEqual([]);
  });
});

test("every promise is kept where the SDK is part of the binary", async () => {
  const lines = (await cases).trim().split("\n");
  expect(lines.filter((line) => !line.startsWith('{"name":') || !line.includes('"ok":true'))).toEqual([]);
  expect(lines.length).toBe(SQS_CASES.length);
});
