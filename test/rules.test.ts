import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const ROOT = join(import.meta.dirname, "..");

interface Source {
  /** From the project's directory. */
  readonly path: string;
  readonly text: string;
}

/** What is wrong in a file, one sentence each. */
type Rule = (source: Source) => string[];

const LATER = /\b(?:TO[D]O|FIX[M]E)\b/g;
const LEFT_OUT = /\b(?:test|describe|it)(?:\.\w+)*\.(?:only|skip|todo)\b/g;
const UNTYPED = /(?::\s*|<|(?<!\|)\|\s*|(?<!&)&\s*|\bas\s+)any\b(?=\s*[>;,)=|&[\]{])/g;
const EMPTY_CATCH = /\bcatch\s*(?:\([^)]*\))?\s*\{\s*\}/g;
const SLEEP = /\bsleepSync?\(|\bBun\.sleep\(|\bnew Promise\b[^;]{0,60}\bsetTimeout\(/g;
const SQL = /\b(?:SELECT\s|INSERT\s+(?:OR\s+\w+\s+)?INTO\b|UPDATE\s+\w+\s+SET\b|DELETE\s+FROM\b|PRAGMA\s)/g;
const LONGEST_FILE = 250;

/** Which rooms of src a room may import from; what is not here is refused. In parentheses: their types only. */
const EDGES: Readonly<Record<string, string>> = {
  main: "cli functions runtime errors",
  child: "cli functions runtime",
  index: "functions library errors",
  library:
    "cli/submission functions worker queue queue/sqlite queue/sqs-queue (queue/sqs) process store runtime config uws clock errors events",
  cli: "cli/submission functions worker queue queue/sqlite queue/sqs queue/sqs-queue process store runtime config uws service clock errors events log watch",
  "cli/submission": "cli worker process queue/sqs store config uws errors",
  functions: "process runtime config clock errors",
  worker: "queue process store config (runtime) clock errors events",
  queue: "(store) errors",
  "queue/sqlite": "queue store errors",
  "queue/sqs-queue": "queue queue/sqs store config (runtime) clock errors",
  "queue/sqs": "queue (runtime) clock errors",
  process: "runtime (store) (config) clock errors watch",
  store: "(runtime) config clock errors watch",
  service: "page uws store config (runtime) (clock) errors",
  page: "uws store config errors",
  uws: "store config errors",
  config: "errors",
  runtime: "errors",
  log: "events errors store config",
  events: "(store) (config)",
  clock: "",
  errors: "",
  watch: "",
};

/** The code without its comments; line numbers stay. */
function withoutComments(text: string): string {
  const parts = /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*/gm;
  return text.replaceAll(parts, (whole, literal?: string) => literal ?? whole.replaceAll(/[^\n]/g, " "));
}

function found(pattern: RegExp, text: string, what: string): string[] {
  return [...text.matchAll(pattern)].map((match) => {
    const line = text.slice(0, match.index).split("\n").length;
    return `line ${line}: ${what}: ${match[0].trim()}`;
  });
}

/** A rule about what may be written in some places only. */
const onlyIn =
  (allowed: RegExp, pattern: RegExp, what: string): Rule =>
  ({ path, text }) =>
    allowed.test(path) ? [] : found(pattern, withoutComments(text), what);

const never =
  (pattern: RegExp, what: string): Rule =>
  ({ text }) =>
    found(pattern, text, what);

function roomOf(path: string): string {
  const [, room = "", file] = path.split("/");
  if (path === "src/queue/sqlite.ts") return "queue/sqlite";
  if (path.startsWith("src/queue/sqs-")) return "queue/sqs-queue";
  if (path.startsWith("src/queue/sqs/")) return "queue/sqs";
  if (path.startsWith("src/cli/submission/")) return "cli/submission";
  return file === undefined ? room.replace(/\.ts$/, "") : room;
}

const IMPORT = /\b(?:import|export)\s+(type\s)?([^;"]*?)from\s+"(\.[^"]+)"|\bimport\("(\.[^"]+)"\)/g;

const importsOneWay: Rule = ({ path, text }) =>
  [...withoutComments(text).matchAll(IMPORT)].flatMap(([, type, names = "", from, lazily]) => {
    const room = roomOf(path);
    const target = roomOf(normalize(join(dirname(path), from ?? lazily ?? "")));
    if (room === target) return [];
    const allowed = (EDGES[room] ?? "").split(" ");
    const onlyTypes = type !== undefined || /^\{\s*(?:type\s[^,}]*,?\s*)+\}\s*$/.test(names.trim());
    if (allowed.includes(target) || (onlyTypes && allowed.includes(`(${target})`))) return [];
    return [`${room} must not import ${onlyTypes ? "types of" : "from"} ${target}`];
  });

/** It takes tens of milliseconds to load, which no other verb is to pay for. */
const loadsSdkLazily: Rule = ({ path, text }) => {
  const found = [...withoutComments(text).matchAll(/\bimport\b[^;]*?["']@(?:aws-sdk|smithy)\/[^;]*/g)];
  const allowed = path.startsWith("src/queue/sqs/") ? /^import(?:\s+type\s|\()/ : /^$/;
  return found.flatMap(([statement]) => (allowed.test(statement) ? [] : [`loads the SDK: ${statement}`]));
};

const shortEnough: Rule = ({ text }) => {
  const lines = text.trimEnd().split("\n").length;
  return lines > LONGEST_FILE ? [`${lines} lines are more than ${LONGEST_FILE}`] : [];
};

const pinned: Rule = ({ text }) => {
  const manifest: { dependencies?: Record<string, string>; devDependencies?: Record<string, string> } =
    JSON.parse(text);
  const all = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  return all.flatMap(([name, version]) =>
    /^\d+\.\d+\.\d+$/.test(version) ? [] : [`${name} is not pinned: ${version}`],
  );
};

interface HouseRule {
  readonly name: string;
  readonly rule: Rule;
  readonly files: readonly Source[];
  /** One that breaks the rule, and one that does not. */
  readonly bad: Source;
  readonly good: Source;
}

function filesBelow(directory: string): Source[] {
  const names = readdirSync(join(ROOT, directory), { recursive: true, encoding: "utf8" });
  const paths = names.filter((name) => name.endsWith(".ts")).map((name) => join(directory, name));
  return paths.map(sourceAt);
}

const sourceAt = (path: string): Source => ({ path, text: readFileSync(join(ROOT, path), "utf8") });

const SRC = filesBelow("src");
const TESTS = filesBelow("test").filter(({ path }) => path !== "test/rules.test.ts");
const DOCUMENTS = ["README.md", "CHANGELOG.md", "src/README.md"].map(sourceAt);
// Benchmarks measure what happens while nothing does.
const WAITING_ALLOWED = /^test\/(?:support|bench)\//;
const at = (path: string, text: string): Source => ({ path, text });

const RULES: readonly HouseRule[] = [
  {
    name: "only src/runtime names a runtime",
    rule: onlyIn(/^src\/runtime\//, /\b(?:Bun|Deno)\.\w|"bun:\w+"|"Deno"/g, "belongs into src/runtime"),
    files: SRC,
    bad: at("src/cli/a.ts", 'import { dlopen } from "bun:ffi";'),
    good: at("src/cli/a.ts", "// As Bun.spawn does it.\nstart();"),
  },
  {
    name: "only an entry ends the process",
    rule: onlyIn(/^src\/(?:main|child)\.ts$/, /\bprocess\.exit\(|\bDeno\.exit\(/g, "belongs into an entry"),
    files: SRC,
    bad: at("src/cli/a.ts", "process.exit(1);"),
    good: at("src/cli/a.ts", "process.exitCode = 1;"),
  },
  {
    name: "only the store and its queue speak SQL",
    rule: onlyIn(/^src\/(?:store\/|queue\/sqlite\.ts$)/, SQL, "belongs into src/store"),
    files: SRC,
    bad: at("src/worker/a.ts", 'get("SELECT 1 FROM jobs")'),
    good: at("src/worker/a.ts", '// SELECT is the store\'s.\nprint("Select a job")'),
  },
  {
    name: "only src/process and the runtime start processes",
    rule: onlyIn(/^src\/(?:process|runtime)\//, /\bspawn(?:Sync)?\(|node:child_process/g, "belongs into src/process"),
    files: SRC,
    bad: at("src/worker/a.ts", 'runtime.spawn(["true"])'),
    good: at("src/worker/a.ts", "slot.start(launch)"),
  },
  {
    name: "imports go one way",
    rule: importsOneWay,
    files: SRC,
    bad: at("src/store/a.ts", 'import { judge } from "../worker/ending.ts";'),
    good: at("src/store/a.ts", 'import type { Limits } from "../config/definition.ts";'),
  },
  {
    name: "only the queue that needs it loads Amazon's SDK, and only when it is needed",
    rule: loadsSdkLazily,
    files: SRC,
    bad: at("src/queue/sqs/a.ts", 'import { SQSClient } from "@aws-sdk/client-sqs";'),
    good: at(
      "src/queue/sqs/a.ts",
      'import type { SQSClient } from "@aws-sdk/client-sqs";\nawait import("@aws-sdk/b");',
    ),
  },
  {
    name: "only types cross where only types may",
    rule: importsOneWay,
    files: SRC,
    bad: at("src/process/a.ts", 'import { DEFAULT_LIMITS, type Limits } from "../config/definition.ts";'),
    good: at("src/process/a.ts", 'import { type Limits, type OutputMode } from "../config/definition.ts";'),
  },
  {
    name: "everything has a type",
    rule: onlyIn(/^$/, UNTYPED, "is no type"),
    files: [...SRC, ...TESTS],
    bad: at("src/a.ts", "const a: any = 1;"),
    good: at("src/a.ts", "let any = false; if (any) f(any);\n// as any of them"),
  },
  {
    name: "types are not silenced",
    rule: never(/@ts-(?:ignore|expect-error|nocheck)/g, "hides an error"),
    files: [...SRC, ...TESTS],
    bad: at("src/a.ts", "// @ts-ignore\n"),
    good: at("src/a.ts", "// the ts compiler\n"),
  },
  {
    name: "nothing that was caught is dropped without a word",
    rule: never(EMPTY_CATCH, "is empty"),
    files: [...SRC, ...TESTS],
    bad: at("src/a.ts", "try { f(); } catch (error) { }"),
    good: at("src/a.ts", "try { f(); } catch {\n  // It is gone.\n}"),
  },
  {
    name: "no test is left out",
    rule: onlyIn(/^$/, LEFT_OUT, "leaves tests out"),
    files: TESTS,
    bad: at("test/a.test.ts", 'test.only("a", () => {});'),
    good: at("test/a.test.ts", 'test.skipIf(isMac)("a", () => {});'),
  },
  {
    name: "tests wait for what they wait for, not for time",
    rule: onlyIn(WAITING_ALLOWED, SLEEP, "waits for time"),
    files: TESTS,
    bad: at("test/a.test.ts", "await Bun.sleep(100);"),
    good: at("test/a.test.ts", 'await eventually("it is there", look);'),
  },
  {
    name: "files of src are short",
    rule: shortEnough,
    files: SRC,
    bad: at("src/a.ts", "a();\n".repeat(LONGEST_FILE + 1)),
    good: at("src/a.ts", "a();\n".repeat(LONGEST_FILE)),
  },
  {
    name: "nothing is left for later",
    rule: never(LATER, "is left for later"),
    files: [...SRC, ...TESTS, ...DOCUMENTS, sourceAt("build.ts")],
    bad: at("src/a.ts", `// ${"todo".toUpperCase()}: more`),
    good: at("src/a.ts", "// to do more"),
  },
  {
    name: "dependencies are pinned",
    rule: pinned,
    files: [sourceAt("package.json")],
    bad: at("package.json", '{"devDependencies":{"a":"^1.2.3"}}'),
    good: at("package.json", '{"dependencies":{"a":"1.2.3"}}'),
  },
];

describe.each([...RULES])("$name", ({ rule, files, bad, good }) => {
  test("holds", () => {
    const problems = files.flatMap((file) => rule(file).map((problem) => `${file.path}: ${problem}`));
    expect(problems).toEqual([]);
  });

  test("can be broken, and kept", () => {
    expect(rule(bad)).not.toEqual([]);
    expect(rule(good)).toEqual([]);
  });
});

test("every room has its rule", () => {
  const rooms = new Set(SRC.map(({ path }) => roomOf(path)));
  expect([...rooms].filter((room) => !Object.hasOwn(EDGES, room))).toEqual([]);
});

/** Beside these there are files whose names begin with a dot, and what git is not told of. */
const TOP_LEVEL = new Set(
  "CHANGELOG.md LICENSE README.md build.ts bunfig.toml package-lock.json package.json src test tsconfig.json".split(
    " ",
  ),
);

test("nothing new stands at the top", () => {
  const known = Bun.spawnSync(["git", "ls-files"], { cwd: ROOT }).stdout.toString().split("\n");
  const names = new Set(known.map((path) => path.split("/")[0] ?? ""));
  expect([...names].filter((name) => !/^\.|^$/.test(name) && !TOP_LEVEL.has(name))).toEqual([]);
});
