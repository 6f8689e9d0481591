import { cpSync, mkdirSync, mkdtempSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { temporaryDirectory, type TemporaryDirectory } from "../support/temporary.ts";

const ROOT = join(import.meta.dirname, "../..");
const BIN = join(ROOT, "node_modules/.bin");
const PATIENCE_MS = 60_000;

/** One runtime that a user's program runs on. */
export interface Host {
  readonly name: "bun" | "deno";
  readonly argv: readonly string[];
}

export const HOSTS: readonly Host[] = [
  { name: "bun", argv: [process.execPath] },
  { name: "deno", argv: [join(BIN, "deno"), "run", "-A"] },
];

const ENVIRONMENT = {
  PATH: `${BIN}:${process.env["PATH"]}`,
  // Else it would look anew at all dependencies for every home directory.
  DENO_DIR: join(ROOT, "node_modules/.cache/deno"),
  DENO_NO_UPDATE_CHECK: "1",
  NO_COLOR: "1",
};

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What it told, a line each. */
  readonly told: unknown[];
}

/** A program of a user's that runs. */
export interface Running {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** The next thing that it tells. */
  next(): Promise<unknown>;
}

export interface Place {
  readonly host: Host;
  /** A directory of its own. */
  readonly path: string;
}

/** A user's project: Reeve is a package in its node_modules, as npm packs it, and nothing of our sources is there. */
export class Consumer implements Disposable {
  readonly #directory: TemporaryDirectory;

  private constructor(directory: TemporaryDirectory) {
    this.#directory = directory;
  }

  static install(): Consumer {
    const directory = temporaryDirectory();
    command(["npm", "pack", "--silent", "--pack-destination", directory.path], ROOT);
    const packed = directory.of("node_modules/reeve");
    mkdirSync(packed, { recursive: true });
    command(["tar", "xzf", `reeve-${manifest.version}.tgz`, "-C", packed, "--strip-components=1"], directory.path);
    for (const name of [...Object.keys(manifest.dependencies), "bun-types", "@types/node"]) link(directory, name);
    cpSync(join(import.meta.dirname, "programs"), directory.of("programs"), { recursive: true });
    const dependencies = { reeve: manifest.version };
    directory.write("package.json", JSON.stringify({ name: "consumer", type: "module", dependencies }));
    return new Consumer(directory);
  }

  get path(): string {
    return this.#directory.path;
  }

  write(name: string, content: string): string {
    return this.#directory.write(name, content);
  }

  /** Where a program can run by itself. */
  place(host: Host): Place {
    return { host, path: mkdtempSync(this.#directory.of("place-")) };
  }

  /** Runs one of the programs to its end. */
  async run(place: Place, program: string, ...args: string[]): Promise<Ended> {
    return this.start(place, program, ...args).ended;
  }

  start({ host, path }: Place, program: string, ...args: string[]): Running {
    const file = join(this.path, "programs", program);
    const child = Bun.spawn([...host.argv, file, ...args], {
      cwd: path,
      env: { ...ENVIRONMENT, AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test", HOME: path },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: PATIENCE_MS,
      killSignal: "SIGKILL",
    });
    const lines = new Lines(child.stdout);
    return { pid: child.pid, ended: endOf(child, lines), next: () => lines.next() };
  }

  /** What a checker of types says of files in it; an empty text: nothing. */
  check(argv: readonly string[]): string {
    const { exitCode, stdout, stderr } = Bun.spawnSync([...argv], {
      cwd: this.path,
      env: { ...process.env, ...ENVIRONMENT },
    });
    return exitCode === 0 ? "" : `${stdout.toString()}${stderr.toString()}`;
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

function link(directory: TemporaryDirectory, name: string): void {
  const path = directory.of("node_modules", name);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(join(ROOT, "node_modules", name), path);
}

function command(argv: readonly string[], cwd: string): void {
  const { success, stdout, stderr } = Bun.spawnSync([...argv], {
    cwd,
    env: { ...process.env, PATH: ENVIRONMENT.PATH },
  });
  if (!success) throw new Error(`${argv.join(" ")}: ${stdout.toString()}${stderr.toString()}`);
}

async function endOf(child: Bun.Subprocess<"ignore", "pipe", "pipe">, lines: Lines): Promise<Ended> {
  const [stdout, stderr] = await Promise.all([lines.all(), new Response(child.stderr).text(), child.exited]);
  const told = stdout.split("\n").filter(Boolean).map(parsed);
  return {
    code: child.exitCode,
    signal: child.signalCode === null ? null : String(child.signalCode),
    stdout,
    stderr,
    told,
  };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}

/** Lines as they come. */
class Lines {
  readonly #ended: Promise<void>;
  readonly #waiting: ((line: string) => void)[] = [];
  readonly #lines: string[] = [];
  #text = "";
  #given = 0;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#ended = this.#read(stream);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      this.#text += decoder.decode(bytes, { stream: true });
      this.#lines.splice(0, Number.POSITIVE_INFINITY, ...this.#text.split("\n").slice(0, -1));
      this.#give();
    }
  }

  #give(): void {
    while (this.#waiting.length > 0 && this.#given < this.#lines.length) {
      this.#waiting.shift()?.(this.#lines[this.#given] ?? "");
      this.#given += 1;
    }
  }

  next(): Promise<unknown> {
    return new Promise((resolve) => {
      this.#waiting.push((line) => resolve(parsed(line)));
      this.#give();
    });
  }

  async all(): Promise<string> {
    await this.#ended;
    return this.#text;
  }
}
