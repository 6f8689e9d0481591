import { readFileSync } from "node:fs";

// `http-server PORT FILE`: answers whatever it is asked with what is in a file.
const [port, file] = process.argv.slice(2);
const text = readFileSync(file ?? "", "utf8");
Bun.serve({ hostname: "127.0.0.1", port: Number(port), fetch: () => new Response(text) });
