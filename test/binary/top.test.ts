import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { forEachForm } from "./forms.ts";
import { Place, sh } from "./place.ts";
import { onTerminal } from "./terminal.ts";

const ENTER = "\u001b[?1049h";
const COLOUR = new RegExp(String.raw`\u001b\[[\d;]+m`);

const TALKS = `echo '{"progress":0.25,"message":"a quarter"}' >&3; while [ ! -e go ]; do sleep 0.02; done
  echo '{"progress":0.5,"message":"half"}' >&3; while [ ! -e end ]; do sleep 0.02; done`;

forEachForm("top", (form) => {
  test("shows workers and what runs, and how far it is, as it changes; q gives the terminal back", async () => {
    await using place = new Place(form);
    const worker = await place.worker(["--concurrency", "1"]);
    const [id = ""] = await place.submitBatch([
      { command: sh(TALKS).slice(1) },
      { command: ["true"] },
      { command: ["true"] },
    ]);
    using top = onTerminal(place, ["top"], { NO_COLOR: "1" });
    await top.shows("25 %");
    expect(top.all()).toContain(ENTER);
    expect(top.all()).not.toMatch(COLOUR);
    await eventually("all is there", () => {
      const screen = top.screen();
      return [id.slice(0, 8), "EXECUTING", "QUEUED 2", "1/1", String(worker.pid), "██░░░░░░░░", "a quarter"].every(
        (word) => screen.includes(word),
      );
    });
    place.write("go", "");
    await top.shows("half");
    place.write("end", "");
    await top.shows("nothing runs");
    top.type("q");
    expect(await top.ended()).toEqual({ code: 0, signal: null });
    await top.gaveBack();
  });

  test("gives the terminal back on Ctrl-C, and when it is ended by a signal", async () => {
    await using place = new Place(form);
    await place.submit("--", "true");
    for (const [end, how] of [
      [(top: ReturnType<typeof onTerminal>) => top.type("\u0003"), { code: 0, signal: null }],
      [(top: ReturnType<typeof onTerminal>) => top.signal("SIGTERM"), { code: null, signal: "SIGTERM" }],
    ] as const) {
      using top = onTerminal(place, ["top"]);
      await top.shows("no worker is running");
      end(top);
      expect(await top.ended()).toEqual(how);
      await top.gaveBack();
    }
  });

  test("is one plain picture where no terminal is, and JSON where that is asked for", async () => {
    await using place = new Place(form);
    expect(await place.reeve("top")).toMatchObject({ code: 3 });
    const worker = await place.worker();
    const id = await place.submit(...sh(TALKS));
    await eventually("it is heard", async () => (await place.show(id)).jobInfo.progress !== null);
    const plain = await place.ok("top");
    expect(plain).toMatch(/EXECUTING 1/);
    expect(plain).toContain("a quarter");
    expect(plain).not.toContain("\u001b");
    const shot = await eventually("its processes are seen", async () => {
      const read = JSON.parse(await place.ok("top", "--json"));
      return read.jobs[0]?.usage ? read : null;
    });
    expect(shot).toMatchObject({
      store: place.store,
      phases: { EXECUTING: 1 },
      workers: [{ pid: worker.pid, alive: true, running: 1, trouble: null }],
      jobs: [{ jobId: id, phase: "EXECUTING", jobInfo: { progress: { fraction: 0.25 } } }],
    });
    expect(shot.jobs[0].usage.processes).toBeGreaterThan(0);
    expect(shot.jobs[0].usage.memoryBytes).toBeGreaterThan(10_000);
    worker.signal("SIGKILL");
    await worker.ended;
    expect(await place.ok("top")).toContain("dead");
  });

  test("wait shows on a terminal how far it is, and leaves nothing of that", async () => {
    await using place = new Place(form);
    await place.worker();
    const id = await place.submit(...sh(TALKS));
    using wait = onTerminal(place, ["wait", id]);
    await wait.shows("25 %, a quarter");
    place.write("go", "");
    await wait.shows("50 %, half");
    place.write("end", "");
    expect(await wait.ended()).toEqual({ code: 0, signal: null });
    await eventually("its line is empty", () => wait.all().endsWith("\r\u001b[K"));
  });
});
