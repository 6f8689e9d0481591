/**
 * `npm start`: a batch of real jobs in a temporary directory, run by the built binary. It exits with 0 when they ended
 * as they were meant to, the one that fails included.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
const REEVE = join(ROOT, "dist/reeve");
const SAMPLES = 10;

interface BatchJob {
  readonly command: readonly string[];
  readonly name?: string;
  readonly after?: readonly string[];
  readonly max_attempts?: number;
  readonly timeout?: string;
  readonly body?: string;
}

const shell = (script: string, ...args: string[]): readonly string[] => ["sh", "-c", script, "job", ...args];

/** Six everyday things for each of some files. */
const FOR_EACH: readonly ((file: string) => BatchJob)[] = [
  (file) => ({ command: ["sha256sum", file] }),
  (file) => ({ command: ["wc", file] }),
  (file) => ({ command: ["gzip", "--keep", "--force", file], name: `compress ${file}`, timeout: "1m" }),
  (file) => ({ command: ["gzip", "--test", `${file}.gz`], after: [`compress ${file}`] }),
  (file) => ({ command: shell('sort -u "$1" > "$REEVE_RESULTS/sorted.txt"', file) }),
  (file) => ({ command: shell('grep -c import "$1" || test $? -eq 1', file) }),
];

/** Fails at its first attempt only. */
const SECOND_TIME_LUCKY = 'test "$REEVE_ATTEMPT" -gt 1 || { echo "not yet" >&2; exit 1; }; echo "now it works"';

const WITH_PROGRESS = `for step in 1 2 3 4; do
  sleep 0.2
  echo "{\\"progress\\":0.\${step},\\"message\\":\\"step $step of 4\\"}" >&3
done
echo '{"progress":1,"message":"all four steps"}' >&3`;

const WITH_REASON = `echo '{"error":{"message":"the input has no header line","type":"fatal"}}' >&3; exit 1`;

const WITH_RESULT = `cat *.txt | tr -cs A-Za-z '\\n' | sort | uniq -c | sort -rn | head -20 > "$REEVE_RESULTS/words.txt"
echo '{"result":{"id":"frequent-words","path":"words.txt","type":"text/plain"}}' >&3`;

const SPECIAL: readonly BatchJob[] = [
  { command: shell(WITH_PROGRESS) },
  { command: shell(WITH_RESULT), name: "words" },
  { command: shell("echo 'runs when the word count has completed'"), after: ["words"] },
  { command: ["tr", "a-z", "A-Z"], body: "what a job is given on stdin\n" },
  { command: shell(SECOND_TIME_LUCKY), max_attempts: 3 },
  { command: shell(WITH_REASON) },
];

async function main(): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "reeve-demonstration-"));
  const samples = copySamples(directory);
  const jobs = [...samples.flatMap((file) => FOR_EACH.map((make) => make(file))), ...SPECIAL];
  writeFileSync(join(directory, "jobs.ndjson"), jobs.map((job) => `${JSON.stringify(job)}\n`).join(""));

  say(`${jobs.length} jobs in ${directory}/jobs.ndjson`);
  const submitted = await run(directory, "submit", "--quiet", "--batch", "jobs.ndjson");
  // With an end in sight the worker's exit code tells that a job failed, as one is meant to.
  const worked = await run(directory, "work", "--drain", "--concurrency", "4");
  await run(directory, "list", "--last", "12");
  await run(directory, "dead", "list");

  const wrong = await whatIsWrong(directory, jobs.length);
  if (submitted !== 0 || worked !== 1 || wrong !== null) return complain(wrong ?? "an exit code is not as expected");
  sayWhatNext(directory, jobs.length);
  return 0;
}

/** Sources of this project: files that are on every machine that runs this. */
function copySamples(directory: string): string[] {
  const sources = readdirSync(join(ROOT, "src/cli")).filter((name) => name.endsWith(".ts"));
  const chosen = sources.toSorted().slice(0, SAMPLES);
  mkdirSync(directory, { recursive: true });
  return chosen.map((name) => {
    const copy = name.replace(/\.ts$/, ".txt");
    copyFileSync(join(ROOT, "src/cli", name), join(directory, copy));
    return copy;
  });
}

const environment = (directory: string) => ({
  ...process.env,
  REEVE_STORE: join(directory, "store"),
  REEVE_SHARED_FILESYSTEM: "1",
});

/** Runs a verb in sight of the user; the ids that a submit prints are many and say nothing yet. */
function run(directory: string, ...argv: string[]): Promise<number> {
  say(`$ reeve ${argv.join(" ")}`);
  const stdout = argv[0] === "submit" ? "ignore" : "inherit";
  const options = { cwd: directory, env: environment(directory), stdout, stderr: "inherit" } as const;
  return Bun.spawn([REEVE, ...argv], options).exited;
}

const say = (text: string): void => console.log(`\n${text}`);

/** One job failed, one was retried, all others completed. Null: that is so. */
async function whatIsWrong(directory: string, jobs: number): Promise<string | null> {
  const completed = await phases(directory, "COMPLETED");
  const failed = await phases(directory, "ERROR");
  if (completed !== jobs - 1) return `${completed} jobs of ${jobs} completed, all but one should have`;
  return failed === 1 ? null : `${failed} jobs failed, one should have`;
}

async function phases(directory: string, phase: string): Promise<number> {
  const argv = [REEVE, "list", "--phase", phase, "--last", "all", "--json"];
  const text = await Bun.spawn(argv, { cwd: directory, env: environment(directory) }).stdout.text();
  const list: unknown = JSON.parse(text);
  return Array.isArray(list) ? list.length : 0;
}

function complain(what: string): number {
  console.error(`\nThe demonstration did not go as it should: ${what}.`);
  return 1;
}

function sayWhatNext(directory: string, jobs: number): void {
  console.log(`
${jobs - 1} jobs completed and one failed, as they should. Their store is kept in ${directory}/store. To look around:

  export REEVE_STORE=${directory}/store PATH=${join(ROOT, "dist")}:$PATH
  reeve list --last all          all jobs
  reeve why ID                   the story of one; any unique beginning of its id will do
  reeve logs ID                  what it wrote
  reeve result ID --list         what it left as results
  reeve dead retry --all         run the failed one again: reeve work --drain
  reeve submit -- sleep 5        a job of your own
`);
}

process.exitCode = await main();
