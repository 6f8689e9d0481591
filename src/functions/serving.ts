import { fstatSync } from "node:fs";
import type { Runtime } from "../runtime/port.ts";
import { serveModule } from "./child.ts";

/**
 * Does what this process was started for. What a function leaves open or running does not keep its process; what it has
 * written does.
 *
 * @param dieAs ends this process by a signal, or gives what stands for that
 * @returns the code with which whoever may end this process is to end it
 */
export async function serve(
  argv: readonly string[],
  runtime: Runtime,
  dieAs: (signal: string) => number | Promise<number>,
): Promise<number> {
  const way = await serveModule(argv, runtime);
  await Promise.all([written(process.stdout, 1), written(process.stderr, 2)]);
  return "code" in way ? way.code : dieAs(way.signal);
}

/** What is written to a file has been, but a stream may have kept what a pipe did not take at once. */
async function written(stream: NodeJS.WriteStream, descriptor: number): Promise<void> {
  if (fstatSync(descriptor).isFile()) return;
  await new Promise<unknown>((resolve) => {
    // Who read it may have gone.
    stream.once("error", resolve);
    stream.end(() => resolve(null));
  });
}
