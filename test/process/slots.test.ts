import { inlineBody } from "../../src/config/message-body.ts";
import { DEFAULT_LIMITS } from "../../src/config/definition.ts";
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { CONTROL_QUOTA } from "../../src/process/control-file.ts";
import { SpawnFailed } from "../../src/process/port.ts";
import { INLINE_BYTES, mediaTypeOf } from "../../src/process/results.ts";
import { order, processPlace, textOf, textsOf, type ProcessPlace } from "../support/process-place.ts";
import { descriptorsOf } from "../support/processes.ts";
import { newId, only } from "../support/temporary.ts";

const idsOfResults = ({ takings }: Awaited<ReturnType<ProcessPlace["run"]>>): string[] =>
  takings.results.map(({ id }) => id).toSorted();

/** One after the other on the same slot, each as another job. */
async function runAll(place: ProcessPlace, ...scripts: string[]) {
  const ended = [];
  for (const script of scripts) ended.push(await place.run(script));
  return ended;
}

describe("output", () => {
  test("is one log in the order written, both streams together", async () => {
    using place = processPlace();
    const { takings } = await place.run("for i in $(seq 100); do echo out $i; echo err $i >&2; done");
    const expected = Array.from({ length: 100 }, (_, index) => `out ${index + 1}\nerr ${index + 1}\n`).join("");
    expect(textsOf(takings.outputs)).toEqual({ log: expected });
  });

  test("is taken in to the last byte, whoever wrote it and whatever it is", async () => {
    using place = processPlace();
    const { takings } = await place.run("printf 'no newline'; sh -c 'printf \"\\000\\377\"' & wait");
    const { content } = only(takings.outputs);
    expect(content.kind === "inline" && [...content.bytes].slice(-2)).toEqual([0, 255]);
  });

  test("is two streams apart where that is asked for", async () => {
    using place = processPlace();
    const { takings } = await place.run("echo out; echo err >&2; echo out again", {
      limits: { ...DEFAULT_LIMITS, output: "separate" },
    });
    expect(textsOf(takings.outputs)).toEqual({ stdout: "out\nout again\n", stderr: "err\n" });
  });

  test("of nothing is nothing, and makes no directory", async () => {
    using place = processPlace();
    const { takings } = await place.run(":", { limits: { ...DEFAULT_LIMITS, output: "separate" } });
    expect(takings).toEqual({ outputs: [], results: [], progress: null, error: null, warnings: [] });
    expect(existsSync(place.directory.of("jobs"))).toBe(false);
  });

  test("that is small is given in itself, what is larger is a file of the job's directory", async () => {
    using place = processPlace();
    const small = await place.run(`head -c ${INLINE_BYTES} /dev/zero`);
    expect(only(small.takings.outputs).content).toMatchObject({ kind: "inline" });
    const launch = { job: newId(), attempt: 2 };
    const large = await place.run(`head -c ${INLINE_BYTES + 1} /dev/zero`, launch);
    const path = place.directory.of("jobs", launch.job, "log.2");
    expect(only(large.takings.outputs).content).toEqual({ kind: "file", path, size: INLINE_BYTES + 1 });
    expect(statSync(path).size).toBe(INLINE_BYTES + 1);
    expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
  });

  test("of two large streams is two files", async () => {
    using place = processPlace();
    const script = "head -c 50000 /dev/zero; head -c 60000 /dev/zero >&2";
    const { takings } = await place.run(script, { job: "j", limits: { ...DEFAULT_LIMITS, output: "separate" } });
    expect(takings.outputs.map(({ stream, content }) => [stream, content.kind === "file" && content.size])).toEqual([
      ["stdout", 50_000],
      ["stderr", 60_000],
    ]);
    expect(readdirSync(place.directory.of("jobs", "j")).toSorted()).toEqual(["stderr.1", "stdout.1"]);
  });
});

describe("input", () => {
  test("is the body on stdin and in a file, byte for byte", async () => {
    using place = processPlace();
    const body = Uint8Array.from({ length: 100_000 }, (_, byte) => byte % 251);
    const { exit, takings } = await place.run(
      'cat >"$REEVE_RESULTS/stdin.bin"; cmp "$REEVE_BODY" "$REEVE_RESULTS/stdin.bin"',
      {
        body: inlineBody(body),
      },
    );
    expect(exit.code).toBe(0);
    const { content } = only(takings.results);
    expect(content.kind === "file" && new Uint8Array(readFileSync(content.path))).toEqual(body);
  });

  test("is nothing where there is no body, also after a job that had one", async () => {
    using place = processPlace();
    await place.run("cat", { body: inlineBody(new TextEncoder().encode("an earlier job's secret")) });
    const { takings } = await place.run('cat; echo "[${REEVE_BODY-none}]"');
    expect(textsOf(takings.outputs)).toEqual({ log: "[none]\n" });
  });

  test("that is shorter than the one before is not followed by its rest", async () => {
    using place = processPlace();
    await place.run("cat", { body: inlineBody(new TextEncoder().encode("a long, long body")) });
    const { takings } = await place.run("cat", { body: inlineBody(new TextEncoder().encode("short")) });
    expect(textsOf(takings.outputs)).toEqual({ log: "short" });
  });
});

describe("messages", () => {
  test("come by descriptor 3 and by the file, and the last word counts", async () => {
    using place = processPlace();
    const { takings } = await place.run(`
      echo '{"progress":0.25,"message":"a quarter"}' >&3
      echo '{"progress":0.5}' >>"$REEVE_CONTROL"
      echo '{"error":{"message":"first","type":"fatal"}}' >&3
      echo '{"error":{"message":"second"}}' >&3
      echo '{"log":{"level":"info","message":"hello"}}' >&3`);
    expect(takings.progress).toEqual({ fraction: 0.5, message: null });
    expect(takings.error).toEqual({ message: "second", type: "transient" });
    expect(takings.warnings).toEqual([]);
  });

  test("are taken in whole, however late they were written, before the end is told", async () => {
    using place = processPlace();
    for (let round = 0; round < 20; round += 1) {
      const { takings } = await place.run(`echo '{"progress":${round / 20}}' >&3`);
      expect(takings.progress?.fraction).toBe(round / 20);
    }
  });

  test("of what the main process left running count too", async () => {
    using place = processPlace();
    place.directory.write("message", '{"progress":0.9}\n');
    const script = `sh -c 'trap "cat message >&3; exit" TERM; echo >ready; while :; do sleep "$0" & wait; done' "$MARK" &
      while [ ! -e ready ]; do sleep 0.01; done`;
    const { takings } = await place.run(script);
    expect(takings.progress).toEqual({ fraction: 0.9, message: null });
  });

  test("that end in the middle of a line are taken up to there", async () => {
    using place = processPlace();
    const { takings } = await place.run(`printf '{"progress":0.5}\\n{"progress":0.' >&3`);
    expect(takings.progress?.fraction).toBe(0.5);
    expect(takings.warnings).toHaveLength(1);
    const whole = await place.run(`printf '{"progress":0.7}' >&3`);
    expect(whole.takings.progress?.fraction).toBe(0.7);
  });

  test("that are nonsense are warnings, and hide nothing", async () => {
    using place = processPlace();
    const { exit, takings } = await place.run(`
      echo 'not json' >&3; echo '[]' >&3; echo 'null' >&3; echo '"text"' >&3; echo '{"unknown":1}' >&3
      echo '{"progress":"half"}' >&3; echo '{"progress":7}' >&3; echo '{"result":{"id":"x"}}' >&3; echo '{"error":1}' >&3
      printf '\\377\\376\\n' >&3; echo >&3; echo '{"progress":0.5}' >&3`);
    expect(exit.code).toBe(0);
    expect(takings.progress?.fraction).toBe(0.5);
    expect(takings.error).toBeNull();
    expect(takings.results).toEqual([]);
    expect(takings.warnings).toHaveLength(10);
  });

  test("beyond their quota are left out in the midst, and that is said", async () => {
    using place = processPlace();
    const script = `echo '{"result":{"id":"early","path":"a"}}' >&3; echo a >"$REEVE_RESULTS/a"
      yes '{"progress":0.7}' | head -c ${CONTROL_QUOTA * 2} >&3
      echo >&3; echo '{"error":{"message":"at the end"}}' >&3`;
    const { takings } = await place.run(script);
    expect(takings.progress?.fraction).toBe(0.7);
    expect(takings.error?.message).toBe("at the end");
    expect(takings.results.map(({ id }) => id)).toEqual(["early"]);
    expect(takings.warnings.filter((warning) => warning.includes("bytes of its messages were left out"))).toHaveLength(
      1,
    );
  });

  test("are not those of the job before", async () => {
    using place = processPlace();
    const [, second] = await runAll(place, `echo '{"progress":1,"message":"old"}' >&3`, ":");
    expect(second?.takings).toMatchObject({ progress: null, warnings: [] });
  });
});

describe("results", () => {
  test("are the files below their directory, under their path, with a type by their name", async () => {
    using place = processPlace();
    const { takings } = await place.run(
      `cd "$REEVE_RESULTS"; mkdir -p a/b; echo 1,2 >table.csv; echo x >a/b/plain; : >empty.txt`,
    );
    const found = takings.results.map(({ id, type, content }) => [id, type, textOf(content)]).toSorted();
    expect(found).toEqual([
      ["a/b/plain", "application/octet-stream", "x\n"],
      ["empty.txt", "text/plain", ""],
      ["table.csv", "text/csv", "1,2\n"],
    ]);
  });

  test("have the id and type that the job declares; of the same id the last", async () => {
    using place = processPlace();
    const { takings } = await place.run(`cd "$REEVE_RESULTS"; echo one >1.png; echo two >2.png
      echo '{"result":{"id":"map","path":"1.png","type":"image/x-map"}}' >&3
      echo '{"result":{"id":"map","path":"./2.png"}}' >&3`);
    const map = takings.results.find(({ id }) => id === "map");
    expect(map).toMatchObject({ type: "image/png" });
    expect(map && textOf(map.content)).toBe("two\n");
    expect(takings.warnings).toEqual([]);
  });

  test("that are small are given in themselves; when one is large, all move to the job's directory", async () => {
    using place = processPlace();
    const small = await place.run('echo small >"$REEVE_RESULTS/a"');
    expect(only(small.takings.results).content.kind).toBe("inline");
    expect(existsSync(place.directory.of("jobs"))).toBe(false);
    const large = await place.run(`cd "$REEVE_RESULTS"; echo small >a; head -c 100000 /dev/zero >b.fits`, {
      job: "big",
    });
    const [a, b] = large.takings.results.toSorted((one, other) => one.id.localeCompare(other.id));
    expect(a && textOf(a.content)).toBe("small\n");
    const path = place.directory.of("jobs", "big", "results.1", "b.fits");
    expect(b).toEqual({ id: "b.fits", type: "application/fits", content: { kind: "file", path, size: 100_000 } });
    expect(statSync(path).size).toBe(100_000);
  });

  test("are no links, and nothing that is not a plain file", async () => {
    using place = processPlace();
    const { takings } =
      await place.run(`cd "$REEVE_RESULTS"; ln -s /etc/passwd passwd; ln -s /etc etc; ln -s nowhere dangling
      mkfifo pipe; echo fine >fine; echo '{"result":{"id":"stolen","path":"passwd"}}' >&3`);
    expect(takings.results.map(({ id }) => id)).toEqual(["fine"]);
    expect(takings.warnings).toHaveLength(1);
  });

  test("are not outside of their directory, whatever the job declares", async () => {
    using place = processPlace();
    place.directory.write("secret", "keep");
    const paths = ["../output", "../../secret", "/etc/passwd", "a/../../output", ".", "..", "", "\\u0000"];
    const lines = paths.map((path, index) => `echo '{"result":{"id":"r${index}","path":"${path}"}}' >&3`);
    const { takings } = await place.run(`echo some output\n${lines.join("\n")}`);
    expect(takings.results).toEqual([]);
  });

  test.each(["log", "stdout", "stderr"])("may be files named %s, under another id", async (name) => {
    using place = processPlace();
    const ended = await place.run(`echo mine >"$REEVE_RESULTS/${name}"`);
    expect(idsOfResults(ended)).toEqual([`results/${name}`]);
    const declared = await place.run(
      `echo x >"$REEVE_RESULTS/file"; echo '{"result":{"id":"${name}","path":"file"}}' >&3`,
    );
    expect(idsOfResults(declared)).toEqual(["file"]);
    expect(declared.takings.warnings).toHaveLength(1);
  });

  test("may have names that are no UTF-8, which costs nothing but a warning", async () => {
    using place = processPlace();
    const ended = await place.run(`cd "$REEVE_RESULTS"; echo fine >fine; echo odd >"$(printf 'a\\377b')"`);
    expect(idsOfResults(ended)).toContain("fine");
    const next = await place.run('echo next >"$REEVE_RESULTS/next"');
    expect(idsOfResults(next)).toEqual(["next"]);
  });

  test("of a later attempt begin with none", async () => {
    using place = processPlace();
    const launch = place.launch('echo old >"$REEVE_RESULTS/old"');
    await place.run(launch.argv[2] ?? "", { job: launch.job });
    const second = await place.run('ls "$REEVE_RESULTS"; echo new >"$REEVE_RESULTS/new"', {
      job: launch.job,
      attempt: 2,
    });
    expect(idsOfResults(second)).toEqual(["new"]);
    expect(second.takings.outputs).toEqual([]);
  });
});

describe("the media type of a result", () => {
  test.each([
    ["a.png", "image/png"],
    ["A.FITS", "application/fits"],
    ["x.tar.gz", "application/octet-stream"],
    ["table.vot", "application/x-votable+xml"],
    ["none", "application/octet-stream"],
    ["dir.txt/none", "application/octet-stream"],
    ["toString", "application/octet-stream"],
    ["a.constructor", "application/octet-stream"],
    ["a.__proto__", "application/octet-stream"],
  ])("of %s is %s", (path, type) => {
    expect(mediaTypeOf(path)).toBe(type);
  });
});

describe("the working directory", () => {
  test("is kept for the job's later attempts, and is empty for another job", async () => {
    using place = processPlace();
    const job = newId();
    await place.run('echo checkpoint >"$REEVE_WORKDIR/state"; echo one >"$REEVE_WORKDIR/first"', { job });
    const other = await place.run('ls -A "$REEVE_WORKDIR"');
    expect(other.takings.outputs).toEqual([]);
    const second = await place.run('cat "$REEVE_WORKDIR/state"; echo more >>"$REEVE_WORKDIR/state"', {
      job,
      attempt: 2,
    });
    expect(textsOf(second.takings.outputs)).toEqual({ log: "checkpoint\n" });
    const third = await place.run('cat "$REEVE_WORKDIR/state"; ls "$REEVE_WORKDIR"', { job, attempt: 3 });
    expect(textsOf(third.takings.outputs)).toEqual({ log: "checkpoint\nmore\nfirst\nstate\n" });
  });

  test("that a first attempt did not use may be used by a second, and is kept then", async () => {
    using place = processPlace();
    const job = newId();
    await place.run(":", { job });
    await place.run('echo late >"$REEVE_WORKDIR/state"', { job, attempt: 2 });
    const third = await place.run('cat "$REEVE_WORKDIR/state"', { job, attempt: 3 });
    expect(textsOf(third.takings.outputs)).toEqual({ log: "late\n" });
  });

  test("is for its owner only", async () => {
    using place = processPlace();
    const { takings } = await place.run('umask 0; stat -c %a "$REEVE_WORKDIR" "$REEVE_RESULTS"');
    expect(textsOf(takings.outputs)).toEqual({ log: "700\n700\n" });
  });
});

describe("a slot that is used again", () => {
  const LEAVES_ALL = `echo secret output; echo secret error >&2; echo '{"error":{"message":"secret"}}' >&3
    echo secret >"$REEVE_RESULTS/secret"; echo secret >"$REEVE_WORKDIR/secret"`;

  test("shows nothing of the job before, whatever way output is taken", async () => {
    for (const output of ["log", "separate"] as const) {
      for (const before of ["log", "separate"] as const) {
        using place = processPlace();
        await place.run(LEAVES_ALL, { limits: { ...DEFAULT_LIMITS, output: before } });
        const { takings } = await place.run('ls "$REEVE_RESULTS" "$REEVE_WORKDIR" | grep secret', {
          limits: { ...DEFAULT_LIMITS, output },
        });
        expect(takings).toEqual({ outputs: [], results: [], progress: null, error: null, warnings: [] });
      }
    }
  });

  test("shows nothing of the job before when that left much", async () => {
    using place = processPlace();
    await place.run('head -c 100000 /dev/zero; head -c 100000 /dev/zero >"$REEVE_RESULTS/big"');
    const { takings } = await place.run("echo next");
    expect(textsOf(takings.outputs)).toEqual({ log: "next\n" });
    expect(takings.results).toEqual([]);
  });

  test("gives the same when it is asked again, as long as no other job has begun", async () => {
    using place = processPlace();
    const launch = place.launch(LEAVES_ALL);
    const tree = place.slot.start(launch);
    await tree.exited;
    await tree.gone(order());
    const first = place.slot.collect(launch);
    expect(place.slot.collect(launch)).toEqual(first);
  });

  test("works after a program that could not be started", async () => {
    using place = processPlace();
    await place.run("echo old output");
    expect(() => place.start("", { argv: ["/no/such/program"] })).toThrow(SpawnFailed);
    const { takings } = await place.run("echo next");
    expect(textsOf(takings.outputs)).toEqual({ log: "next\n" });
  });

  test("keeps no descriptors open beyond its own few, however many jobs it had", async () => {
    using place = processPlace();
    const scripts = ["echo x", "head -c 100000 /dev/zero", LEAVES_ALL];
    await runAll(place, ...scripts);
    const before = descriptorsOf(process.pid)?.length;
    for (let round = 0; round < 20; round += 1) {
      expect(() => place.start("", { argv: ["/no/such/program"] })).toThrow(SpawnFailed);
    }
    for (let round = 0; round < 5; round += 1) await runAll(place, ...scripts);
    expect(descriptorsOf(process.pid)?.length).toBeLessThanOrEqual(before ?? 0);
  });

  test("says whose it is, for who finds it after a crash", async () => {
    using place = processPlace();
    const tree = place.start("exit 0", { job: "the-job", attempt: 3 });
    await tree.exited;
    tree.remember();
    const [job, attempt, pid] = readFileSync(place.directory.of("slot-1", "identity"), "utf8").split(" ");
    expect([job, attempt, pid]).toEqual(["the-job", "3", String(tree.pid)]);
  });
});

/** What a job may do to its own slot; the next job and the worker must not feel it. */
const VANDALS: readonly (readonly [name: string, script: string])[] = [
  ["removes its results directory", 'rm -r "$REEVE_RESULTS"'],
  ["removes its working directory", 'rm -r "$REEVE_WORKDIR"'],
  ["removes its message file", 'rm "$REEVE_CONTROL"'],
  ["removes its body", 'rm "$REEVE_BODY"'],
  ["removes all that is in its slot", 'rm -rf "$(dirname "$REEVE_RESULTS")"/*'],
  ["puts a file in place of its results directory", 'rm -r "$REEVE_RESULTS"; echo x >"$REEVE_RESULTS"'],
  ["puts a file in place of its working directory", 'rm -r "$REEVE_WORKDIR"; echo x >"$REEVE_WORKDIR"'],
  ["puts a link in place of its results directory", 'rm -r "$REEVE_RESULTS"; ln -s "$PWD/others" "$REEVE_RESULTS"'],
  ["puts a link in place of its working directory", 'rm -r "$REEVE_WORKDIR"; ln -s "$PWD/others" "$REEVE_WORKDIR"'],
  ["puts a link in place of its message file", 'rm "$REEVE_CONTROL"; ln -s /dev/null "$REEVE_CONTROL"'],
  ["puts a link in place of its body", 'ln -sf "$PWD/others/secret" "$(dirname "$REEVE_CONTROL")/body"'],
  ["puts a pipe in place of its body", 'cd "$(dirname "$REEVE_CONTROL")"; rm -f body; mkfifo body'],
  ["cuts off its message file", ': >"$REEVE_CONTROL"'],
  ["takes all rights from its results", 'echo x >"$REEVE_RESULTS/x"; chmod 000 "$REEVE_RESULTS/x" "$REEVE_RESULTS"'],
  ["nests directories in its results", 'cd "$REEVE_RESULTS"; for i in $(seq 200); do mkdir d; cd d; done; echo x >x'],
];

const USUAL = `echo usual output; echo '{"progress":0.5}' >&3; echo '{"error":{"message":"m"}}' >>"$REEVE_CONTROL"
  echo r >"$REEVE_RESULTS/r"; echo w >"$REEVE_WORKDIR/w"; cat "$REEVE_BODY"`;
const BODY = inlineBody(new TextEncoder().encode("body\n"));

/** A job that does all that a job may do finds all in order. */
async function expectInOrder(place: ProcessPlace, job: string): Promise<void> {
  const { exit, takings } = await place.run(USUAL, { body: BODY, job });
  expect(exit.code).toBe(0);
  expect(textsOf(takings.outputs)).toEqual({ log: "usual output\nbody\n" });
  expect(takings.progress).toEqual({ fraction: 0.5, message: null });
  expect(takings.error).toEqual({ message: "m", type: "transient" });
  expect(takings.results.map(({ id }) => id)).toEqual(["r"]);
  expect(takings.warnings).toEqual([]);
  expect(readFileSync(place.directory.of("jobs", job, "work", "w"), "utf8")).toBe("w\n");
}

describe.each(VANDALS)("a job that %s", (_, script) => {
  test("ends as it does, gives nothing of others as its own, and disturbs no later job", async () => {
    using place = processPlace();
    mkdirSync(place.directory.of("others"));
    place.directory.write("others/secret", "keep");
    const vandal = await place.run(script, { body: BODY });
    expect(vandal.exit.code).toBe(0);
    expect(vandal.left).toBeNull();
    expect(idsOfResults(vandal).filter((id) => !id.endsWith("x"))).toEqual([]);
    await expectInOrder(place, "next");
    await expectInOrder(place, "next-but-one");
    expect(readdirSync(place.directory.of("others"))).toEqual(["secret"]);
    expect(readFileSync(place.directory.of("others", "secret"), "utf8")).toBe("keep");
  });
});

describe("a job that puts a pipe in place of its message file", () => {
  test("does not keep the worker waiting for somebody to read it", async () => {
    using place = processPlace();
    await place.run('rm "$REEVE_CONTROL"; mkfifo "$REEVE_CONTROL"');
    // Without it a worker that waits would wait for ever, and this test with it.
    const control = place.directory.of("slot-1", "control");
    const reader = Bun.spawn(["sh", "-c", `sleep 3; exec timeout 1 cat "${control}"`], { stdout: "ignore" });
    const begun = performance.now();
    try {
      await expectInOrder(place, "next");
      expect(performance.now() - begun).toBeLessThan(2500);
    } finally {
      reader.kill("SIGKILL");
      await reader.exited;
    }
  });
});

/** Why it was not started. */
const failure = (place: ProcessPlace, argv: string[], fields = {}): SpawnFailed => {
  try {
    place.start("", { argv, ...fields });
  } catch (error) {
    if (error instanceof SpawnFailed) return error;
    throw error;
  }
  throw new Error("it was started");
};

describe("a program that cannot be started", () => {
  test("is told by its errno, with a sentence that names it", () => {
    using place = processPlace();
    const plain = place.directory.write("plain", "#!/bin/sh\n", 0o644);
    const cases: readonly (readonly [argv: string[], errno: string, sentence: RegExp])[] = [
      [["/no/such/program"], "ENOENT", /"\/no\/such\/program" .*no such program/],
      [["no-such-program"], "ENOENT", /"no-such-program" .*no such program/],
      [[plain], "EACCES", /plain" .*not executable/],
      [["true", "x".repeat(200_000)], "E2BIG", /too long/],
    ];
    for (const [argv, errno, sentence] of cases) {
      const failed = failure(place, argv);
      expect(failed.errno).toBe(errno);
      expect(failed.message).toMatch(sentence);
      expect(failed.message.length).toBeLessThan(500);
    }
  });

  test("because of a NUL byte is told as such, and is no missing program", () => {
    using place = processPlace();
    const failed = failure(place, ["true", "a\0b"]);
    expect(failed.message).toContain("NUL byte");
    expect(["ENOENT", "EACCES", "EAGAIN"]).not.toContain(failed.errno);
  });

  test("because its directory is missing names the directory", () => {
    using place = processPlace();
    const failed = failure(place, ["true"], { cwd: "/no/such/directory" });
    expect(failed.errno).toBe("ENOENT");
    expect(failed.message).toContain("/no/such/directory");
  });

  test("is not counted as running", () => {
    using place = processPlace();
    failure(place, ["/no/such/program"]);
    expect(place.manager.count).toBe(0);
  });
});
