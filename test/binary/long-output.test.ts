import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { eventually } from "../support/eventually.ts";
import { statusOf } from "../support/processes.ts";
import { forEachForm, scaled } from "./forms.ts";
import { Place, sh } from "./place.ts";

const MIB = 1024 * 1024;

/** The only output that a running worker's first slot has. */
function slotOutput(place: Place): string {
  const [slot = ""] = [...new Bun.Glob("workers/*/slot-1").scanSync({ cwd: place.store, onlyFiles: false })];
  return `${place.store}/${slot}/output`;
}

/** How many bytes a program prints, and the most memory it had, in KiB. */
async function measure(place: Place, args: readonly string[]): Promise<{ bytes: number; peakKiB: number }> {
  const name = args.join("-");
  const argv = ["sh", "-c", '"$@" | wc -c', "sh", "sh", "-c", 'echo $$ > "$0"; exec "$@"', name];
  const running = place.startProgram([...argv, ...place.form.argv, ...args]);
  const pid = Number(await place.file(name));
  let peakKiB = 0;
  let isOver = false;
  void running.ended.then(() => (isOver = true));
  const look = (): boolean => {
    peakKiB = Math.max(peakKiB, Number.parseInt(statusOf(pid, "VmHWM") ?? "0", 10));
    return isOver;
  };
  await eventually("it ends", look, 60_000);
  return { bytes: Number((await running.ended).stdout), peakKiB };
}

forEachForm("long output", (form) => {
  test("is head and tail of what the job wrote, and never more on the disk, while it runs and afterwards", async () => {
    await using place = new Place(form);
    const script = "for i in 0 1 2; do seq $((i * 2000000 + 1)) $(((i + 1) * 2000000)); kill -STOP $$; done";
    const id = await place.submit("--output-limit", "1MiB", ...sh(`echo $$ > pid; ${script}`));
    const worker = await place.worker();
    const pid = Number(await place.file("pid"));
    const reader = place.start(["logs", "-f", id]);
    const file = slotOutput(place);
    for (let part = 1; part <= 3; part += 1) {
      await eventually("a part is written", () => reader.stdout().endsWith(`\n${part * 2_000_000}\n`));
      await eventually("the disk is spared", () => statSync(file).blocks * 512 < 1.3 * MIB);
      process.kill(pid, "SIGCONT");
    }
    expect(await reader.ended).toMatchObject({ code: 0, stderr: "" });
    expect(reader.stdout()).not.toContain("\0");
    worker.signal("SIGTERM");

    const text = await place.ok("logs", id);
    expect(text).toMatch(/^1\n2\n[\d\n]*\d\n… \d\d\.\d MiB left out …\n\d{7}\n[\d\n]*\n6000000\n$/);
    expect(text.length).toBeWithin(0.7 * MIB, MIB + 100);
    const numbers = text.split(/… .* …\n/).map((part) => part.trimEnd().split("\n").map(Number));
    for (const part of numbers) expect((part.at(-1) ?? 0) - (part[0] ?? 0)).toBe(part.length - 1);
    expect(await place.ok("result", id, "log")).toBe(text.replace(/… .* …\n/, ""));
    const [attempt] = (await place.show(id)).jobInfo.attempts;
    expect((attempt?.outputLeftOut ?? 0) + text.replace(/… .* …\n/, "").length).toBe(46_888_896);
  });

  test("keeps its times, which are those of the writes, and its head, when the worker is killed", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", '[worker]\nrecovery_interval = "100ms"\n');
    const script = "echo $$ > pid; seq 100000; kill -STOP $$; date +%s%3N; kill -STOP $$";
    const id = await place.submit("--output-limit", "64KiB", "--timestamps", "--max-lost", "1", ...sh(script));
    const worker = await place.worker();
    const pid = Number(await place.file("pid"));
    const reader = place.start(["logs", "-f", "--timestamps", id]);
    await eventually("the first part is there", () => reader.stdout().endsWith(" 100000\n"));
    worker.signal("SIGKILL");
    await worker.ended;
    process.kill(pid, "SIGCONT");
    await eventually("it has stopped again", () => statusOf(pid, "State")?.startsWith("T"));
    await place.worker();
    await reader.ended;
    const lines = reader.stdout().trimEnd().split("\n");
    const last = /^(\S+Z) (\d{13})$/.exec(lines.at(-1) ?? "");
    expect(Date.parse(last?.[1] ?? "") - Number(last?.[2])).toBeWithin(-20, 1000);
    const whole = (await place.ok("logs", "--timestamps", id)).trimEnd().split("\n");
    const times = whole.flatMap((line) => /^\S+Z/.exec(line)?.[0] ?? []);
    expect(times).toHaveLength(whole.length - 1);
    expect(times).toEqual(times.toSorted());
    expect(whole[0]).toEndWith(" 1");
    expect(await place.phase(id)).toBe("ERROR");
  });

  test("of a gigabyte in one line comes whole, its last lines at once, and costs no memory", async () => {
    await using place = new Place(form);
    const bytes = scaled(form, 1024, 128) * MIB;
    // A hole that the job makes itself is its output: nothing is left out.
    const script = `truncate -s ${bytes} /dev/stdout; echo x; printf 'the end'`;
    const id = await place.submit("--timestamps", ...sh(script));
    await place.drain();
    const expected = bytes + "x\nthe end".length;
    for (const [args, stamps] of [
      [["logs", id], 0],
      [["logs", "--timestamps", id], 2],
    ] as const) {
      const measured = await measure(place, args);
      expect(measured.bytes).toBe(expected + stamps * 25);
      expect(measured.peakKiB).toBeWithin(1, 200 * 1024);
    }
    expect(await place.ok("logs", "--tail", "1", id)).toBe("the end");
  });

  test("that is no text goes through a pipe byte for byte, and harmlessly to a terminal", async () => {
    await using place = new Place(form);
    const id = await place.submit(...sh(String.raw`printf '\033[31mred\033[0m \033[2J\377\n\tok'`));
    await place.drain();
    const pipe = place.startProgram(["sh", "-c", '"$@" | od -An -tx1', "sh", ...form.argv, "logs", id]);
    expect((await pipe.ended).stdout.replaceAll(/\s+/g, " ").trim()).toBe(
      "1b 5b 33 31 6d 72 65 64 1b 5b 30 6d 20 1b 5b 32 4a ff 0a 09 6f 6b",
    );
    const terminal = place.startProgram(["script", "-qec", `${form.argv.join(" ")} logs ${id}`, "/dev/null"]);
    expect((await terminal.ended).stdout).toBe("\u001b[31mred\u001b[0m \\u001b[2J\ufffd\r\n\tok");
  });

  test("says where no times were kept", async () => {
    await using place = new Place(form);
    const id = await place.submit("--", "echo", "x");
    await place.drain();
    expect(await place.reeve("logs", "--timestamps", id)).toMatchObject({
      code: 3,
      stdout: "",
      stderr: expect.stringContaining("submit --timestamps"),
    });
  });
});
