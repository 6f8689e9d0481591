import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { ALONE } from "./alone.ts";
import { COMPILED, forEachForm } from "./forms.ts";
import { Place, sh } from "./place.ts";
import { Serving } from "./serving.ts";
import { onTerminal } from "./terminal.ts";

const WAITS = "while [ ! -e go ]; do sleep 0.02; done";
const says = (message: object): string => `printf '%s\\n' '${JSON.stringify(message)}' >&3`;
const asks = (seconds: number): string => `${says({ deadline: seconds })}; exec sleep`;
/** Far longer than it takes, on a machine that is busy with other things. */
const SOON_MS = 5000;

forEachForm("a job that talks while it runs", (form) => {
  test("is seen to by other processes: on the command line, over UWS, on its page", async () => {
    await using place = new Place(form);
    const at = await Serving.start(place, ["--concurrency", "1"]);
    const id = await place.submit(
      ...sh(`${says({ progress: 0.25, message: "a quarter" })}; echo > said; ${WAITS}
      echo '{"progress":0.75,"message":"nearly"}' >> "$REEVE_CONTROL"; while [ ! -e end ]; do sleep 0.02; done`),
    );
    await eventually("it is seen", async () => (await place.show(id)).jobInfo.progress?.fraction === 0.25, SOON_MS);
    expect(await place.ok("list")).toContain("25 %, a quarter");
    expect(await at.xml(`/jobs/${id}`)).toMatch(/<reeve:progress fraction="0\.25" message="a quarter"/);

    const hangUp = new AbortController();
    const response = await fetch(`${at.base}/jobs/${id}`, {
      headers: { accept: "text/event-stream" },
      signal: hangUp.signal,
    });
    let seen = "";
    const reading = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) seen += decoder.decode(chunk);
    })().catch(() => {});
    await eventually("its page shows it", () => seen.includes("a quarter"), SOON_MS);
    place.write("go", "");
    await eventually("its page follows", () => seen.includes("nearly"), SOON_MS);
    hangUp.abort();
    await reading;
    expect((await place.show(id)).jobInfo.progress).toEqual({ fraction: 0.75, message: "nearly" });
    place.write("end", "");
    expect(await place.reeve("wait", id)).toMatchObject({ code: 0 });
    expect((await place.show(id)).jobInfo.progress).toEqual({ fraction: 0.75, message: "nearly" });
  });

  test("says how long it may run, longer or shorter, and no longer than its executionDuration", async () => {
    await using place = new Place(form);
    const [longer = "", shorter = "", bounded = ""] = await place.submitBatch([
      { command: sh(`${asks(60)} 2.2`).slice(1), timeout: "1500ms" },
      { command: sh(`${asks(0.2)} 60`).slice(1), timeout: "50s" },
      { command: sh(`${asks(60)} 60`).slice(1), timeout: "1500ms", "execution-duration": "2s" },
    ]);
    await place.drain("--concurrency", "3");
    expect(await place.show(longer)).toMatchObject({ phase: "COMPLETED", jobInfo: { exitCode: 0 } });
    expect(await place.show(shorter)).toMatchObject({ phase: "ERROR", jobInfo: { attempts: [{ cause: "timeout" }] } });
    expect(await place.ok("why", shorter)).toContain("(timeout, as it had asked for itself)");
    expect(await place.show(bounded)).toMatchObject({
      phase: "ABORTED",
      jobInfo: { attempts: [{ cause: "overrun" }] },
    });
  });

  test("has its log lines in its worker's, with their level, while it runs", async () => {
    await using place = new Place(form);
    const worker = await place.worker();
    const id = await place.submit(
      ...sh(
        `${says({ log: { level: "warn", message: "careful\u001b[31m" } })}; ${WAITS}; ${says({ log: { message: "the end" } })}`,
      ),
    );
    const lines = () => worker.log().filter(({ event, job }) => event === "job said" && job === id);
    await eventually("it is told", () => lines().length === 1, SOON_MS);
    expect(lines()[0]).toMatchObject({ level: "warn", message: `job ${id}: careful\u001b[31m` });
    expect(worker.stderr()).not.toContain("\u001b");
    place.write("go", "");
    await place.reeve("wait", id);
    await eventually("all is told, each once", () =>
      lines()
        .map(({ message }) => message)
        .join()
        .endsWith("the end"),
    );
    expect(lines()).toHaveLength(2);
  });

  test("has its log lines on stderr where it runs in the foreground, between what it writes there", async () => {
    await using place = new Place(form);
    const script = `echo out; echo first >&2; ${says({ log: { message: "careful" } })}; ${says({ log: { level: "debug", message: "too much" } })}; ${WAITS}; echo last >&2`;
    const run = place.start(["run", ...sh(script)]);
    await run.says("reeve: careful\n");
    expect(run.stderr()).toBe("first\nreeve: careful\n");
    place.write("go", "");
    expect(await run.ended).toMatchObject({ code: 0, stdout: "out\n", stderr: "first\nreeve: careful\nlast\n" });
  });

  test("cannot act on the terminal by what it says, nor say anything in its worker's name", async () => {
    await using place = new Place(form);
    await place.submit(...sh(says({ log: { message: "one\n\u001b[2Jtwo \u009b31m" } })));
    using worker = onTerminal(place, ["work", "--drain"]);
    await worker.shows("one \\u001b[2Jtwo \\u009b31m");
    expect(await worker.ended()).toEqual({ code: 0, signal: null });
    expect(worker.all()).not.toContain("\u001b[2J");
  });

  test("goes on talking to the worker that adopts it, and keeps the time that it asked for", async () => {
    await using place = new Place(form);
    const first = await place.worker();
    const id = await place.submit(
      "--outlive",
      "--timeout",
      "1500ms",
      ...sh(`${ALONE}; ${says({ deadline: 60 })}; ${says({ log: { message: "once" } })}
      ${says({ result: { id: "early", path: "early.txt" } })}; echo early > "$REEVE_RESULTS/early.txt"
      ${says({ progress: 0.25 })}; ${WAITS}; ${says({ progress: 0.5 })}; while [ ! -e end ]; do sleep 0.02; done`),
    );
    await eventually("it is heard", async () => (await place.show(id)).jobInfo.progress?.fraction === 0.25, SOON_MS);
    expect((await place.show(id)).jobInfo.attempts[0]?.deadline).not.toBeNull();
    expect(await place.ok("why", id)).toContain("It asked to be allowed to run until");
    first.signal("SIGKILL");
    await first.ended;
    const next = await place.worker();
    await next.says("has outlived worker");
    place.write("go", "");
    await eventually("it is heard", async () => (await place.show(id)).jobInfo.progress?.fraction === 0.5, SOON_MS);
    await eventually("its first limit is over", async () => {
      const [attempt] = (await place.show(id)).jobInfo.attempts;
      return Date.now() - Date.parse(attempt?.startTime ?? "") > 2000;
    });
    place.write("end", "");
    expect(await place.reeve("wait", id)).toMatchObject({ code: 0 });
    expect((await place.show(id)).results).toMatchObject([{ id: "early" }]);
    expect([...first.log(), ...next.log()].filter(({ event }) => event === "job said")).toHaveLength(1);
  });

  test("and ends at once after ten thousand messages has said all of them", async () => {
    await using place = new Place(form);
    const script = `i=0; while [ $i -lt 10000 ]; do i=$((i+1)); echo '{"result":{"id":"r'$i'","path":"file"}}'; done >&3
      ${says({ progress: 1 })}; echo x > "$REEVE_RESULTS/file"`;
    const id = await place.submit(...sh(script));
    await place.drain();
    const { results, jobInfo } = await place.show(id);
    expect([results.length, jobInfo.progress?.fraction]).toEqual([10_000, 1]);
  });

  if (form !== COMPILED) return;
  test("and floods, or breaks what it talks by, harms neither its worker nor the jobs beside it", async () => {
    await using place = new Place(form);
    const worker = await place.worker(["--concurrency", "2"]);
    const beside = await place.submit(
      ...sh(
        `i=0; while [ ! -e end ]; do i=$((i+1)); echo "{\\"progress\\":0.5,\\"message\\":\\"$i\\"}" >&3; sleep 0.05; done`,
      ),
    );
    const bad = [
      `head -c 300000000 /dev/zero >&3`,
      `timeout 1 yes '${JSON.stringify({ log: { message: "flood" } })}' >&3`,
      `head -c 20000000 /dev/urandom >&3`,
      `rm "$REEVE_CONTROL"; exec 3>&-; exit 0`,
      `: > "$REEVE_CONTROL"`,
    ];
    for (const script of bad) {
      const before = (await place.show(beside)).jobInfo.progress?.message;
      const id = await place.submit(
        ...sh(`${script}; echo >&3; ${says({ error: { message: "at the end" } })}; exit 1`),
      );
      expect([script, (await place.reeve("wait", id)).code]).toEqual([script, script.endsWith("exit 0") ? 0 : 1]);
      if (!script.endsWith("exit 0")) expect((await place.show(id)).errorSummary?.message).toContain("at the end");
      await eventually(
        "the other is heard",
        async () => (await place.show(beside)).jobInfo.progress?.message !== before,
        SOON_MS,
      );
    }
    place.write("end", "");
    expect(await place.reeve("wait", beside)).toMatchObject({ code: 0 });
    worker.signal("SIGTERM");
    expect((await worker.ended).signal).toBe("SIGTERM");
  });
});
