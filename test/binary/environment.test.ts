import { expect, test } from "bun:test";
import { existsSync, mkdirSync } from "node:fs";
import { eventually } from "../support/eventually.ts";
import { existing } from "../support/temporary.ts";
import { descriptorsOf, filesOf, idsOf, procText, statusOf } from "../support/processes.ts";
import { COMPILED, forEachForm, type Form } from "./forms.ts";
import { PATH, Place, sh, type Manner } from "./place.ts";

/** What no job is to see. */
const DIRTY = {
  BUN_CONFIG_VERBOSE_FETCH: "0",
  NOTIFY_SOCKET: "/run/notify",
  WATCHDOG_USEC: "1000",
  WATCHDOG_PID: "1",
  SECRET_OF_THE_CALLER: "1",
};
const FORBIDDEN = [...Object.keys(DIRTY), "REEVE_STORE", "DENO_DIR", "DENO_NO_UPDATE_CHECK"];

/** A job that shows itself until the test ends it. */
const SHOWN = sh("echo $$ > pid; exec sleep 1000");

async function shownPid(place: Place): Promise<number> {
  const pid = Number(await place.file("pid"));
  // A shell has signals blocked while it forks, and descriptors of its own while it reads.
  await eventually("the shell has given way", () => procText(pid, "comm") === "sleep\n");
  return pid;
}

/** The environment that a job was started with. */
const environmentOf = (pid: number): Record<string, string> =>
  Object.fromEntries(
    existing(procText(pid, "environ"))
      .split("\0")
      .filter(Boolean)
      .map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
  );

async function work(place: Place, manner: Manner): Promise<void> {
  await place.worker(["--concurrency", "1"], manner);
}

forEachForm("what a job is given", (form) => {
  test("a submitted command: who the user is, what was asked for, the facts, and nothing else", async () => {
    await using place = new Place(form);
    const caller = { ...DIRTY, LC_TIME: "C", TZ: "UTC", PASSED: "on" };
    const asked = ["--env", "PASSED", "--env", "SET=a=b", "--env", "BUN_OPTIONS=--version", "--body", "the body"];
    const { stdout } = await place.run(["submit", "-q", "--timeout", "1h", ...asked, ...SHOWN], {
      environment: caller,
    });
    await work(place, { environment: { ...DIRTY, PASSED: "the worker's" } });
    const id = stdout.trim();
    const environment = environmentOf(await shownPid(place));
    const { HOME } = place.environment;
    expect(environment).toMatchObject({
      PATH,
      HOME,
      LANG: "C.UTF-8",
      LC_TIME: "C",
      TZ: "UTC",
      PASSED: "on",
      SET: "a=b",
    });
    for (const name of [...FORBIDDEN, "BUN_OPTIONS"]) expect(environment).not.toHaveProperty(name);
    expect(environment).toMatchObject({
      REEVE_JOB_ID: id,
      REEVE_TREE: `${id}.1`,
      REEVE_ATTEMPT: "1",
      REEVE_RECEIVE_COUNT: "1",
      REEVE_MESSAGE_ID: expect.stringContaining(id),
      REEVE_QUEUE: "sqlite",
    });
    const names = ["REEVE_BODY", "REEVE_CONTROL", "REEVE_RESULTS", "REEVE_WORKDIR"];
    for (const name of names) expect(existsSync(environment[name] ?? "")).toBe(true);
    const deadline = Number(environment["REEVE_DEADLINE"]) - Date.now() / 1000;
    expect(deadline).toBeWithin(3500, 3601);
    const facts = Object.keys(environment).filter((name) => name.startsWith("REEVE_"));
    expect(facts.length).toBe(6 + names.length + 1);
  });

  test("the body on stdin and at $REEVE_BODY, else nothing", async () => {
    await using place = new Place(form);
    place.write("body", "line\nno end");
    const [one, two] = [
      await place.submit("--body-file", "body", ...sh('cat; echo; cat "$REEVE_BODY"')),
      await place.submit(...sh('cat; readlink /proc/self/fd/0; echo "${REEVE_BODY-none}"')),
    ];
    const { stdout: three } = await place.run(["submit", "-q", "--body-file", "-", "--", "cat"], {
      stdin: "from stdin",
    });
    await place.drain();
    expect(await place.ok("logs", one)).toBe("line\nno end\nline\nno end");
    expect(await place.ok("logs", two)).toBe("/dev/null\nnone\n");
    expect(await place.ok("logs", three.trim())).toBe("from stdin");
  });

  test("a session of its own, descriptors 0 to 3, default signals and the caller's limit of open files", async () => {
    await using place = new Place(form);
    await place.submit(...SHOWN);
    const under = ["sh", "-c", 'ulimit -Sn 777; exec 7</dev/null; trap "" USR2 PIPE; "$@"; exit $?', "sh"];
    await work(place, { under });
    const pid = await shownPid(place);
    expect(idsOf(pid)).toMatchObject({ group: pid, session: pid });
    if (form.lacks.has("inherited descriptors"))
      expect(descriptorsOf(pid)).toEqual(expect.arrayContaining([0, 1, 2, 3]));
    else expect(descriptorsOf(pid)).toEqual([0, 1, 2, 3]);
    const [stdin, stdout, stderr] = filesOf(pid);
    expect([stdin, stderr]).toEqual(["/dev/null", stdout]);
    expect(procText(pid, "limits")).toMatch(/^Max open files +777 /m);
    const masks = form.lacks.has("ignored signals") ? ["SigBlk"] : ["SigBlk", "SigIgn"];
    for (const mask of masks) expect([mask, statusOf(pid, mask)]).toEqual([mask, "0000000000000000"]);
    expect(Number(procText(pid, "oom_score_adj"))).toBeGreaterThan(0);
  });

  test("stdout and stderr in one log in their order, or apart", async () => {
    await using place = new Place(form);
    const script = sh("echo 1; echo 2 >&2; echo 3; echo 4 >&2");
    const together = await place.submit(...script);
    const apart = await place.submit("--output", "separate", ...script);
    await place.drain();
    expect(await place.ok("logs", together)).toBe("1\n2\n3\n4\n");
    expect(await place.reeve("logs", apart)).toMatchObject({ stdout: "1\n3\n", stderr: "2\n4\n" });
    expect(await place.ok("logs", "--stream", "stderr", apart)).toBe("2\n4\n");
    expect(await place.ok("result", apart, "stdout")).toBe("1\n3\n");
  });

  test("what it says on descriptor 3 or in $REEVE_CONTROL is taken in whole", async () => {
    await using place = new Place(form);
    const script = `echo '{"progress":0.5,"message":"half"}' >&3
      echo nonsense >&3
      echo '{"result":{"id":"map","path":"out.png","type":"image/x-test"}}' >> "$REEVE_CONTROL"
      echo bytes > "$REEVE_RESULTS/out.png"; echo '{"error":{"message":"no good","type":"fatal"}}' >&3; exit 4`;
    const id = await place.submit("--max-attempts", "5", ...sh(script));
    await place.drain();
    const job = await place.show(id);
    expect(job).toMatchObject({ phase: "ERROR", errorSummary: { type: "fatal" } });
    expect(job.errorSummary?.message).toContain("no good");
    expect(job.jobInfo).toMatchObject({ exitCode: 4, progress: { fraction: 0.5, message: "half" } });
    expect(job.jobInfo.attempts).toHaveLength(1);
    expect(job.results).toEqual([{ id: "map", mimeType: "image/x-test", size: 6 }]);
  });

  test("a later attempt keeps the working directory, and begins with no results", async () => {
    await using place = new Place(form);
    const script =
      'cd "$REEVE_WORKDIR"; cat seen 2>&1; ls "$REEVE_RESULTS"; echo $REEVE_ATTEMPT >> seen; cp seen "$REEVE_RESULTS/r"; test $REEVE_ATTEMPT = 2';
    place.write(
      "reeve.toml",
      `[jobs.again]\ncommand = ["sh", "-c", '''${script}''']\nmax_attempts = 2\nbackoff = "1ms"\n`,
    );
    const id = await place.submit("again");
    expect(await place.drain()).toMatchObject({ code: 0 });
    expect(await place.ok("logs", "--attempt", "2", id)).toBe("1\n");
    expect(await place.ok("result", id, "r")).toBe("1\n2\n");
  });
});

const DEFINITIONS = `
[jobs.resize]
command = ["./resize.sh", "{param.image}", "w={param.width}", "{{literal}", "{param.tags}"]
params.image = { type = "string", required = true }
params.width = { type = "integer", default = 800, min = 1, max = 4000 }
params.tags = { type = "strings", default = ["a b", "c"] }
params.key = { type = "string", secret = true, default = "hidden" }
env = { MODE = "fast", TITLE = "-{param.image}: {param.width}", TAGS = "{param.tags}" }
pass_env = ["SECRET_OF_THE_CALLER"]
cwd = "sub"
timeout = "1h"

[jobs.copy]
command = ["cat", "{param.source}"]
params.source = { type = "file", required = true }
`;

async function withDefinitions(form: Form): Promise<Place> {
  const place = new Place(form);
  place.write("reeve.toml", DEFINITIONS);
  mkdirSync(place.of("sub"));
  place.write(
    "sub/resize.sh",
    '#!/bin/sh\npwd\nprintf "<%s>\\n" "$@"\necho $$ > ../pid\nwhile [ ! -e ../go ]; do sleep 0.02; done\n',
    0o755,
  );
  return place;
}

forEachForm("definitions", (form) => {
  test("templates, typed parameters, directory, and an environment of an allow-list and what they add", async () => {
    await using place = await withDefinitions(form);
    expect(await place.ok("check-config")).toContain("2 definitions");
    const args = ["resize", "--param", "image=it's a.png", "--param", "WIDTH=0100", "--param", "key=hush"];
    const id = await place.submit(...args);
    const aws = { AWS_REGION: "eu-west-1", https_proxy: "http://proxy" };
    await work(place, { environment: { ...DIRTY, ...aws } });
    const environment = environmentOf(Number(await place.file("pid")));
    place.write("go", "");
    expect(await place.reeve("wait", id)).toMatchObject({ code: 0 });

    const width = environment["REEVE_PARAM_WIDTH"] ?? "";
    expect(Number(width)).toBe(100);
    expect(await place.ok("logs", id)).toBe(
      [place.of("sub"), "<it's a.png>", `<w=${width}>`, "<{literal}>", "<a b>", "<c>", ""].join("\n"),
    );
    expect(environment).toMatchObject({
      ...aws,
      PATH,
      MODE: "fast",
      TITLE: `-it's a.png: ${width}`,
      TAGS: "a b\nc",
      SECRET_OF_THE_CALLER: "1",
      REEVE_PARAM_IMAGE: "it's a.png",
      REEVE_PARAM_KEY: "hush",
    });
    for (const name of FORBIDDEN.filter((name) => name !== "SECRET_OF_THE_CALLER")) {
      expect(environment).not.toHaveProperty(name);
    }
    const job = await place.show(id);
    expect(job.jobInfo).toMatchObject({ definition: "resize", cwd: place.of("sub") });
    expect(JSON.stringify(job) + (await place.ok("show", id)) + (await place.ok("why", id))).not.toContain("hush");
  });

  test("a file parameter is a path to the job", async () => {
    await using place = await withDefinitions(form);
    place.write("source.txt", "content");
    const id = await place.submit("copy", "--file", "source=@source.txt");
    await place.drain();
    expect(await place.ok("logs", id)).toBe("content");
    expect((await place.show(id)).parameters).toMatchObject([
      { id: "source", value: place.of("source.txt"), byReference: true },
    ]);
  });

  test("a definition whose program is missing waits for it in a worker that stays, and fails in one that drains", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", '[jobs.later]\ncommand = ["./later.sh"]\nbackoff = "100ms"\n');
    const gone = await place.submit("later");
    expect(await place.drain()).toMatchObject({ code: 1 });
    expect(await place.reeve("wait", gone)).toMatchObject({ code: 127 });
    const id = await place.submit("later");
    const worker = await place.worker();
    await worker.says('"definition paused"');
    place.write("later.sh", "#!/bin/sh\necho here\n", 0o755);
    expect(await place.reeve("wait", id)).toMatchObject({ code: 0 });
    expect((await place.show(id)).jobInfo.failures).toBe(0);
  });

  test("check-config names file, line and what was meant, with exit code 78; so does every verb", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", '[jobs.one]\ncommand = ["true"]\ntimout = "1s"\n');
    for (const args of [["check-config"], ["work"], ["submit", "one"], ["list"]]) {
      const done = await place.reeve(...args);
      expect(done).toMatchObject({ code: 78, stdout: "" });
      for (const text of ["reeve.toml:3", "timout", "did you mean `timeout`?"]) expect(done.stderr).toContain(text);
    }
    expect(JSON.parse((await place.reeve("check-config", "--json")).stdout)).toMatchObject({
      problems: [expect.any(String)],
    });
  });
});

test("the compiled binary takes nothing from .env and bunfig.toml of the directory it is started in", async () => {
  await using place = new Place(COMPILED);
  place.write(".env", "FROM_DOTENV=1\nREEVE_STORE=elsewhere\nREEVE_CONFIG=nowhere.toml\n");
  place.write("bunfig.toml", 'preload = ["./evil.ts"]\n');
  place.write("evil.ts", 'import { writeFileSync } from "node:fs"; writeFileSync("evil", "");');
  const id = await place.submit(...sh('echo "${FROM_DOTENV-none}"'));
  expect(await place.reeve("submit", "--env", "FROM_DOTENV", "--", "true")).toMatchObject({ code: 2 });
  await place.drain();
  expect(await place.ok("logs", id)).toBe("none\n");
  for (const name of ["evil", "elsewhere"]) expect(existsSync(place.of(name))).toBe(false);
});
