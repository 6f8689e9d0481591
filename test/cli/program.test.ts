import { expect, test } from "bun:test";
import { start, type Done } from "./desk.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const reeve = (...args: string[]): Promise<Done> => start(args).ended;

test("the version, and help with examples, cost nothing", async () => {
  const versions = await Promise.all([reeve("--version"), reeve("-V"), reeve("--no-color", "--version")]);
  for (const done of versions)
    expect(done).toMatchObject({ code: 0, stdout: expect.stringMatching(/^reeve \S+.*\n$/) });
  const help = await reeve("submit", "--help");
  expect(help).toMatchObject({ code: 0, stderr: "" });
  for (const part of ["queue a job", "Usage:", "--param <k=v>", "--store <dir>", "Examples:", "reeve submit -- sh"]) {
    expect(help.stdout).toContain(part);
  }
  expect((await reeve("help", "wait")).stdout).toContain("wait until jobs have ended");
});

test("no verb shows the usage, and is wrong", async () => {
  expect(await reeve()).toMatchObject({ code: 2, stdout: expect.stringContaining("Commands:") });
});

test.each([
  [["lst"], "there is no verb lst, did you mean `list`?"],
  [["list", "--phse", "ERROR"], "`reeve list` has no option --phse, did you mean `--phase`?"],
  [["list", "extra"], "unused args: `extra`"],
  [["show"], "missing required args for command `show <id>`"],
  [["list", "--", "x"], "`reeve list` takes no command after `--`"],
  [["list", "--phase", "ERORR"], "there is no phase ERORR, did you mean ERROR?"],
  [["list", "--last", "0"], "--last must be at least 1, not 0"],
  [["list", "--after", "soon"], '--after: "soon" is not a time'],
  [["dead", "lits"], "`reeve dead` has no lits, did you mean `list`?"],
])("%j is refused with one sentence", async (args, sentence) => {
  const { code, stdout, stderr } = await reeve(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toStartWith(`reeve: ${sentence}\n`);
});

test("where no store is, none is made by looking", async () => {
  using place = temporaryDirectory();
  const store = place.of("none");
  expect(await reeve("list", "--json", "--store", store)).toMatchObject({ code: 0, stdout: "[]\n" });
  expect(await reeve("clean", "--json", "--store", store)).toMatchObject({ code: 0 });
  const shown = await reeve("show", "abc", "--store", store);
  expect(shown.code).toBe(3);
  expect(shown.stderr).toStartWith(`reeve: no store at ${store} yet\n`);
  expect(await Array.fromAsync(new Bun.Glob("*").scan({ cwd: place.path, onlyFiles: false }))).toEqual([]);
});

test("a store that is a file, or no database, gets a sentence and 69", async () => {
  using place = temporaryDirectory();
  const file = place.write("file", "");
  expect(await reeve("submit", "--store", file, "--", "true")).toMatchObject({
    code: 69,
    stderr: expect.stringContaining("cannot be written"),
  });
  place.write("reeve.db", "this is no database, but a text that is long enough to be taken for one".repeat(100));
  const damaged = await start(["list", "--store", place.path], { environment: { REEVE_SHARED_FILESYSTEM: "1" } }).ended;
  expect(damaged).toMatchObject({ code: 69, stderr: expect.stringContaining("is damaged") });
});

test("check-config says what is wrong, and where", async () => {
  using place = temporaryDirectory();
  const check = (...args: string[]): Promise<Done> => start(["check-config", ...args], { cwd: place.path }).ended;
  expect(await check()).toMatchObject({ code: 0, stdout: expect.stringContaining("no reeve.toml") });
  place.write("reeve.toml", '[jobs.a]\ncommand = ["no-such-program-here"]\n');
  const warned = await check();
  expect(warned.code).toBe(0);
  expect(warned.stdout).toContain("jobs.a: The program no-such-program-here is not in PATH.");
  place.write("reeve.toml", '[jobs.a]\ncomand = ["true"]\n');
  const wrong = await check();
  expect(wrong.code).toBe(78);
  expect(wrong.stderr).toContain("did you mean `command`?");
  const json = await check("--json");
  expect(json.code).toBe(78);
  expect(JSON.parse(json.stdout)).toMatchObject({
    problems: [expect.stringContaining("command"), expect.stringContaining("comand")],
  });
});
