import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { checkConfiguration } from "../../src/config/check.ts";
import { type Configuration, DEFAULT_LIMITS, type Definition } from "../../src/config/definition.ts";
import { definition, parameter, temporaryDirectory } from "./helpers.ts";

const configurationOf = (one: Definition): Configuration => ({
  file: null,
  directory: "/",
  store: { path: null, durability: "full" },
  worker: {
    concurrency: null,
    recoveryIntervalMs: 5000,
    stopBudgetMs: 25_000,
    connectTimeoutMs: 60_000,
    containment: "auto",
    endOutliving: false,
    routeTimeoutMs: 5000,
  },
  queues: new Map(),
  jobsFile: null,
  definitions: new Map([[one.name, one]]),
  service: { anonymous: false, proxies: [], limits: {} },
  users: new Map(),
});

const warnings = (one: Definition, environment: Record<string, string> = { PATH: "/usr/bin:/bin" }): string[] =>
  checkConfiguration(configurationOf(one), environment);

describe("programs", () => {
  test("one that is there is fine, by path or by PATH", () => {
    using directory = temporaryDirectory();
    chmodSync(directory.write("run.sh", "#!/bin/sh\n"), 0o755);
    expect(warnings(definition({}, { command: ["./run.sh"], cwd: directory.path }))).toEqual([]);
    expect(warnings(definition({}, { command: ["run.sh"] }), { PATH: `/nowhere:${directory.path}` })).toEqual([]);
    const own = { environment: { PATH: directory.path } };
    expect(warnings(definition({}, { command: ["run.sh"], ...own }))).toEqual([]);
  });

  test("one that is not there, not executable or no file is named", () => {
    using directory = temporaryDirectory();
    directory.write("plain.sh", "#!/bin/sh\n");
    mkdirSync(join(directory.path, "folder"));
    const of = (program: string) => warnings(definition({}, { command: [program], cwd: directory.path }));
    expect(of("./plain.sh")).toEqual([
      `jobs.resize: The program ${join(directory.path, "plain.sh")} is not executable.`,
    ]);
    expect(of("./missing.sh")[0]).toContain("is not there");
    expect(of("./folder")[0]).toContain("is not there");
    expect(of("./plain.sh/below")[0]).toContain("is not there");
    expect(of("no-such-program-anywhere")[0]).toBe("jobs.resize: The program no-such-program-anywhere is not in PATH.");
  });

  test("a directory that is not there is named", () => {
    expect(warnings(definition({}, { cwd: "/no/such/place" }))[0]).toContain("/no/such/place is not there");
  });
});

const warningsOf = (argument: string, fields = {}) =>
  warnings(definition({ p: parameter({ required: true, ...fields }) }, { command: ["/bin/true", argument] })).join();

describe("templates", () => {
  test("a definition that can reject every message is found", () => {
    expect(warningsOf("{body.image}")).toContain("names no parameter of its own, only {body.image}");
    expect(warningsOf("{attr.a}")).toContain("names no parameter of its own");
    expect(warningsOf("{body.image}{param.p}")).toBe("");
    expect(warningsOf("fixed")).toBe("");
    expect(warnings(definition({}, { environment: { A: "{body.image}" } })).join()).toContain("only {body.image}");
  });

  test.each(["{params.p}", "{param.p", "{Param.p}", "{body.a b}", "{attribute.x}"])("%s looks wrong", (argument) => {
    expect(warningsOf(argument)).toContain("looks like a placeholder");
  });

  test("in a variable too", () => {
    expect(warnings(definition({}, { environment: { A: "x{params.p}" } })).join()).toContain("{params.p} looks like");
  });

  test.each(["{print $1}", "{}", "{ body }", '{"body":1}'])("%s does not", (argument) => {
    expect(warningsOf(argument)).toBe("");
  });

  test("a number that may be negative but can never be passed so is found", () => {
    expect(warningsOf("{param.p}", { kind: "integer", min: -5 })).toContain("allow_leading_dash");
    expect(warningsOf("{param.p}", { kind: "integer", min: -5, allowLeadingDash: true })).toBe("");
    expect(warningsOf("-n={param.p}", { kind: "integer", min: -5 })).toBe("");
  });
});

test("settings that are most likely not meant are found", () => {
  const limits = { ...DEFAULT_LIMITS, timeoutMs: 0 };
  expect(warnings(definition({}, { limits })).join()).toContain("`timeout` is 0");
  expect(warnings(definition({}, { environment: { REEVE_JOB_ID: "x" } })).join()).toContain("REEVE_JOB_ID");
});

test("what is accepted but does nothing is said", () => {
  const limits = { ...DEFAULT_LIMITS, exitHandlerMs: 1000 };
  expect(warnings(definition({}, { limits })).join()).toContain("`exit_handler_timeout` means nothing without");
  expect(warnings(definition({}, { limits, exitHandler: ["/bin/true"] }))).toEqual([]);
});

const warningsOfHandler = (...exitHandler: string[]) => warnings(definition({}, { exitHandler })).join();

test("an exit handler is looked at like the command", () => {
  expect(warningsOfHandler("/no/such/program")).toContain("/no/such/program is not there");
  expect(warningsOfHandler("/bin/true", "{params.p}")).toContain("looks like a placeholder");
});

test("limits that the machine cannot enforce are told with the definition's name", () => {
  const one = definition({}, { limits: { ...DEFAULT_LIMITS, resources: { memoryBytes: 1, optional: [] } } });
  const found = checkConfiguration(configurationOf(one), { PATH: "/bin" }, ({ resources }) =>
    resources.memoryBytes === undefined ? [] : ["No memory can be bounded here."],
  );
  expect(found).toEqual(["jobs.resize: No memory can be bounded here."]);
});

test("parameters that no client of a service can give are named", () => {
  const parameters = { Phase: parameter(), RUNID: parameter(), phases: parameter() };
  expect(warnings(definition(parameters))).toEqual([
    "jobs.resize: UWS takes `Phase`, `RUNID` for itself: no client of `reeve serve` can give it as a parameter.",
  ]);
});
