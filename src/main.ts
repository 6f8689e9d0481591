import { codeOf } from "./errors.ts";
import { versionLine } from "./cli/version.ts";
import { FUNCTION_VERB } from "./functions/verb.ts";

const VERSION_FLAGS = new Set(["--version", "-V", "-v"]);

/** The exit code. What is not needed to tell the version is loaded only after that. */
async function main(argv: readonly string[]): Promise<number> {
  if (VERSION_FLAGS.has(argv[0] ?? "")) {
    watchReaders();
    process.stdout.write(`${versionLine()}\n`);
    return 0;
  }
  if (argv[0] === FUNCTION_VERB) process.exit(await serveModule(argv.slice(1)));
  const { report } = await import("./cli/failures.ts");
  try {
    const { runProgram } = await import("./cli/program.ts");
    return await runProgram(argv, watchReaders);
  } catch (error) {
    watchReaders();
    return report(error);
  }
}

async function serveModule(argv: readonly string[]): Promise<number> {
  const { serve } = await import("./functions/serving.ts");
  return serve(argv, dieAs);
}

async function dieAs(signal: string): Promise<number> {
  const [dying, { runtime }] = await Promise.all([import("./cli/dying.ts"), import("./runtime/index.ts")]);
  return dying.dieAs(signal, runtime.libc());
}

/** Whoever read our output has gone (`| head`): nobody is left to tell, and nothing is wrong. */
function endWithReader(error: unknown): void {
  if (codeOf(error) !== "EPIPE") throw error;
  process.exit(0);
}

function watchReaders(): void {
  process.stdout.on("error", endWithReader);
  process.stderr.on("error", endWithReader);
}

// The program ends by itself, since an exit would cut what is still to be written.
process.exitCode = await main(process.argv.slice(2));
