/** Spawns and waits, and does nothing else: `spawn-loop PROGRAM COUNT CONCURRENCY`. */
import { argv } from "node:process";

const [program = "/bin/true", count = "1", concurrency = "1"] = argv.slice(2);

let left = Number(count);

async function runSome(): Promise<void> {
  while (left > 0) {
    left -= 1;
    const child = Bun.spawn([program], { stdin: "ignore", stdout: "ignore", stderr: "ignore", detached: true });
    const code = await child.exited;
    if (code !== 0) throw new Error(`${program} ended with ${code}`);
  }
}

await Promise.all(Array.from({ length: Number(concurrency) }, runSome));
