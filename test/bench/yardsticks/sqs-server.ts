/** An SQS-compatible server on loopback that counts what it is asked: `sqs-server LATENCY_MS`. Tells its port to its parent. */
import type { AddressInfo } from "node:net";
import { argv } from "node:process";
import { buildApp } from "fauxqs";

const latencyMs = Number(argv[2] ?? 0);
const counts = new Map<string, number>();

const app = buildApp({ logger: false });
app.addHook(
  "onRequest",
  ({ headers }: { readonly headers: Readonly<Record<string, unknown>> }, _reply: unknown, done: () => void) => {
    const action = String(headers["x-amz-target"] ?? "").replace("AmazonSQS.", "");
    if (action !== "") counts.set(action, (counts.get(action) ?? 0) + 1);
    // As far away as the servers of a region are.
    if (action === "" || latencyMs === 0) done();
    else setTimeout(done, latencyMs);
  },
);
app.get("/_counts", () => Object.fromEntries(counts));

await app.listen({ host: "127.0.0.1", port: 0 });
const { port } = app.server.address() as AddressInfo;
process.send?.(port);
