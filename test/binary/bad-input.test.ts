import { expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { eventually, stays } from "../support/eventually.ts";
import { smallDisk } from "../support/filesystems.ts";
import { forEachForm, type Form } from "./forms.ts";
import { Place, sh, type Done, type Manner } from "./place.ts";

const DEFINITIONS = `
[jobs.resize]
command = ["echo", "{param.image}", "{param.width}"]
params.image = { type = "string", required = true }
params.width = { type = "integer", default = 800, min = 1, max = 4000 }
params.source = { type = "file" }
`;

/** One sentence and perhaps a hint, nothing on stdout, no trace of where in the program it came from. */
function expectRefusal(done: Done, code: number, sentence: RegExp): void {
  expect(done).toMatchObject({ code, signal: null, stdout: "" });
  expect(done.stderr).toMatch(sentence);
  expect(done.stderr).toMatch(/^reeve: [^\n]+\n( {2}[^\n]+\n)*$/);
  expect(done.stderr).not.toMatch(/\bat .*:\d+:\d+|\.ts\b|bunfs|bug in reeve|Error:/);
  expect(done.stderr.length).toBeLessThan(3000);
}

interface Refusal {
  readonly args: readonly string[];
  readonly code: number;
  readonly sentence: RegExp;
  readonly manner?: Manner;
}

const refused = (code: number, sentence: RegExp, ...args: string[]): Refusal => ({ args, code, sentence });

const LARGE = "x".repeat(200 * 1024);

/** What is wrong with the words of the command line, or with what they name. */
const REFUSALS: readonly Refusal[] = [
  refused(2, /no option --drian, did you mean `--drain`\?/, "work", "--drian"),
  refused(2, /no option --nonsense/, "list", "--nonsense"),
  refused(2, /no option --json before a verb/, "--json", "list"),
  refused(2, /there is no verb submti, did you mean `submit`\?/, "submti", "--", "true"),
  refused(2, /--priority .*"high"/, "submit", "--priority", "high", "--", "true"),
  refused(2, /--timeout.*"soon" is not a duration/, "submit", "--timeout", "soon", "--", "true"),
  refused(2, /--timeout needs a value/, "submit", "--timeout"),
  refused(2, /--hold takes no value/, "submit", "--hold=yes", "--", "true"),
  refused(2, /nothing to submit/, "submit"),
  refused(2, /nothing to submit/, "submit", "--"),
  refused(2, /program is an empty text/, "submit", "--", ""),
  refused(2, /no definition "resise", did you mean `resize`\?/, "submit", "resise"),
  refused(2, /both the definition "resize" and a command/, "submit", "resize", "--", "true"),
  refused(2, /image.*is required/, "submit", "resize"),
  refused(2, /no parameter "imag", did you mean `image`\?/, "submit", "resize", "--param", "imag=a"),
  refused(2, /`width`.*(number|integer).*"wide"/, "submit", "resize", "--param", "image=a", "--param", "width=wide"),
  refused(2, /`width`.*4000/, "submit", "resize", "--param", "image=a", "--param", "width=4001"),
  refused(2, /`image`.*2 times/, "submit", "resize", "--param", "image=a", "--param", "image=b"),
  refused(2, /NAME=VALUE/, "submit", "resize", "--param", "image"),
  refused(2, /begins? with .?-/, "submit", "resize", "--param", "image=--help"),
  refused(2, /source.*must be given by its path/, "submit", "resize", "--param", "image=a", "--param", "source=b"),
  refused(
    2,
    /the file .*missing.txt.* is not there/,
    "submit",
    "resize",
    "--param",
    "image=a",
    "--file",
    "source=@missing.txt",
  ),
  refused(2, /plain command/, "submit", "--param", "a=b", "--", "true"),
  refused(2, /the directory .*nowhere is not there/, "submit", "--cwd", "nowhere", "--", "true"),
  refused(2, /there is no such variable/, "submit", "--env", "NOT_SET_ANYWHERE", "--", "true"),
  refused(2, /body's file .* is not there/, "submit", "--body-file", "missing", "--", "true"),
  refused(2, /--batch missing.ndjson: there is no such file/, "submit", "--batch", "missing.ndjson"),
  refused(2, /--priority cannot stand beside --batch/, "submit", "--batch", "-", "--priority", "1"),
  refused(3, /007/, "show", "007"),
  refused(3, /zzzz/, "submit", "--after", "zzzz", "--", "true"),
  refused(3, /1e3/, "logs", "1e3"),
  refused(3, /zzzz/, "wait", "zzzz"),
  refused(3, /zzzz/, "retry", "zzzz"),
  refused(2, /there is no phase DONE/, "list", "--phase", "DONE"),
  refused(2, /--after: "yesterday" is not a time/, "list", "--after", "yesterday"),
  refused(2, /--last/, "list", "--last", "0"),
  refused(2, /takes no command/, "list", "--", "true"),
  refused(2, /`reeve dead` has no lsit, did you mean `list`\?/, "dead", "lsit"),
  refused(2, /--queue nowhere/, "work", "--queue", "nowhere"),
  refused(2, /--concurrency/, "work", "--concurrency", "0"),
  refused(2, /store's directory is empty/, "--store=", "list"),
  refused(78, /missing\.toml/, "--config", "missing.toml", "list"),
  { ...refused(2, /store's directory is empty/, "list"), manner: { environment: { REEVE_STORE: "" } } },
];

/** They only read, so that several may do so side by side. */
const AT_ONCE = 4;

forEachForm("wrong words", (form) => {
  test(`each of ${REFUSALS.length} gets a sentence and its exit code, and nothing is submitted`, async () => {
    await using place = new Place(form);
    place.write("reeve.toml", DEFINITIONS);
    const there = await place.submit("--hold", "--", "true");
    const check = async ({ args, code, sentence, manner }: Refusal): Promise<void> => {
      const done = await place.run(args, manner);
      try {
        expectRefusal(done, code, sentence);
      } catch (error) {
        throw new Error(`reeve ${args.join(" ").slice(0, 200)}`, { cause: error });
      }
    };
    for (let from = 0; from < REFUSALS.length; from += AT_ONCE) {
      await Promise.all(REFUSALS.slice(from, from + AT_ONCE).map(check));
    }
    expect((await place.list()).map(({ jobId }) => jobId)).toEqual([there]);
  });

  test("a prefix that several jobs share is ambiguous, and names them", async () => {
    await using place = new Place(form);
    const ids = await place.submitBatch(Array.from({ length: 60 }, () => ({ command: ["true"], hold: true })));
    const letters = ids.map((id) => id.charAt(0));
    const twice = letters.find((letter, index) => letters.indexOf(letter) !== index) ?? "";
    for (const verb of ["show", "abort", "delete"])
      expectRefusal(await place.reeve(verb, twice), 2, /more than one job begins with/);
    expect((await place.list("--phase", "PENDING")).length).toBe(60);
  });

  test("where there is no store yet it says so", async () => {
    await using place = new Place(form);
    expectRefusal(await place.reeve("show", "abc"), 3, /no store at .*\/store yet/);
    expect(existsSync(place.store)).toBe(false);
  });

  test("of a batch with wrong lines each is named, and none is submitted", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", DEFINITIONS);
    const lines = [
      '{"command":["true"]}',
      '{"command":["true"]',
      '{"comand":["true"]}',
      '{"command":["sh","-c","a\\u0000b"]}',
      '{"job":"resize","params":{"image":"-v"}}',
      '{"command":["true"],"after":"later"}',
      JSON.stringify({ command: ["echo", LARGE] }),
      '{"command":["true"],"name":"later"}',
      "[]",
      JSON.stringify({ job: "resize", params: { image: LARGE } }),
    ];
    place.write("jobs.ndjson", lines.join("\n"));
    const done = await place.reeve("submit", "--batch", "jobs.ndjson");
    expectRefusal(done, 2, /nothing was submitted, since 8 lines are wrong/);
    for (const line of [2, 3, 4, 5, 6, 7, 9, 10]) expect(done.stderr).toContain(`jobs.ndjson:${line}: `);
    for (const line of [1, 8]) expect(done.stderr).not.toContain(`jobs.ndjson:${line}: `);
    expect(done.stderr).toMatch(/:3: .*did you mean `command`\?/);
    expect(done.stderr).toMatch(/:4: .*NUL/);
    expect(await place.list()).toEqual([]);
    const latin1 = await place.run(["submit", "--batch", "-"], { stdin: new Uint8Array([0x7b, 0xe9]) });
    expectRefusal(latin1, 2, /not valid UTF-8/);
  });

  test("an argument of 200 KB is refused, a body of 200 KB is not", async () => {
    await using place = new Place(form);
    place.write("large", LARGE);
    const args = ["submit", "--quiet", "--batch", "-"];
    const done = await place.run(args, { stdin: JSON.stringify({ command: ["echo", LARGE] }) });
    expectRefusal(done, 2, /argument 1 of the command is longer than the 131071 bytes/);
    const id = await place.submit("--body-file", "large", "--", "wc", "-c");
    await place.drain();
    expect((await place.ok("logs", id)).trim()).toBe(String(LARGE.length));
  });

  test("what cannot be started ends as a shell would say, with a sentence", async () => {
    await using place = new Place(form);
    mkdirSync(place.of("gone"));
    place.write("plain", "#!/bin/sh\n", 0o644);
    const jobs: [args: string[], code: number, sentence: RegExp][] = [
      [["--", "no-such-program"], 127, /no-such-program.*no such program/],
      [["--", "./missing"], 127, /missing.*no such program/],
      [["--", "./plain"], 126, /plain.*not executable|cannot be executed/],
      [["--cwd", "gone", "--", "true"], 127, /directory .*gone is not there/],
    ];
    const ids = await Promise.all(jobs.map(([args]) => place.submit(...args)));
    await Bun.$`rmdir ${place.of("gone")}`;
    expect(await place.drain()).toMatchObject({ code: 1 });
    for (const [index, [, code, sentence]] of jobs.entries()) {
      const id = ids[index] ?? "";
      expect((await place.reeve("wait", id)).code).toBe(code);
      const job = await place.show(id);
      expect(job.errorSummary?.message).toMatch(sentence);
      expect(job.jobInfo.attempts).toMatchObject([{ ending: "spawn failed", pid: null }]);
    }
  });

  test("arguments and environment that are too long together end the job, not the worker", async () => {
    await using place = new Place(form);
    const piece = "x".repeat(130_000);
    const [large = "", good = ""] = await place.submitBatch([
      { command: ["true", ...Array.from({ length: 40 }, () => piece)], priority: 1 },
      { command: ["true"] },
    ]);
    expect(await place.drain()).toMatchObject({ code: 1 });
    expect((await place.show(large)).errorSummary?.message).toMatch(/too long/);
    expect(await place.phase(good)).toBe("COMPLETED");
  });
});

/** Every verb that opens a store. */
const VERBS = [["submit", "--", "true"], ["list"], ["show", "a"], ["work", "--drain"], ["clean"]] as const;

async function storeWithAJob(form: Form, store?: string): Promise<Place> {
  const place = new Place(form, store);
  await place.submit("--hold", "--", "true");
  return place;
}

forEachForm("a store that is not as it should be", (form) => {
  test("read-only: a sentence and exit code 69, for submits and workers", async () => {
    using disk = smallDisk("8m");
    await using place = await storeWithAJob(form, disk.of("store"));
    disk.makeReadOnly();
    for (const args of VERBS) expectRefusal(await place.reeve(...args), 69, /the store .* cannot be written/);
  });

  test("a place where none can be made", async () => {
    await using place = new Place(form);
    place.write("file", "");
    expectRefusal(
      await place.reeve("--store", "file/store", "submit", "--", "true"),
      69,
      /the store .* cannot be written/,
    );
    expectRefusal(
      await place.reeve("--store", "/proc/none", "submit", "--", "true"),
      69,
      /the store .* cannot be written/,
    );
  });

  for (const [what, offset] of [
    ["header", 0],
    ["first page", 100],
  ] as const) {
    test(`a damaged ${what}: a sentence, and the file is left as it is`, async () => {
      await using place = await storeWithAJob(form);
      const path = `${place.store}/reeve.db`;
      const descriptor = openSync(path, "r+");
      writeSync(
        descriptor,
        new Uint8Array(statSync(path).size).fill(0xa5),
        0,
        Math.min(3000, statSync(path).size - offset),
        offset,
      );
      closeSync(descriptor);
      const before = readFileSync(path);
      for (const args of VERBS) expectRefusal(await place.reeve(...args), 69, /the store .* is damaged/);
      expect(readFileSync(path).equals(before)).toBe(true);
    });
  }

  test("made by a newer version, which this one cannot read", async () => {
    await using place = await storeWithAJob(form);
    const database = new Database(`${place.store}/reeve.db`);
    database.run("PRAGMA user_version = 900");
    database.run("UPDATE meta SET value = '900' WHERE name = 'min_reader'");
    database.close();
    for (const args of VERBS) expectRefusal(await place.reeve(...args), 69, /newer version/);
  });

  test("removed or replaced under a worker: it stops itself and says so", async () => {
    await using place = await storeWithAJob(form);
    place.write("reeve.toml", '[worker]\nrecovery_interval = "100ms"\n');
    await place.submit(...sh("touch began; exec sleep 1000"));
    const worker = await place.worker();
    await eventually("it runs", () => existsSync(place.of("began")));
    for (const end of ["", "-wal", "-shm"])
      await Bun.$`mv ${place.store}/reeve.db${end} ${place.store}/old${end}`.quiet().nothrow();
    const done = await worker.ended;
    expect(done.code).toBe(69);
    expect(done.stderr).toMatch(/\nreeve: the store .* was replaced or removed while it was being used\n {2}/);
    expect(place.processes()).toEqual([]);
  });

  test("locked by another process for a moment: a submit waits, and is not lost", async () => {
    await using place = await storeWithAJob(form);
    const database = new Database(`${place.store}/reeve.db`);
    database.run("BEGIN IMMEDIATE");
    const submit = place.start(["submit", "--quiet", "--", "true"]);
    await eventually("it has begun", () => place.processes().length === 1);
    await stays("it waits", () => place.processes().length === 1, 300);
    database.run("COMMIT");
    database.close();
    expect(await submit.ended).toMatchObject({ code: 0 });
    expect(await place.list()).toHaveLength(2);
  });
});
