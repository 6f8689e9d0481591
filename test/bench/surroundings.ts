import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Durability } from "../../src/store/database.ts";
import type { Line } from "./line.ts";

/** What is measured in one go; it gives its lines one by one. */
export interface Row {
  /** For `--only`. */
  readonly name: string;
  measure(at: Surroundings): AsyncIterable<Line>;
}

/** For SQS: nobody checks the signature, but there must be one. */
const CREDENTIALS = { AWS_ACCESS_KEY_ID: "bench", AWS_SECRET_ACCESS_KEY: "bench" };

const ROOT = join(import.meta.dirname, "../..");

/** The yardsticks that are programs of their own. */
export type Yardstick = "hello" | "idle" | "http-server" | "spawn-loop" | "module-loop" | "sqs-consumer";

/** A temporary directory with the programs that are compared. */
export class Surroundings {
  readonly quick: boolean;
  readonly directory: string;
  /** A copy, so that a build does not change what is measured. */
  readonly reeve: string;
  #directories = 0;

  constructor(quick: boolean) {
    const built = join(ROOT, "dist/reeve");
    if (!existsSync(built)) throw new Error(`${built} is not there: \`bun run build\` makes it`);
    this.quick = quick;
    this.directory = mkdtempSync(join(tmpdir(), "reeve-bench-"));
    this.reeve = join(this.directory, "reeve");
    copyFileSync(built, this.reeve);
  }

  /** What every process here is given. */
  get environment(): Record<string, string> {
    // The temporary directory may be on a filesystem that only the user knows not to be shared.
    return { PATH: process.env["PATH"] ?? "", HOME: this.directory, REEVE_SHARED_FILESYSTEM: "1", ...CREDENTIALS };
  }

  newDirectory(): string {
    this.#directories += 1;
    const path = join(this.directory, String(this.#directories));
    mkdirSync(path);
    return path;
  }

  /** The arguments that every verb needs to work on a fresh store of this durability; `more` goes to its reeve.toml. */
  newStore(durability: Durability, more = ""): { readonly directory: string; readonly options: readonly string[] } {
    const directory = this.newDirectory();
    const config = join(directory, "reeve.toml");
    writeFileSync(config, `[store]\ndurability = "${durability}"\n${more}`);
    const store = join(directory, "store");
    return { directory: store, options: ["--store", store, "--config", config] };
  }

  /** Compiles a yardstick as the binary itself is compiled. */
  async compiled(name: Yardstick): Promise<string> {
    const outfile = join(this.directory, name);
    if (existsSync(outfile)) return outfile;
    const { success, logs } = await Bun.build({
      entrypoints: [join(import.meta.dirname, "yardsticks", `${name}.ts`)],
      target: "bun",
      format: "esm",
      minify: true,
      bytecode: true,
      compile: { outfile, autoloadDotenv: false, autoloadBunfig: false },
    });
    if (!success) throw new Error(`the yardstick ${name} was not built: ${logs.join("; ")}`);
    return outfile;
  }

  /** Runs a program to its end. */
  async run(argv: readonly string[], cwd = this.directory): Promise<void> {
    const child = this.start(argv, cwd);
    const code = await child.exited;
    if (code !== 0) throw new Error(`${argv.slice(0, 4).join(" ")} … ended with ${code ?? child.signalCode}`);
  }

  /** Starts one whose output nobody wants to see. */
  start(argv: readonly string[], cwd = this.directory): Bun.Subprocess {
    return Bun.spawn([...argv], { cwd, env: this.environment, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
