import { expect, test } from "bun:test";
import { forEachForm, scaled } from "./forms.ts";
import { Place, sh } from "./place.ts";

const ESCAPE = "\u001b[";

forEachForm("what is printed", (form) => {
  test("colours: --color before NO_COLOR before FORCE_COLOR before the terminal", async () => {
    await using place = new Place(form);
    await place.submit("--hold", "--", "true");
    const coloured = async (args: string[], environment: Record<string, string>): Promise<boolean> =>
      (await place.run(["list", ...args], { environment })).stdout.includes(ESCAPE);
    expect(await coloured([], {})).toBe(false);
    expect(await coloured([], { FORCE_COLOR: "1" })).toBe(true);
    expect(await coloured([], { FORCE_COLOR: "1", NO_COLOR: "1" })).toBe(false);
    expect(await coloured(["--color"], { NO_COLOR: "1" })).toBe(true);
    expect(await coloured(["--no-color"], { FORCE_COLOR: "1" })).toBe(false);
  });

  test("a reader that goes away after the first line is no error", async () => {
    await using place = new Place(form);
    await place.submitBatch(Array.from({ length: 4000 }, () => ({ command: ["true"] })));
    const pipe = '{ "$@"; echo "exit code $?" >&2; } | head -n 1';
    for (const args of [
      ["list", "--last", "all"],
      ["list", "--last", "all", "--json"],
    ]) {
      const done = await place.startProgram(["sh", "-c", pipe, "sh", ...form.argv, ...args]).ended;
      expect(done).toMatchObject({ code: 0, stderr: "exit code 0\n" });
      expect(done.stdout.split("\n")).toHaveLength(2);
    }
  });

  test("a long list, and a log of 10 MB, come whole through a pipe", async () => {
    await using place = new Place(form);
    const jobs = scaled(form, 4000, 1000);
    await place.submitBatch(Array.from({ length: jobs }, () => ({ command: ["true"], hold: true })));
    const id = await place.submit(...sh("head -c 10485760 /dev/zero | tr '\\0' x"));
    await place.drain();
    const through = async (filter: string, ...args: string[]): Promise<string> =>
      (await place.startProgram(["sh", "-c", `"$@" | { sleep 0.1; ${filter}; }`, "sh", ...form.argv, ...args]).ended)
        .stdout;
    expect(await through("wc -c", "logs", id)).toBe("10485760\n");
    expect(await through("wc -c", "logs", "-f", id)).toBe("10485760\n");
    expect(await through("wc -c", "result", id, "log")).toBe("10485760\n");
    expect(await through("wc -l", "list", "--last", "all")).toBe(`${jobs + 2}\n`);
    expect(await through("tail -c 4", "list", "--last", "all", "--json")).toBe("  }\n]\n".slice(-4));
    expect(await place.ok("logs", "--tail", "0", id)).toBe("");
  });

  test("what a job wrote or was called cannot act on the terminal, where it is not asked for as it is", async () => {
    await using place = new Place(form);
    const evil = `${ESCAPE}2J\u202e\u0007`;
    const id = await place.submit("--run-id", evil, "--", "sh", "-c", "exit 3", evil);
    await place.drain();
    for (const args of [["list"], ["show", id], ["why", id], ["dead", "list"], ["dead", "show", id]]) {
      const text = await place.ok(...args);
      for (const code of ["\u001b", "\u0007", "\u202e"]) expect(text).not.toContain(code);
    }
  });

  test("data goes to stdout and remarks to stderr, and a worker's log is an object per line", async () => {
    await using place = new Place(form);
    const id = await place.submit("--", "false");
    const done = await place.reeve("work", "--drain");
    expect(done.stdout).toBe("");
    const lines = done.stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(
      lines.every(({ time, level, event, message }) =>
        [time, level, event, message].every((part) => typeof part === "string"),
      ),
    ).toBe(true);
    expect(lines.find(({ event }) => event === "job ended")).toMatchObject({ job: id, phase: "ERROR", level: "warn" });
  });

  test("help and version", async () => {
    await using place = new Place(form);
    expect(await place.ok("--version")).toMatch(/^reeve \d+\.\d+\.\d+/);
    const help = await place.ok("--help");
    for (const verb of ["submit", "work", "list", "why", "dead", "check-config"]) expect(help).toContain(verb);
    expect(await place.ok("submit", "--help")).toContain("--max-attempts");
    expect(await place.ok("help", "wait")).toContain("--timeout");
  });
});
