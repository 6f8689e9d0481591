import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as steppedFiles from "../fixtures/stepped-files.ts";
import { temporaryDirectory } from "./temporary.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures");

const STEPPED = new Set(Object.keys(steppedFiles));
const IMPORT = /import \{([^}]*)\} from "node:fs";/g;

/** Takes from the counted calls what is among them, and the rest from where it comes from. */
function divided(names: readonly string[]): string {
  const [stepped, others] = [true, false].map((isOne) =>
    names.filter((name) => STEPPED.has(name) === isOne).join(", "),
  );
  return `import { ${stepped} } from ${JSON.stringify(join(FIXTURES, "stepped-files.ts"))}; import { ${others} } from "node:fs";`;
}

const counting: Bun.BunPlugin = {
  name: "counting",
  setup(build) {
    build.onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replaceAll(IMPORT, (_, names: string) =>
        divided(names.split(",").map((name) => name.trim())),
      ),
      loader: "ts",
    }));
  },
};

/** The program, built so that it can be signalled at each of its steps: see test/fixtures/steps.ts. */
export async function buildStepping(): Promise<Disposable & { readonly argv: readonly string[] }> {
  const directory = temporaryDirectory();
  const { success, logs } = await Bun.build({
    entrypoints: [join(FIXTURES, "stepping.ts")],
    target: "bun",
    format: "esm",
    minify: true,
    // As the program itself is built: it is started hundreds of times.
    bytecode: true,
    compile: { outfile: directory.of("stepping"), autoloadDotenv: false, autoloadBunfig: false },
    plugins: [counting],
    define: { REEVE_VERSION: '"stepping"', REEVE_COMMIT: '""' },
    throw: false,
  });
  if (!success) throw new Error(`the stepping program could not be built: ${logs.join("\n")}`);
  return { argv: [directory.of("stepping")], [Symbol.dispose]: () => directory[Symbol.dispose]() };
}
