import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect, createServer } from "node:net";
import type { HttpHandler, HttpServer, Runtime } from "../../src/runtime/port.ts";
import { eventually, within } from "../support/eventually.ts";
import { existing, temporaryDirectory } from "../support/temporary.ts";
import type { Case } from "./suite.ts";

const TCP = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;

async function serving(
  runtime: Runtime,
  handler: HttpHandler,
  use: (server: HttpServer, base: string) => Promise<void>,
) {
  const server = runtime.serve(TCP, handler);
  try {
    await use(server, `http://127.0.0.1:${existing(server.port)}`);
  } finally {
    await server.close();
  }
}

const answer =
  (text: string): HttpHandler =>
  async () =>
    new Response(text);

export const SERVE_CASES: readonly Case<Runtime>[] = [
  {
    name: "a request is answered, and who asks is known",
    run: (runtime) =>
      serving(
        runtime,
        async (request, peer) => new Response(`${request.method} ${new URL(request.url).pathname} ${peer.address}`),
        async (_, base) => assert.equal(await (await fetch(`${base}/a/b`)).text(), "GET /a/b 127.0.0.1"),
      ),
  },
  {
    name: "a client that hangs up aborts the request's signal, while the answer is awaited",
    run: async (runtime) => {
      const hungUp = Promise.withResolvers<void>();
      const came = Promise.withResolvers<void>();
      const handler: HttpHandler = ({ signal }) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => {
            hungUp.resolve();
            resolve(new Response("nobody reads this"));
          });
          came.resolve();
        });
      await serving(runtime, handler, async (server) => {
        const socket = connect(existing(server.port), "127.0.0.1", () =>
          socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        );
        await within("the request comes", came.promise);
        socket.destroy();
        await within("the signal is aborted", hungUp.promise);
      });
    },
  },
  {
    name: "a client that hangs up in the middle of a body cancels its stream",
    run: async (runtime) => {
      const cancelled = Promise.withResolvers<void>();
      const endless = () =>
        new ReadableStream<Uint8Array>(
          { pull: (controller) => controller.enqueue(new Uint8Array(65_536)), cancel: () => cancelled.resolve() },
          { highWaterMark: 0 },
        );
      await serving(
        runtime,
        async () => new Response(endless()),
        async (server) => {
          const socket = connect(existing(server.port), "127.0.0.1", () =>
            socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
          );
          await new Promise((resolve) => socket.once("data", resolve));
          socket.destroy();
          await within("the stream is cancelled", cancelled.promise);
        },
      );
    },
  },
  {
    name: "what a handler throws is a 500 that shows nothing of it",
    run: (runtime) =>
      serving(
        runtime,
        () => Promise.reject(new Error("secret words")),
        async (_, base) => {
          const reply = await fetch(base);
          assert.equal(reply.status, 500);
          assert.equal(await reply.text(), "");
        },
      ),
  },
  {
    name: "an answer to HEAD keeps the length that it says",
    run: (runtime) =>
      serving(
        runtime,
        async () => new Response(null, { headers: { "Content-Length": "1234" } }),
        async (_, base) => assert.equal((await fetch(base, { method: "HEAD" })).headers.get("content-length"), "1234"),
      ),
  },
  {
    name: "a drain takes no new connections, and ends when what was asked is answered",
    run: async (runtime) => {
      const go = Promise.withResolvers<void>();
      const came = Promise.withResolvers<void>();
      const server = runtime.serve(TCP, async () => {
        came.resolve();
        await go.promise;
        return new Response("seen through");
      });
      const base = `http://127.0.0.1:${existing(server.port)}`;
      const asked = fetch(base, { headers: { connection: "close" } });
      await within("the request comes", came.promise);
      let drained = false;
      const drain = server.drain().then(() => (drained = true));
      await eventually("nobody else is let in", () =>
        fetch(base).then(
          () => false,
          () => true,
        ),
      );
      assert.equal(drained, false);
      go.resolve();
      assert.equal(await (await asked).text(), "seen through");
      await within("the drain ends", drain);
      await server.close();
    },
  },
  {
    name: "a port that is taken is told by its errno",
    run: async (runtime) => {
      const other = createServer().listen(0, "127.0.0.1");
      await new Promise((resolve) => other.once("listening", resolve));
      const taken = other.address();
      const port = typeof taken === "object" ? existing(taken).port : 0;
      assert.throws(() => runtime.serve({ ...TCP, port }, answer("second")), { code: "EADDRINUSE" });
      other.close();
    },
  },
  {
    name: "a unix socket is for this user only, whatever the umask, and its clients have no address",
    run: async (runtime) => {
      using directory = temporaryDirectory();
      const path = directory.of("socket");
      const before = process.umask(0);
      const server = runtime.serve({ kind: "unix", path }, async (_, peer) => new Response(String(peer.address)));
      assert.equal(process.umask(before), 0);
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.equal(server.port, null);
      assert.equal(await overSocket(path), "null");
      await server.close();
    },
  },
];

function overSocket(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, path: "/", headers: { connection: "close" } }, (response) => {
      let text = "";
      response.on("data", (chunk) => (text += String(chunk)));
      response.on("end", () => resolve(text));
    });
    request.on("error", reject).end();
  });
}
