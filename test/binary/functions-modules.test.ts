import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { Isolation } from "../../src/process/isolation.ts";
import { within } from "../support/eventually.ts";
import { COMPILED, forEachForm } from "./forms.ts";
import { Place } from "./place.ts";
import { Serving } from "./serving.ts";

interface Mistake {
  readonly module: string;
  /** The line that it is told with; null: it has none. */
  readonly line: number | null;
  readonly says: RegExp;
}

const IMPORT = 'import { defineJob } from "reeve";';
const GOOD = "export const good = defineJob({ run() {} });";

/** What a module may have wrong with it. Other files that they import are made below. */
const MISTAKES: Readonly<Record<string, Mistake>> = {
  "a syntax error": { module: `${IMPORT}\n\nexport const a = defineJob({;`, line: 3, says: /expected/i },
  "an import of what is not exported": {
    module: `${IMPORT}\nimport { nothing } from "./beside.ts";\nexport const a = defineJob({ run: () => nothing });`,
    line: 2,
    says: /nothing/,
  },
  "an import of what Reeve has not": {
    module: `// One more line.\nimport { defineJobs } from "reeve";\ndefineJobs();`,
    line: 2,
    says: /defineJobs/,
  },
  "an import of a package that is not there": {
    module: `${IMPORT}\n\nimport missing from "no-such-package";\n${GOOD}\nmissing();`,
    line: 3,
    says: /no-such-package/,
  },
  "an import of a file that is not there": {
    module: `${IMPORT}\nimport missing from "./no-such-file.ts";\n${GOOD}\nmissing();`,
    line: 2,
    says: /no-such-file\.ts/,
  },
  "a throw at its top": {
    module: `${IMPORT}\ninterface Left { out: 1 }\nfunction deep(): void {\n  throw new Error("no database");\n}\ndeep();\n${GOOD}`,
    line: 4,
    says: /no database/,
  },
  "a rejection that nobody hears at its top": {
    module: `${IMPORT}\n${GOOD}\nvoid Promise.reject(new Error("no database"));`,
    line: 3,
    says: /no database/,
  },
  "an end of the process at its top": {
    module: "process.exit(4);",
    line: null,
    says: /ended while it was loaded \(exit code 4\)/,
  },
  "no job": { module: "export const a = 1;", line: null, says: /no job is exported/ },
  "a job that is not exported": {
    module: `${IMPORT}\n${GOOD}\ndefineJob({ run() {} });`,
    line: 3,
    says: /is not exported/,
  },
  "an unknown key": {
    module: `${IMPORT}\n\nexport const a = defineJob({ maxAtempts: 3, run() {} });`,
    line: 3,
    says: /a\.maxAtempts is not a known key, did you mean `maxAttempts`\?/,
  },
  "a wrong value": {
    module: `${IMPORT}\n${GOOD}\nexport const a = defineJob({ params: { n: { type: "integer", default: "x" } }, run() {} });`,
    line: 3,
    says: /a\.params\.n\.default must be an integer/,
  },
  "a job without a function": {
    module: `${IMPORT}\nexport const a = defineJob({});`,
    line: 2,
    says: /a run must be a function/,
  },
  "a command": {
    module: `${IMPORT}\nexport const a = defineJob({ command: ["true"], run() {} });`,
    line: 2,
    says: /a command is for commands/,
  },
  "a name that Reeve needs": {
    module: `${IMPORT}\nexport const metrics = defineJob({ run() {} });`,
    line: 2,
    says: /metrics is a name/,
  },
};

/** In a directory that may not be there yet. */
function write(place: Place, name: string, content: string): void {
  mkdirSync(dirname(place.of(name)), { recursive: true });
  place.write(name, content);
}

test("a module is named to whoever submits a job of it while no worker runs, who else would start one without", async () => {
  await using place = new Place(COMPILED);
  place.write("jobs.ts", `${IMPORT}\n${GOOD}`);
  const { stderr } = await place.run(["submit", "--jobs", "jobs.ts", "good"]);
  expect(stderr).toContain("`reeve work --jobs jobs.ts` runs what is queued");
  await place.run(["work", "--drain"]);
  const [job] = await place.list();
  expect(job?.errorSummary?.message).toContain("no definition good, in its reeve.toml or by --jobs");
});

forEachForm("a module of jobs", (form) => {
  test("that has a mistake ends every verb that needs it with 78, file and line, before anything is taken", async () => {
    await using place = new Place(form);
    place.write("beside.ts", "export const something = 1;");
    const id = await place.submit("--", "true");
    for (const [what, { module, line, says }] of Object.entries(MISTAKES)) {
      place.write("wrong.ts", module);
      const { code, stderr } = await place.reeve("work", "--drain", "--jobs", "wrong.ts");
      expect({ what, code, stderr: stderr.split(line === null ? "wrong.ts: " : `wrong.ts:${line}: `)[0] }).toEqual({
        what,
        code: 78,
        stderr: "reeve: ",
      });
      expect(stderr).toMatch(says);
    }
    expect(await place.phase(id)).toBe("QUEUED");
    for (const args of [["submit", "a"], ["run", "a"], ["serve"], ["check-config"]]) {
      expect(await place.reeve(...args, "--jobs", "wrong.ts")).toMatchObject({ code: 78 });
    }
    expect(await place.reeve("work", "--jobs", "nowhere.ts")).toMatchObject({
      code: 78,
      stderr: expect.stringContaining("nowhere.ts: there is no such file"),
    });
  });

  test("has imports of files and packages beside it, types, and a directory", async () => {
    await using place = new Place(form);
    write(
      place,
      "code/lib/names.ts",
      "export enum Kind { Large = 'large' }\nexport const kind = (wanted: Kind): string => wanted;\n",
    );
    write(
      place,
      "code/node_modules/dep/package.json",
      '{"name":"dep","version":"1.0.0","main":"main.js","type":"module"}',
    );
    write(place, "code/node_modules/dep/main.js", 'export { default } from "inner";');
    write(place, "code/node_modules/inner/package.json", '{"name":"inner","exports":{"import":"./inner.mjs"}}');
    write(place, "code/node_modules/inner/inner.mjs", 'export default "a package";');
    write(
      place,
      "code/jobs.ts",
      `import { basename } from "node:path";
import dep from "dep";
import { defineJob, type Context } from "reeve";
import { Kind, kind } from "./lib/names.ts";
const run = async ({ params }: Context<{ readonly list: readonly string[] }>): Promise<object> => ({
  dep, kind: kind(Kind.Large), list: params.list, here: basename(process.cwd()), lazily: (await import("./lib/names.ts")).kind(Kind.Large),
});
export const imports = defineJob({ params: { list: "strings" }, run });
`,
    );
    place.write("reeve.toml", 'jobs = "code/jobs.ts"\n');
    const id = await place.submit("imports", "--param", "list=a\nb", "--param", "list=c");
    await place.drain();
    expect(JSON.parse(await place.ok("result", id))).toEqual({
      dep: "a package",
      kind: "large",
      list: ["a\nb", "c"],
      here: "code",
      lazily: "large",
    });
    if (form.name !== "deno") {
      // Deno has import maps for that.
      const paths = { compilerOptions: { baseUrl: ".", paths: { "@names": ["./lib/names.ts"] } } };
      write(place, "code/tsconfig.json", JSON.stringify(paths));
      write(
        place,
        "code/aliased.ts",
        `${IMPORT}\nimport { Kind } from "@names";\nexport const aliased = defineJob({ run: () => Kind.Large });`,
      );
      expect(await place.reeve("run", "--jobs", "code/aliased.ts", "aliased")).toMatchObject({ code: 0, stderr: "" });
    }
    expect(await place.reeve("check-config")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("1 definition, 0 warnings"),
    });
    place.write("reeve.toml", "[jobs.imports]\ncommand = ['true']\n");
    const { code, stderr } = await place.reeve("check-config", "--jobs", "code/jobs.ts");
    expect({ code, stderr }).toEqual({
      code: 78,
      stderr: expect.stringMatching(/code\/jobs\.ts:8: imports has a name that is taken: .*reeve\.toml/),
    });
  });

  if (form !== COMPILED) return;

  test("has jobs that queues name, and routes that no other job has", async () => {
    await using place = new Place(form);
    const route = 'route: { attribute: "kind", equals: "a" }';
    place.write("jobs.ts", `${IMPORT}\nexport const a = defineJob({ ${route}, run() {} });`);
    const queue = '[queues.main]\nurl = "http://127.0.0.1:9/0/q"\n';
    const check = async (toml: string, ...args: string[]) => {
      place.write("reeve.toml", toml);
      const { code, stderr } = await place.reeve("check-config", ...args);
      return { code, stderr };
    };
    expect(await check(`jobs = "jobs.ts"\n${queue}job = "a"`)).toEqual({ code: 0, stderr: "" });
    expect(await check(`${queue}job = "a"`, "--jobs", "jobs.ts")).toEqual({ code: 0, stderr: "" });
    expect(await check(`${queue}job = "b"`, "--jobs", "jobs.ts")).toEqual({
      code: 78,
      stderr: expect.stringContaining('queues.main.job names the job "b", which is not defined'),
    });
    expect(await check(`${queue}job = "a"`)).toMatchObject({ code: 78 });
    const toml = '[jobs.b]\ncommand = ["true"]\nroute = { attribute = "kind", equals = "a" }';
    expect(await check(toml, "--jobs", "jobs.ts")).toEqual({
      code: 78,
      stderr: expect.stringContaining("the jobs b and a have the same route"),
    });
  });

  test("is asked only by verbs that need its definitions", async () => {
    await using place = new Place(form);
    place.write(
      "jobs.ts",
      'import { appendFileSync } from "node:fs";\nappendFileSync("loaded", "x\\n");\nthrow new Error("not now");',
    );
    place.write("reeve.toml", 'jobs = "jobs.ts"\n');
    expect(await place.reeve("submit", "--", "true")).toMatchObject({ code: 78 });
    expect(place.lines("loaded")).toHaveLength(1);
    for (const args of [["list"], ["clean"], ["dead", "list"]]) await place.reeve(...args);
    expect(place.lines("loaded")).toHaveLength(1);
  });

  test("is loaded anew for each run: what has become of it since is the job's error, with its line, or its result", async () => {
    await using place = new Place(form);
    const versions = {
      first: `${IMPORT}\nexport const a = defineJob({ maxAttempts: 1, run: () => "first" });`,
      broken: `${IMPORT}\n\nexport const a = defineJob({;`,
      gone: `${IMPORT}\nexport const b = defineJob({ run() {} });`,
      second: `${IMPORT}\nexport const a = defineJob({ run: () => "second" });`,
    };
    place.write("jobs.ts", versions.first);
    await place.worker(["--jobs", "jobs.ts"]);
    const ended = async (version: keyof typeof versions) => {
      place.write("jobs.ts", versions.first);
      const id = await place.submit("--jobs", "jobs.ts", "--hold", "a");
      place.write("jobs.ts", versions[version]);
      await place.ok("start", id);
      await place.reeve("wait", id);
      return place.show(id);
    };
    const broken = await ended("broken");
    expect(broken.errorSummary?.message).toMatch(/^Error: the module cannot be loaded: jobs\.ts:3: /);
    expect((await ended("gone")).errorSummary?.message).toContain("jobs.ts exports no job a any more");
    const { jobId } = await ended("second");
    expect(await place.ok("result", jobId)).toBe('"second"\n');
  });

  test("is a service with checked parameters and a result", async () => {
    await using place = new Place(form);
    place.write(
      "jobs.ts",
      `${IMPORT}
export const double = defineJob({ params: { n: { type: "integer", required: true, max: 10 } }, run: ({ params }) => params.n * 2 });`,
    );
    const at = await Serving.start(place, ["--jobs", "jobs.ts", "--concurrency", "1"]);
    expect(await at.post("/double", { n: "11" })).toMatchObject({ status: 403 });
    const job = await at.done("double", { n: "4" });
    const { headers, text } = await at.get(`${job}/results/result`);
    expect({ type: headers.get("content-type"), text }).toEqual({ type: "application/json", text: "8\n" });
  });

  test("has all that a function writes read, whoever reads it", async () => {
    await using place = new Place(form);
    const bytes = 3_000_000;
    place.write(
      "jobs.ts",
      `${IMPORT}\nexport const writes = defineJob({ run() { process.stdout.write("y".repeat(${bytes})); } });`,
    );
    for (const direct of [[], ["--direct"]]) {
      const args = ["run", ...direct, "--jobs", "jobs.ts", "writes"];
      const { stdout } = await within(
        "it is read",
        place.startProgram(["sh", "-c", '"$@" | wc -c', "sh", ...form.argv, ...args]).ended,
        30_000,
      );
      expect(stdout.trim()).toBe(String(bytes));
    }
  });

  test("goes on with the program that its worker was started with, when that is replaced on disk", async () => {
    await using place = new Place(form);
    const run = 'run: () => "as before"';
    place.write(
      "jobs.ts",
      `${IMPORT}\nexport const plain = defineJob({ ${run} });\nexport const limited = defineJob({ limits: { openFiles: 123 }, ${run} });`,
    );
    const [binary = ""] = form.argv;
    copyFileSync(binary, place.of("reeve"));
    const worker = place.startProgram([place.of("reeve"), "work", "--jobs", "jobs.ts"]);
    await worker.says('"worker started"');
    place.write("other", "#!/bin/sh\nexit 1\n", 0o755);
    renameSync(place.of("other"), place.of("reeve"));
    for (const name of ["plain", "limited"]) {
      const id = await place.submit("--jobs", "jobs.ts", name);
      await place.ok("wait", id);
      expect(await place.ok("result", id)).toBe('"as before"\n');
    }
  });

  test("is run behind other programs as well: with limits, outliving its worker, in the foreground", async () => {
    await using place = new Place(form);
    place.write(
      "jobs.ts",
      `import { readFileSync } from "node:fs";
${IMPORT}
const run = () => /^Max open files +(\\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
export const limited = defineJob({ limits: { openFiles: 123, umask: "077" }, run });
export const isolated = defineJob({ isolate: "pid", run });
export const outlives = defineJob({ outlive: true, limits: { openFiles: 124 }, run });
export const echo = defineJob({ params: { secret: { secret: true, required: true } }, run({ params }) { console.log("out"); console.error("err"); return params.secret.length; } });`,
    );
    const ids = [
      await place.submit("--jobs", "jobs.ts", "limited"),
      await place.submit("--jobs", "jobs.ts", "outlives"),
    ];
    await place.drain("--jobs", "jobs.ts");
    expect(await Promise.all(ids.map((id) => place.ok("result", id)))).toEqual(['"123"\n', '"124"\n']);
    if (new Isolation().problem(null) === null) {
      const id = await place.submit("--jobs", "jobs.ts", "isolated");
      await place.drain("--jobs", "jobs.ts");
      expect(await place.phase(id)).toBe("COMPLETED");
    }
    const done = await place.reeve("run", "--jobs", "jobs.ts", "echo", "--param", "secret=hush");
    expect(done).toMatchObject({ code: 0, stdout: "out\n", stderr: "err\n" });
    const [job] = await place.list();
    expect(job).toMatchObject({ phase: "COMPLETED", jobInfo: { definition: "echo" } });
    expect(await place.ok("result", job?.jobId ?? "")).toBe("4\n");
    expect(JSON.stringify(await place.show(job?.jobId ?? ""))).not.toContain("hush");
    const large = "x".repeat(131_060);
    expect(await place.reeve("submit", "--jobs", "jobs.ts", "echo", "--param", `secret=${large}`)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("longer than the 131071 bytes"),
    });
    expect(await place.reeve("run", "--jobs", "jobs.ts", "echo")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("`secret` is required"),
    });
  });
});
