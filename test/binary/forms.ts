import { describe, setDefaultTimeout, test } from "bun:test";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
const MAIN = join(ROOT, "src/main.ts");
/** Another binary than the one that is built here: the tests take it as it is. */
const GIVEN = process.env["REEVE_TEST_BINARY"];
const BINARY = GIVEN ?? join(ROOT, "dist/reeve");

/** For one test, in milliseconds: the machine may be busy. */
const PATIENCE_MS = 120_000;

/** What one form of the program cannot do, with the reason. Everything else holds for all of them. */
export const EXCEPTIONS = {
  "inherited descriptors": "Deno has no way to close what it was started with before a child inherits it",
  "ignored signals": "Deno does not give children the default action back for what was ignored when it was started",
  "control groups": "Deno cannot start a program in a control group, so trees are held by their marks unless told",
  "child's resources": "Deno does not tell a child's processor time and peak memory",
} as const;
export type Exception = keyof typeof EXCEPTIONS;

/** One way to run the program. */
export interface Form {
  readonly name: "compiled" | "bun" | "deno";
  readonly argv: readonly string[];
  readonly lacks: ReadonlySet<Exception>;
  /** What its runtime needs of the environment. */
  readonly environment: Readonly<Record<string, string>>;
}

export const COMPILED: Form = { name: "compiled", argv: [BINARY], lacks: new Set(), environment: {} };

export const FORMS: readonly Form[] = [
  COMPILED,
  { name: "bun", argv: [process.execPath, MAIN], lacks: new Set(), environment: {} },
  {
    name: "deno",
    argv: [join(ROOT, "node_modules/.bin/deno"), "run", "-A", MAIN],
    lacks: new Set<Exception>(["inherited descriptors", "ignored signals", "control groups", "child's resources"]),
    // Else it would translate the source anew for every home directory.
    environment: { DENO_DIR: join(ROOT, "node_modules/.cache/deno"), DENO_NO_UPDATE_CHECK: "1" },
  },
];

/** The same tests for each form of the program. */
export function forEachForm(title: string, tests: (form: Form) => void): void {
  // It holds for the file that calls it.
  setDefaultTimeout(PATIENCE_MS);
  describe.each(FORMS.map((form) => [form.name, form] as const))(`${title} (%s)`, (_name, form) => tests(form));
}

/** For a test that is one of some forms only: of the others there is none. */
export const testWhere = (isOne: boolean) => (name: string, body: () => Promise<void>) => {
  if (isOne) test(name, body);
};

/** Fewer of them where the heavy run is another form's. */
export const scaled = (form: Form, whole: number, part: number): number => (form === COMPILED ? whole : part);

/** One build for all test files, whichever of them come first. */
function buildIfStale(): void {
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  const lock = join(ROOT, "dist/.building");
  closeSync(openSync(lock, "a"));
  const build = ["flock", lock, process.execPath, "build.ts", "--if-stale"];
  const { success, stderr } = Bun.spawnSync(build, { cwd: ROOT, stdout: "ignore", stderr: "pipe" });
  if (!success) throw new Error(`the binary could not be built: ${stderr.toString()}`);
}

if (GIVEN === undefined) buildIfStale();
