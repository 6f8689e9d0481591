import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { codeOf } from "../../src/errors.ts";
import { runtime } from "../../src/runtime/index.ts";
import type { JobDocument } from "../../src/uws/document.ts";
import { eventually, within } from "../support/eventually.ts";
import { endAll, isLiving } from "../support/processes.ts";
import { temporaryDirectory, type TemporaryDirectory } from "../support/temporary.ts";
import type { Form } from "./forms.ts";

export const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const PR_SET_CHILD_SUBREAPER = 36;

/** No command of these tests takes so long, in milliseconds. */
const PATIENCE_MS = 60_000;

export interface Done {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Manner {
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
  readonly cwd?: string;
  /** Put before the program: `["nohup"]`, `["unshare", …]`. */
  readonly under?: readonly string[];
}

/** One line of a worker's log. */
export interface LogLine {
  readonly event: string;
  readonly level: string;
  readonly message: string;
  readonly job?: string;
  readonly worker?: string;
  readonly phase?: string;
}

/** A program that has been started. Its stdout and stderr go to files. */
export interface Running {
  readonly pid: number;
  readonly ended: Promise<Done>;
  stdout(): string;
  stderr(): string;
  /** Waits for a line on stderr with this text. */
  says(text: string): Promise<void>;
  log(): LogLine[];
  signal(name: NodeJS.Signals): void;
}

/**
 * An empty directory to start one form of the program from, with a store and a home beside it, and everything that is
 * started there. When the block that holds it ends, so do all processes that came of it.
 */
export class Place implements AsyncDisposable {
  readonly form: Form;
  readonly store: string;
  readonly #root: TemporaryDirectory;
  readonly #running = new Map<number, Promise<Done>>();
  #count = 0;

  constructor(form: Form, store?: string) {
    // Tests of single rooms have this process adopt orphans, which nobody here would reap: each look at /proc would
    // take longer for every test that comes after.
    runtime.libc().prctl(PR_SET_CHILD_SUBREAPER, 0);
    this.form = form;
    this.#root = temporaryDirectory();
    this.store = store ?? this.#root.of("store");
    for (const name of ["here", "home", "aside"]) mkdirSync(this.#root.of(name));
  }

  /** The directory that the program is started from, or a file in it. */
  of(...names: string[]): string {
    return this.#root.of("here", ...names);
  }

  /** Writes a file into the directory that the program is started from. */
  write(name: string, content: string | Uint8Array, mode?: number): string {
    return this.#root.write(`here/${name}`, content, mode);
  }

  read(name: string): string {
    return existsSync(this.of(name)) ? readFileSync(this.of(name), "utf8") : "";
  }

  lines(name: string): string[] {
    return this.read(name).split("\n").filter(Boolean);
  }

  get environment(): Record<string, string> {
    const { environment } = this.form;
    return { PATH, HOME: this.#root.of("home"), LANG: "C.UTF-8", REEVE_STORE: this.store, ...environment };
  }

  start(args: readonly string[], manner: Manner = {}): Running {
    return this.startProgram([...(manner.under ?? []), ...this.form.argv, ...args], manner);
  }

  /** The same for any program, with the environment of this place. */
  startProgram(argv: readonly string[], manner: Manner = {}): Running {
    const number = (this.#count += 1);
    const files = [this.#root.of("aside", `${number}.out`), this.#root.of("aside", `${number}.err`)] as const;
    const [out, err] = [openSync(files[0], "w"), openSync(files[1], "w")];
    const { stdin, cwd = this.of(), environment = {} } = manner;
    const child = Bun.spawn([...argv], {
      cwd,
      env: { ...this.environment, ...environment },
      stdin: stdin === undefined ? "ignore" : Buffer.from(stdin),
      stdout: out,
      stderr: err,
    });
    for (const descriptor of [out, err]) closeSync(descriptor);
    const ended = child.exited.then(() => {
      this.#running.delete(child.pid);
      return { code: child.exitCode, signal: child.signalCode, stdout: text(files[0]), stderr: text(files[1]) };
    });
    this.#running.set(child.pid, ended);
    return {
      pid: child.pid,
      ended,
      stdout: () => text(files[0]),
      stderr: () => text(files[1]),
      says: async (wanted) => void (await eventually(`it says ${wanted}`, () => text(files[1]).includes(wanted))),
      log: () => logLines(text(files[1])),
      signal: (name) => void process.kill(child.pid, name),
    };
  }

  run(args: readonly string[], manner: Manner = {}): Promise<Done> {
    return within(`reeve ${args.join(" ").slice(0, 200)} ends`, this.start(args, manner).ended, PATIENCE_MS);
  }

  reeve(...args: string[]): Promise<Done> {
    return this.run(args);
  }

  /** What it prints when all is well. */
  async ok(...args: string[]): Promise<string> {
    return succeeded(args, await this.run(args));
  }

  /** Submits one job, gives its id. */
  async submit(...args: string[]): Promise<string> {
    return (await this.ok("submit", "--quiet", ...args)).trim();
  }

  /** Submits a job per object, gives their ids. */
  async submitBatch(jobs: readonly object[]): Promise<string[]> {
    const stdin = jobs.map((job) => `${JSON.stringify(job)}\n`).join("");
    const args = ["submit", "--quiet", "--batch", "-"];
    return succeeded(args, await this.run(args, { stdin }))
      .trim()
      .split("\n");
  }

  /** What the program itself says of a job. */
  async show(id: string): Promise<JobDocument> {
    // The program wrote it; what of it is looked at, the tests check.
    return JSON.parse(await this.ok("show", "--json", id)) as JobDocument;
  }

  async list(...args: string[]): Promise<JobDocument[]> {
    return JSON.parse(await this.ok("list", "--json", "--last", "all", ...args)) as JobDocument[];
  }

  async phase(id: string): Promise<string> {
    return (await this.show(id)).phase;
  }

  /** Runs everything that is queued. Gives what the worker left behind; failed jobs are no surprise. */
  async drain(...args: string[]): Promise<Done> {
    const done = await this.reeve("work", "--drain", ...args);
    if (done.signal !== null || (done.code !== 0 && done.code !== 1)) throw new Error(describeDone(["work"], done));
    return done;
  }

  /** A worker that has begun to work. */
  async worker(args: readonly string[] = [], manner: Manner = {}): Promise<Running> {
    const worker = this.start(["work", ...args], manner);
    await Promise.race([
      worker.says('"worker started"'),
      worker.ended.then((done) => {
        if (!done.stderr.includes('"worker started"')) throw new Error(describeDone(["work", ...args], done));
      }),
    ]);
    return worker;
  }

  /** Waits until a file of the directory has a whole line in it, and gives what is in it. */
  async file(name: string): Promise<string> {
    return eventually(`the file ${name} is written`, () => (this.read(name).endsWith("\n") ? this.read(name) : null));
  }

  /** The living processes that came of this place: they name it in arguments, environment, directory or files. */
  processes(): number[] {
    return pids().filter((pid) => isLiving(pid) && this.#isOurs(pid));
  }

  /** The same, without the program itself. */
  jobProcesses(): number[] {
    return this.processes().filter((pid) =>
      seen(() => readFileSync(`/proc/${pid}/environ`, "utf8")).includes("REEVE_JOB_ID="),
    );
  }

  #isOurs(pid: number): boolean {
    const { path } = this.#root;
    const told = ["cmdline", "environ"].map((file) => seen(() => readFileSync(`/proc/${pid}/${file}`, "utf8")));
    return (
      pid !== process.pid && [...told, seen(() => readlinkSync(`/proc/${pid}/cwd`))].some((one) => one.includes(path))
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await eventually("all processes of the test are gone", () => {
      const left = this.processes();
      endAll(left);
      return left.length === 0;
    });
    await Promise.all(this.#running.values());
    this.#root[Symbol.dispose]();
  }
}

const text = (file: string): string => readFileSync(file, "utf8");

function pids(): number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

/** What is to be read of a process; nothing of one that has just ended, or that may not be looked at. */
function seen(read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(codeOf(error) ?? "")) return "";
    throw error;
  }
}

function logLines(text: string): LogLine[] {
  const whole = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  // The program wrote it; a line that is none of the log is a test's business.
  return whole.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as LogLine);
}

function succeeded(args: readonly string[], done: Done): string {
  if (done.code !== 0) throw new Error(describeDone(args, done));
  return done.stdout;
}

export function describeDone(args: readonly string[], { code, signal, stdout, stderr }: Done): string {
  const text = [`reeve ${args.join(" ").slice(0, 300)}: exit code ${code}, signal ${signal}`, stdout, stderr];
  return text.join("\n").slice(0, 4000);
}

/** A shell command line as the words of `submit`. */
export const sh = (script: string, ...args: string[]): string[] => ["--", "sh", "-c", script, "sh", ...args];
