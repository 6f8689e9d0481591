/**
 * Spawns a compiled binary as the runtime that is in it, which imports a module and ends, and waits; nothing else:
 * `module-loop BINARY MODULE COUNT CONCURRENCY`.
 */
import { argv } from "node:process";

const [binary = "", module = "", count = "1", concurrency = "1"] = argv.slice(2);
const env = { ...process.env, BUN_BE_BUN: "1" };

let left = Number(count);

async function runSome(): Promise<void> {
  while (left > 0) {
    left -= 1;
    const child = Bun.spawn([binary, module], {
      env,
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
      detached: true,
    });
    const code = await child.exited;
    if (code !== 0) throw new Error(`${module} ended with ${code}`);
  }
}

await Promise.all(Array.from({ length: Number(concurrency) }, runSome));
