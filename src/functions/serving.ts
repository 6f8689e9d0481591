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
  if (!fstatSync(1).isFile()) await new Promise((resolve) => process.stdout.write("", resolve));
  return "code" in way ? way.code : dieAs(way.signal);
}
