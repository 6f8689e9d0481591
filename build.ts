/**
 * Builds the binary: `bun build.ts [--if-stale] [target…]`. Without a target, `dist/reeve` for this machine; with
 * targets (`linux-x64`, `linux-arm64`, `linux-x64-musl`, `linux-arm64-musl`, `darwin-arm64`, `darwin-x64`, or `all`)
 * `dist/reeve-TARGET` each, and `dist/SHA256SUMS`.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
  if (wanted.length === 0) return build(own, null);
  const targets = wanted.includes("all") ? TARGETS : wanted.map(checkTarget);
  for (const target of targets) await build(join(DIST, `reeve-${target}`), target);
  writeChecksums(targets.map((target) => `reeve-${target}`));
}

function checkTarget(name: string): Target {
  const target = TARGETS.find((one) => one === name);
  if (!target) throw new Error(`no target ${name}; there are ${TARGETS.join(", ")} and all`);
  return target;
}

async function build(outfile: string, target: Target | null): Promise<void> {
  const result = await Bun.build({
    entrypoints: [join(ROOT, "src/main.ts")],
    target: "bun",
    format: "esm",
    minify: true,
    sourcemap: "linked",
    bytecode: true,
    define: { REEVE_VERSION: JSON.stringify(manifest.version), REEVE_COMMIT: JSON.stringify(commit()) },
    compile: {
      outfile,
      ...(target && { target: `bun-${target}` }),
      // A binary that is dropped onto a server must not take settings from the directory it is started in.
      autoloadDotenv: false,
      autoloadBunfig: false,
    },
  });
  for (const message of result.logs) console.error(message);
  if (!result.success) throw new Error(`${outfile} was not built`);
  console.error(`built ${outfile} (${Math.round(statSync(outfile).size / 1024 / 1024)} MiB)`);
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
