/**
 * Builds the binary: `bun build.ts [--if-stale] [target…]`. Without a target, `dist/reeve` for this machine; with
 * targets (`linux-x64`, `linux-arm64`, `linux-x64-musl`, `linux-arm64-musl`, `darwin-arm64`, `darwin-x64`, or `all`)
 * `dist/reeve-TARGET` each, and `dist/SHA256SUMS`.
 */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import manifest from "./package.json" with { type: "json" };

const ROOT = import.meta.dirname;
const DIST = join(ROOT, "dist");
const TARGETS = [
  "linux-x64",
  "linux-arm64",
  "linux-x64-musl",
  "linux-arm64-musl",
  "darwin-arm64",
  "darwin-x64",
] as const;
type Target = (typeof TARGETS)[number];

async function main(argv: readonly string[]): Promise<void> {
  const wanted = argv.filter((argument) => argument !== "--if-stale");
  const own = join(DIST, "reeve");
  if (argv.includes("--if-stale") && !isStale(own)) return;
  mkdirSync(DIST, { recursive: true });
  const targets = wanted.includes("all") ? TARGETS : wanted.map(checkTarget);
  const scratch = mkdtempSync(join(tmpdir(), "reeve-build-"));
  try {
    const profiles = await profile(scratch);
    if (targets.length === 0) return await deliver(scratch, own, null, profiles);
    for (const target of targets) await deliver(scratch, join(DIST, `reeve-${target}`), target, profiles);
    writeChecksums(targets.map((target) => `reeve-${target}`));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What verbs that are started often need first: a binary laid out by it starts in two thirds of the time. */
const OFTEN = [["submit", "--quiet", "--", "true"], ["run", "--", "true"], ["list"], ["--version"]] as const;

/** Runs a first build of the binary the way it is used, and gives what it recorded. */
async function profile(scratch: string): Promise<string[]> {
  const first = join(scratch, "reeve");
  await build(first, null, []);
  return OFTEN.map((argv, index) => {
    const recorded = join(scratch, `${index}.order`);
    const env = { ...process.env, REEVE_STORE: join(scratch, "store"), BUN_BYTECODE_ORDER_OUT: recorded };
    const { success, stderr } = Bun.spawnSync([first, ...argv], { env, cwd: scratch });
    if (!success) throw new Error(`the first build does not run: ${stderr.toString()}`);
    return recorded;
  });
}

function checkTarget(name: string): Target {
  const target = TARGETS.find((one) => one === name);
  if (!target) throw new Error(`no target ${name}; there are ${TARGETS.join(", ")} and all`);
  return target;
}

/** Built elsewhere and moved into place: a binary that is being run is replaced whole, and its maps stay behind. */
async function deliver(scratch: string, outfile: string, target: Target | null, profiles: string[]): Promise<void> {
  const built = join(scratch, basename(outfile));
  await build(built, target, profiles);
  const beside = `${outfile}.${process.pid}`;
  copyFileSync(built, beside);
  renameSync(beside, outfile);
  console.error(`built ${outfile} (${Math.round(statSync(outfile).size / 1024 / 1024)} MiB)`);
}

async function build(outfile: string, target: Target | null, profiles: string[]): Promise<void> {
  const result = await Bun.build({
    entrypoints: [join(ROOT, "src/main.ts")],
    target: "bun",
    format: "esm",
    minify: true,
    sourcemap: "linked",
    bytecode: true,
    // A verb's file is read only when the verb is run.
    splitting: true,
    define: { REEVE_VERSION: JSON.stringify(manifest.version), REEVE_COMMIT: JSON.stringify(commit()) },
    compile: {
      outfile,
      ...(target && { target: `bun-${target}` }),
      ...(profiles.length > 0 && { bytecodeOrder: profiles }),
      // A binary that is dropped onto a server must not take settings from the directory it is started in.
      autoloadDotenv: false,
      autoloadBunfig: false,
      // Else a module of jobs would not find the packages beside it, nor what it has other names for.
      autoloadPackageJson: true,
      autoloadTsconfig: true,
    },
  });
  for (const message of result.logs) console.error(message);
  if (!result.success) throw new Error(`${outfile} was not built`);
}

function commit(): string {
  const { stdout, success } = Bun.spawnSync(["git", "rev-parse", "--short=12", "HEAD"], {
    cwd: ROOT,
    stderr: "ignore",
  });
  return success ? stdout.toString().trim() : "";
}

/** Whether a source is younger than the binary. */
function isStale(binary: string): boolean {
  if (!existsSync(binary)) return true;
  const built = statSync(binary).mtimeMs;
  const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).map((name) =>
    join("src", name),
  );
  return [...sources, "build.ts", "package.json"].some((name) => statSync(join(ROOT, name)).mtimeMs > built);
}

function writeChecksums(names: readonly string[]): void {
  const sum = (name: string): string =>
    createHash("sha256")
      .update(readFileSync(join(DIST, name)))
      .digest("hex");
  writeFileSync(join(DIST, "SHA256SUMS"), names.map((name) => `${sum(name)}  ${name}\n`).join(""));
}

await main(process.argv.slice(2));
