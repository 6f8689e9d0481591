import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfiguration } from "../../src/config/configuration.ts";
import { type Configuration, DEFAULT_LIMITS, type Definition } from "../../src/config/definition.ts";
import { DEFAULT_SQS_QUEUE } from "../../src/config/queue-definition.ts";
import { errorOf, temporaryDirectory } from "./helpers.ts";

async function load(toml: string, environment: Record<string, string> = {}): Promise<Configuration> {
  using directory = temporaryDirectory();
  directory.write("reeve.toml", toml);
  return await loadConfiguration({ flag: undefined, environment, cwd: directory.path });
}

async function problems(toml: string): Promise<string[]> {
  const { message, exitCode } = await errorOf(() => load(toml));
  expect(exitCode).toBe(78);
  return message.split("\n");
}

async function job(toml: string): Promise<Definition> {
  const found = (await load(`[jobs.j]\n${toml}`)).definitions.get("j");
  if (found === undefined) throw new Error("no definition");
  return found;
}

describe("which file is read", () => {
  test("none gives the defaults", async () => {
    using directory = temporaryDirectory();
    expect(await loadConfiguration({ flag: undefined, environment: {}, cwd: directory.path })).toEqual({
      file: null,
      directory: directory.path,
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
      definitions: new Map(),
      service: { anonymous: false, proxies: [], limits: {} },
      users: new Map(),
    });
  });

  test("the flag, else REEVE_CONFIG, else reeve.toml", async () => {
    using directory = temporaryDirectory();
    for (const [name, concurrency] of Object.entries({ "flag.toml": 1, "variable.toml": 2, "reeve.toml": 3 })) {
      directory.write(name, `[worker]\nconcurrency = ${concurrency}`);
    }
    const read = async (flag: string | undefined, variable: string | undefined) => {
      const from = { flag, environment: { REEVE_CONFIG: variable }, cwd: directory.path };
      return (await loadConfiguration(from)).worker.concurrency;
    };
    expect(await read("flag.toml", "variable.toml")).toBe(1);
    expect(await read(undefined, join(directory.path, "variable.toml"))).toBe(2);
    expect(await read(undefined, "")).toBe(3);
    expect(await read(undefined, undefined)).toBe(3);
  });

  test("one that was named has to be there and readable", async () => {
    using directory = temporaryDirectory();
    const read = (flag: string) => errorOf(() => loadConfiguration({ flag, environment: {}, cwd: directory.path }));
    expect((await read("no.toml")).message).toBe("no.toml: there is no such file");
    expect((await read(".")).message).toContain("is a directory");
    expect((await read("")).message).toContain("must name a file");
    writeFileSync(join(directory.path, "latin.toml"), new Uint8Array([0x23, 0xfc]));
    expect((await read("latin.toml")).message).toBe("latin.toml: the file is not valid UTF-8");
    expect((await read("latin.toml")).exitCode).toBe(78);
  });

  test("paths in it are relative to where it is, not to the caller", async () => {
    using directory = temporaryDirectory();
    mkdirSync(join(directory.path, "deploy"));
    directory.write(
      "deploy/r.toml",
      '[store]\npath="s"\n[jobs.a]\ncommand=["x"]\n[jobs.b]\ncommand=["x"]\ncwd="../w"\n[jobs.c]\ncommand=["x"]\ncwd="/w"',
    );
    const read = await loadConfiguration({ flag: "deploy/r.toml", environment: {}, cwd: directory.path });
    const deploy = join(directory.path, "deploy");
    expect(read.file).toBe(join(deploy, "r.toml"));
    expect(read.store.path).toBe(join(deploy, "s"));
    expect([...read.definitions.values()].map(({ cwd }) => cwd)).toEqual([deploy, join(directory.path, "w"), "/w"]);
  });

  test.each(["", "\n", "# nothing\r\n", "\uFEFF"])("an empty file is one: %j", async (toml) => {
    expect((await load(toml)).definitions.size).toBe(0);
  });
});

describe("what it says", () => {
  test("everything that can be said of a job", async () => {
    const read = await job(`
      command = ["./resize.sh", "{param.image}", "{param.WIDTH}"]
      params.image = { type = "string", required = true, max_length = 9, pattern = "a+", description = "d" }
      params.width = { type = "integer", default = 800, min = 1, max = 9007199254740991, choices = [1, 800] }
      params.ratio = { type = "number", default = 1.5, allow_leading_dash = true }
      params.big = { type = "integer", default = 12345678901234567890 }
      params.fast = { type = "boolean", default = false }
      params.tags = { type = "strings", default = ["a", "b"], secret = true }
      timeout = "10m"
      grace = 5
      max_attempts = 5
      max_lost = 2
      execution_duration = "1h"
      on_lost = "fail"
      on_signal = "release"
      reject = [65]
      release = [75, 76]
      release_delay = "30s"
      backoff = "1s"
      backoff_cap = "1m"
      output = "separate"
      stop_signal = "INT"
      env = { A = "1", B = "" }
      pass_env = ["TOKEN"]
      description = "Makes images smaller."
      exit_handler = ["./clean.sh", "{param.image}"]
      exit_handler_timeout = "20s"
      finish_timeout = "3s"
      term_exit_zero = "completed"
      isolate = "pid"
      outlive = true
      output_limit = "100MB"
      timestamps = true
      route = { attribute = "kind", equals = "resize" }
      [jobs.j.limits]
      memory = "512MiB"
      cpu = 1.5
      processes = 64
      cpu_time = "1m"
      open_files = 256
      file_size = "1GB"
      nice = 10
      umask = "077"
      user = "nobody"
      group = "nogroup"
      optional = ["memory", "cpu"]
    `);
    expect(read.limits).toEqual({
      ...DEFAULT_LIMITS,
      timeoutMs: 600_000,
      graceMs: 5000,
      maxAttempts: 5,
      maxLost: 2,
      executionDuration: 3600,
      onLost: "fail",
      onSignal: "release",
      rejectCodes: [65],
      releaseCodes: [75, 76],
      releaseDelayMs: 30_000,
      backoffBaseMs: 1000,
      backoffCapMs: 60_000,
      output: "separate",
      stopSignal: "INT",
      exitHandlerMs: 20_000,
      finishMs: 3000,
      termExitZero: "completed",
      isolate: "pid",
      outlive: true,
      outputLimitBytes: 100_000_000,
      timestamps: true,
      resources: {
        memoryBytes: 512 * 1024 ** 2,
        cpus: 1.5,
        processes: 64,
        cpuSeconds: 60,
        openFiles: 256,
        fileSizeBytes: 1_000_000_000,
        nice: 10,
        umask: 0o77,
        user: "nobody",
        group: "nogroup",
        optional: ["memoryBytes", "cpus"],
      },
    });
    const plain = { required: false, secret: false, allowLeadingDash: false };
    expect(Object.fromEntries(read.parameters)).toEqual({
      image: { ...plain, kind: "string", required: true, maxLength: 9, pattern: "a+", description: "d" },
      width: { ...plain, kind: "integer", default: "800", min: 1, max: 9007199254740991, choices: ["1", "800"] },
      ratio: { ...plain, kind: "number", default: "1.5", allowLeadingDash: true },
      big: { ...plain, kind: "integer", default: "12345678901234567890" },
      fast: { ...plain, kind: "boolean", default: "false" },
      tags: { ...plain, kind: "strings", default: ["a", "b"], secret: true },
    });
    expect(read).toMatchObject({
      name: "j",
      environment: { A: "1", B: "" },
      passEnvironment: ["TOKEN"],
      description: "Makes images smaller.",
      exitHandler: ["./clean.sh", "{param.image}"],
      route: { attribute: "kind", equals: "resize" },
    });
  });

  test("a job that says nothing has the default limits", async () => {
    const read = await job('command = ["x"]');
    expect(read.limits).toEqual(DEFAULT_LIMITS);
    expect(read.description).toBeUndefined();
  });

  test("queues", async () => {
    const toml = '[queues.main]\nurl = "https://sqs.eu-west-1.amazonaws.com/1/jobs"\n[queues.own]\ntype = "sqlite"';
    expect(Object.fromEntries((await load(toml)).queues)).toEqual({
      main: { ...DEFAULT_SQS_QUEUE, url: "https://sqs.eu-west-1.amazonaws.com/1/jobs" },
      own: { type: "sqlite", weight: 1 },
    });
  });

  test("the store and the worker", async () => {
    const { store, worker } = await load(`
      store = { path = "/var/lib/reeve", durability = "normal" }
      [worker]
      concurrency = 3
      recovery_interval = "1s"
      stop_budget = "20s"
      connect_timeout = 0
      containment = "marks"
      end_outliving = true
      route_timeout = "2s"`);
    expect(store).toEqual({ path: "/var/lib/reeve", durability: "normal" });
    expect(worker).toEqual({
      concurrency: 3,
      recoveryIntervalMs: 1000,
      stopBudgetMs: 20_000,
      connectTimeoutMs: 0,
      containment: "marks",
      endOutliving: true,
      routeTimeoutMs: 2000,
    });
  });

  test("in a pipeline the worker has less time to stop, unless the file says so", async () => {
    expect((await load("", { CI: "true" })).worker.stopBudgetMs).toBe(7000);
    expect((await load('[worker]\nstop_budget = "20s"', { CI: "true" })).worker.stopBudgetMs).toBe(20_000);
  });
});

const containment = async (text: string, environment: Record<string, string> = {}) =>
  (await load(text, environment)).worker.containment;

describe("what holds trees together", () => {
  test("is what the environment says, else the file, else what can be had", async () => {
    expect(await containment("")).toBe("auto");
    expect(await containment('[worker]\ncontainment = "cgroup"')).toBe("cgroup");
    expect(await containment('[worker]\ncontainment = "cgroup"', { REEVE_CONTAINMENT: "marks" })).toBe("marks");
    expect(await containment('[worker]\ncontainment = "cgroup"', { REEVE_CONTAINMENT: "" })).toBe("cgroup");
  });

  test("is one of three words", async () => {
    expect(await problems('[worker]\ncontainment = "cgroups"')).toEqual([
      'reeve.toml:2: worker.containment must be one of "auto", "cgroup", "marks", did you mean `cgroup`?',
    ]);
    expect(load("", { REEVE_CONTAINMENT: "all" })).rejects.toThrow(/REEVE_CONTAINMENT.*auto, cgroup, marks/);
  });
});

describe("wrong keys", () => {
  test("are named with file, line, path and the nearest right one", async () => {
    expect(await problems('[jobs.resize]\ncommand = ["x"]\n\ntimout = "10m"')).toEqual([
      "reeve.toml:4: jobs.resize.timout is not a known key, did you mean `timeout`?",
    ]);
    expect(await problems('[job.resize]\ncommand = ["x"]')).toEqual([
      "reeve.toml:1: job is not a known key, did you mean `jobs`?",
    ]);
    expect(await problems("[store]\nzzzzzzzz = 1")).toEqual(["reeve.toml:2: store.zzzzzzzz is not a known key"]);
  });

  test("are all told, in the order of the file", async () => {
    const toml =
      '[store]\ndurability = "fsync"\nx = 1\n[worker]\nconcurrency = 0\n[jobs.a]\ntimeout = "soon"\n[jobs.b]\ncommand = ["x", "{param.y}"]\ngrace = -1';
    expect((await problems(toml)).map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
      "reeve.toml:2: store.durability",
      "reeve.toml:3: store.x",
      "reeve.toml:5: worker.concurrency",
      "reeve.toml:6: jobs.a.command",
      "reeve.toml:7: jobs.a.timeout",
      "reeve.toml:9: jobs.b.command.1",
      "reeve.toml:10: jobs.b.grace",
    ]);
  });

  test("that objects have of themselves are wrong as well, and harm nothing", async () => {
    const found = await problems(
      '__proto__ = { polluted = 1 }\ntoString = 1\n[jobs.constructor]\ncommand = ["x"]\n[jobs.a]\ncommand = ["x"]\nenv.__proto__ = "x"\nparams.prototype = {}\nhasOwnProperty = 1',
    );
    expect(found.map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
      "reeve.toml:1: __proto__",
      "reeve.toml:2: toString",
      "reeve.toml:3: jobs.constructor",
      "reeve.toml:7: jobs.a.env.__proto__",
      "reeve.toml:8: jobs.a.params.prototype",
      "reeve.toml:9: jobs.a.hasOwnProperty",
    ]);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  test("are found wherever TOML lets them be", async () => {
    const toml = [
      'text = """',
      "[store]",
      'x = 1 \\""" # """',
      "list = [ # ]",
      "  1, { a = 2, b = [3] },",
      "]",
      "[ jobs . 'a' ] # [jobs.b]",
      'command = ["x", "#", \'"\', "]"]',
      '"wrong" . key = { a = 1 }',
      "params = { i = { typ = 'string' } }",
      "[jobs.a.env]",
      "B = 1",
    ].join("\r\n");
    expect((await problems(toml)).map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
      "reeve.toml:1: text",
      "reeve.toml:4: list",
      "reeve.toml:9: jobs.a.wrong",
      "reeve.toml:10: jobs.a.params.i.typ",
      "reeve.toml:12: jobs.a.env.B",
    ]);
  });

  test("with strange names are shown harmlessly and short", async () => {
    const [first, second] = await problems(`"\\u001b[31m" = 1\n${"x".repeat(200_000)} = 1`);
    expect(first).toBe('reeve.toml:1: "\\u001b[31m" is not a known key');
    expect(second?.length).toBeLessThan(200);
  });
});

const wrongJob = async (toml: string): Promise<string> => (await problems(`[jobs.j]\n${toml}`)).join(" ");

describe("wrong values", () => {
  test.each([
    ["command = []", "must not be an empty list"],
    ['command = "x y"', "must be a list of words"],
    ['command = [""]', "must name a program"],
    ['command = ["x\\u0000"]', "NUL"],
    ["command = [1]", "must be a text"],
    ['timeout = "soon"', "is not a duration"],
    ["timeout = -1", "is not a duration"],
    ["timeout = inf", "is not a duration"],
    ["timeout = nan", "must be a duration"],
    ["timeout = []", "must be a duration"],
    ["timeout = 1979-05-27", "must be a duration"],
    ["max_attempts = 0", "must be at least 1"],
    ["max_attempts = 1.5", "must be a whole number"],
    ["max_attempts = 12345678901234567890", "must be a whole number"],
    ["max_lost = 0", "must be at least 1"],
    ["reject = 65", "must be a list of exit codes"],
    ["reject = [0]", "must be at least 1"],
    ["release = [256]", "must be at most 255"],
    ['output = "seperate"', "did you mean `separate`?"],
    ["output = {}", "must be one of"],
    ['on_lost = "retry"', 'must be one of "release", "fail"'],
    ['stop_signal = "STOP"', "must be one of"],
    ['env = ["A=1"]', "must be a table"],
    ["env = 1979-05-27", "must be a table"],
    ['env = { "A=B" = "1" }', "must begin with a letter or `_`"],
    ["env = { A = 1 }", "must be a text in quotes"],
    ['pass_env = ["LC_*"]', "must begin with a letter or `_`"],
    ['cwd = ""', "must not be empty"],
    ['exit_handler = "x"', "must be a list of words"],
    ["exit_handler_timeout = 0", "jobs.j.exit_handler_timeout must be longer than 0"],
    ['term_exit_zero = "complete"', "did you mean `completed`?"],
    ['isolate = "net"', 'must be one of "none", "pid"'],
    ["outlive = 1", "must be true or false"],
    ['output_limit = "4G"', 'jobs.j.output_limit "4G" is not a size'],
    ["limits = 1", "must be a table"],
    ["limits.memry = 1", "jobs.j.limits.memry is not a known key, did you mean `memory`?"],
    ["limits.nice = 20", "jobs.j.limits.nice must be at most 19"],
    ["limits.umask = 0o077", "jobs.j.limits.umask must be octal digits in quotes"],
    ['limits.optional = ["disk"]', "must be true, or a list of limits"],
    ['route = { attribute = "kind" }', "route.equals is missing"],
    ['route = { attribut = "kind", equals = "x" }', "did you mean `attribute`?"],
  ])("%s", async (line, sentence) => {
    const toml = line.startsWith("command") ? line : `command = ["x"]\n${line}`;
    expect(await wrongJob(toml)).toContain(sentence);
  });

  test("limits that contradict each other", async () => {
    expect(await wrongJob('command = ["x"]\nreject = [1, 65]\nrelease = [65]')).toContain("65 is in `reject` as well");
    expect(await wrongJob('command = ["x"]\nbackoff = "1h"')).toContain("leaves `backoff_cap` below `backoff`");
    const kept = 'command = ["x"]\nkeep_descendants = true\n';
    expect(await wrongJob(`${kept}max_attempts = 2`)).toContain("jobs.j.keep_descendants goes with one attempt only");
    expect(await wrongJob(`${kept}isolate = "pid"`)).toContain(
      "jobs.j.keep_descendants means nothing in a pid namespace",
    );
    expect((await job(kept)).limits.keepDescendants).toBe(true);
  });

  test.each(["jobs", "metrics", "health", "capabilities", "static", "events", "admin", "api", "index", "API"])(
    "a job cannot be called %s",
    async (name) => {
      expect((await problems(`[jobs.${name}]\ncommand = ["x"]`)).join()).toContain("is a name that Reeve itself needs");
    },
  );

  test.each(["1st", "a b", "ä", "", "a/b", "a.b", "-a", "_a"])("a job cannot be called %p", async (name) => {
    const [problem] = await problems(`[jobs."${name}"]\ncommand = ["x"]`);
    expect(problem).toContain("reeve.toml:1:");
    expect(problem).toContain("must begin with a letter");
  });

  test.each([
    ['type = "sqs"', "needs a `url`"],
    ["", "needs a `url`"],
    ['url = "x"', "must be a URL"],
    ['type = "sqlite"\nurl = "https://x/y"', "means nothing for sqlite"],
    ['type = "kafka"', 'must be one of "sqlite", "sqs"'],
  ])("a queue that is none: %j", async (toml, sentence) => {
    expect((await problems(`[queues.q]\n${toml}`)).join()).toContain(sentence);
  });

  test.each(["store = []", "[[store]]", "jobs = 1", "worker = 'x'", "[[jobs.a]]", "queues.a = 1979-05-27"])(
    "no table where there should be one: %s",
    async (toml) => {
      expect((await problems(toml)).join()).toContain("must be a table");
    },
  );
});

describe("wrong parameters", () => {
  test.each([
    ['{ type = "strng" }', "params.p.type", "did you mean `string`?"],
    ["{ min = 1 }", "params.p.min", "means nothing for the type `string`"],
    ['{ type = "file", choices = ["a"] }', "params.p.choices", "means nothing for the type `file`"],
    ['{ type = "integer", pattern = "1" }', "params.p.pattern", "means nothing for the type `integer`"],
    ['{ type = "boolean", max_length = 1 }', "params.p.max_length", "means nothing for the type `boolean`"],
    ['{ type = "integer", min = 2, max = 1 }', "params.p.min", "is above `max`, 1"],
    ['{ pattern = "(" }', "params.p.pattern", "is not a regular expression"],
    ['{ type = "integer", default = "8" }', "params.p.default", "must be an integer"],
    ['{ type = "integer", default = 1.5 }', "params.p.default", "must be an integer"],
    ['{ type = "integer", default = 0, min = 1 }', "params.p.default", "must be at least 1"],
    ['{ type = "boolean", default = 1 }', "params.p.default", "must be true or false"],
    ["{ default = 1 }", "params.p.default", "must be a text"],
    ['{ default = ["a"] }', "params.p.default", "must be a text"],
    ['{ type = "strings", default = "a" }', "params.p.default", "must be a list of texts"],
    ['{ choices = ["a"], default = "b" }', "params.p.default", 'must be one of "a"'],
    ['{ pattern = "a+", default = "b" }', "params.p.default", "must match the pattern a+"],
    ['{ type = "integer", choices = ["x"] }', "params.p.choices.0", "must be an integer"],
    ['{ required = true, default = "a" }', "params.p.required", "keep one of them"],
    ["{ choices = [] }", "params.p.choices", "must not be an empty list"],
    ["1", "params.p", "must be a table"],
  ])("%s", async (toml, path, sentence) => {
    const [problem] = await problems(`[jobs.j]\ncommand = ["x"]\nparams.p = ${toml}`);
    expect(problem).toStartWith(`reeve.toml:3: jobs.j.${path} `);
    expect(problem).toContain(sentence);
  });

  test("names that differ only by case", async () => {
    const found = await problems('[jobs.j]\ncommand = ["x"]\nparams.a = {}\nparams.A = {}');
    expect(found).toEqual(["reeve.toml:4: jobs.j.params.A differs from another only by case"]);
  });
});

const wrongArgument = async (argument: string): Promise<string> =>
  (
    await problems(
      `[jobs.j]\ncommand = ["x", "${argument}"]\nparams = { image = { required = true }, some = {}, list = { type = "strings", required = true } }`,
    )
  ).join("\n");

describe("templates", () => {
  test.each([
    ["{param.imgae}", "names a parameter that is not declared, did you mean `image`?"],
    ["{param.some}", "is optional and has no default"],
    ["--x={param.list}", "can only stand as a whole argument"],
    ["{param.__proto__}", "names a parameter that is not declared"],
  ])("%s is refused", async (argument, sentence) => {
    expect(await wrongArgument(argument)).toStartWith(`reeve.toml:2: jobs.j.command.1 ${argument.replace("--x=", "")}`);
    expect(await wrongArgument(argument)).toContain(sentence);
  });

  test("are checked in the exit handler too, and beside other problems", async () => {
    const found = await problems('[jobs.j]\ncommand = ["x"]\ntimeout = "x"\nexit_handler = ["y", "{param.z}"]');
    expect(found).toHaveLength(2);
    expect(found[1]).toStartWith("reeve.toml:4: jobs.j.exit_handler.1 {param.z} names a parameter");
  });

  test("are checked in variables too", async () => {
    const found = await problems(
      '[jobs.j]\ncommand = ["x"]\nparams.some = {}\n[jobs.j.env]\nA = "a{param.z}"\nB = "{param.some}"\nC = "{body.a}{print $1}"\nD = "x{attr.b}"',
    );
    expect(found).toEqual([
      "reeve.toml:5: jobs.j.env.A {param.z} names a parameter that is not declared",
      "reeve.toml:6: jobs.j.env.B {param.some} is optional and has no default; give it `default`, or `required = true`",
    ]);
  });

  test.each(["PATH", "LD_PRELOAD", "BASH_ENV"])("no code is chosen by a placeholder in %s", async (name) => {
    const found = await problems(`[jobs.j]\ncommand = ["x"]\nenv = { ${name} = "/bin:{body.a}" }`);
    expect(found).toEqual([`reeve.toml:3: jobs.j.env.${name} decides what is run, which cannot be chosen by {body.a}`]);
    expect((await job(`command = ["x"]\nenv = { ${name} = "/bin" }`)).environment).toEqual({ [name]: "/bin" });
  });

  test.each(["{body.program}", "{attr.a}", "{param.p}", "./{param.p}"])("no program is chosen by %s", async (word) => {
    const found = await problems(`[jobs.j]\ncommand = ["${word}"]\nparams.p = { required = true }`);
    expect(found.join()).toContain("the program cannot be chosen by");
  });

  test("literal braces, fields and attributes are fine", async () => {
    const read = await job('command = ["awk", "{print $1}", "{{param.x}", "{body.a}", "{attr.b}", "{", "}}"]');
    expect(read.command).toHaveLength(7);
  });
});

describe("what is not TOML", () => {
  test.each([
    ["[jobs.j\ncommand = 1", /^reeve\.toml:1:\d+: this is not valid TOML: /],
    ["a = 1\nb = = 2", /^reeve\.toml:2:\d+: /],
    ['a = "\n', /^reeve\.toml:1:\d+: /],
    ["a = 1\na = 2", /^reeve\.toml:2:\d+: /],
    ["<xml/>", /^reeve\.toml:1:\d+: /],
    ["\u0000\u0001", /^reeve\.toml:1:\d+: /],
    ["{".repeat(5000), /^reeve\.toml:1:\d+: /],
    [`a = ${"[".repeat(200_000)}`, /^reeve\.toml:1:\d+: /],
  ])("%j is told in one line with its place", async (toml, form) => {
    const found = await problems(toml);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(form);
  });

  test("values of 200 KB do not hurt", async () => {
    const long = "x".repeat(200_000);
    const toml = `a = "${long}"\nb = """${long}"""\nc = '${long}'\nd = [${"1,".repeat(20_000)}]`;
    expect((await problems(toml)).map((line) => line.split(" ")[0])).toEqual(
      [1, 2, 3, 4].map((n) => `reeve.toml:${n}:`),
    );
  });
});
