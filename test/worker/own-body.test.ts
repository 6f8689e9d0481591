import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { codeOf } from "../../src/errors.ts";
import { SpawnFailed, type Launch } from "../../src/process/port.ts";
import { startWithOwnBody } from "../../src/worker/own-body.ts";
import { within } from "../support/eventually.ts";
import { smallDisk } from "../support/filesystems.ts";
import { order, processPlace, textsOf, type ProcessPlace } from "../support/process-place.ts";
import { limits } from "../support/temporary.ts";
import { IS_ROOT } from "../support/unprivileged.ts";

const TEXT = "0123456789abcdef\n".repeat(100);

/** What a script writes that has the file for its body, whatever it does to that. */
async function run(place: ProcessPlace, script: string, path: string, fields: Partial<Launch> = {}) {
  const launch = place.launch(script, { ...fields, body: { kind: "file", path, size: TEXT.length } });
  const tree = await startWithOwnBody(launch, place.slot.directory, (own) => place.slot.start(own));
  const { code } = await within("it ends", tree.exited);
  expect(await tree.gone(order())).toBeNull();
  return { code, log: textsOf(place.slot.collect(launch).outputs)["log"] };
}

describe("a job whose body is a file", () => {
  test("reads it from stdin and by its name", async () => {
    using place = processPlace();
    const path = place.directory.write("original", TEXT);
    expect(await run(place, 'cat; cat "$REEVE_BODY"', path)).toEqual({ code: 0, log: TEXT + TEXT });
  });

  test.each([
    ["writes to it", 'echo changed >"$REEVE_BODY"'],
    ["writes to its stdin", "echo changed >/proc/self/fd/0"],
    ["removes it", 'rm "$REEVE_BODY"'],
    ["moves something in its place", 'mkdir d; rm "$REEVE_BODY"; mv d "$REEVE_BODY"; echo x >"$REEVE_BODY/x"'],
    ["closes it to all", 'chmod 0 "$REEVE_BODY"'],
  ])("and that %s changes nothing for the next attempt, and leaves nothing in the slot", async (_, script) => {
    using place = processPlace();
    const path = place.directory.write("original", TEXT, 0o600);
    expect(await run(place, script, path)).toMatchObject({ code: 0 });
    expect(statSync(path)).toMatchObject({ nlink: 1, mode: 0o100600, uid: process.getuid?.() ?? 0 });
    expect(await run(place, "cat", path, { attempt: 2 })).toEqual({ code: 0, log: TEXT });
    expect(readFileSync(path, "utf8")).toBe(TEXT);
    expect(readdirSync(place.slot.directory)).not.toContain("body");
    expect(existsSync(`${place.slot.directory}.body`)).toBe(false);
  });

  test.skipIf(!IS_ROOT)("and that is another user's is given the copy, not the original", async () => {
    using place = processPlace();
    const path = place.directory.write("original", TEXT, 0o600);
    const asNobody = { cwd: "/", limits: limits({ resources: { optional: [], user: "nobody" } }) };
    expect(await run(place, 'cat; echo >"$REEVE_BODY"', path, asNobody)).toEqual({ code: 0, log: TEXT });
    expect(statSync(path)).toMatchObject({ mode: 0o100600, uid: process.getuid?.() ?? 0 });
    expect(readFileSync(path, "utf8")).toBe(TEXT);
  });
});

const starting = (launch: Launch, directory: string): Promise<SpawnFailed | null> =>
  startWithOwnBody(launch, directory, () => null).catch((error: unknown) => {
    if (error instanceof SpawnFailed) return error;
    throw error;
  });

describe("nothing is started", () => {
  test("without the body, which is no missing program", async () => {
    using place = processPlace();
    const launch = place.launch("true", { body: { kind: "file", path: "/no/such/body", size: 1 } });
    expect(await starting(launch, place.slot.directory)).toMatchObject({
      errno: "EIO",
      message: expect.stringContaining("for want of its body: ENOENT"),
    });
  });

  test("where the disk has no room for a copy, and nothing of that is left", async () => {
    using place = processPlace();
    using disk = smallDisk("256k");
    const path = place.directory.write("original", "x".repeat(1_000_000));
    const launch = place.launch("true", { body: { kind: "file", path, size: 1_000_000 } });
    expect(await starting(launch, disk.of("slot"))).toMatchObject({ errno: "ENOSPC" });
    expect(readdirSync(disk.path)).toEqual([]);
  });

  test("leaves no copy where the start itself fails", async () => {
    using place = processPlace();
    const path = place.directory.write("original", TEXT);
    const launch = place.launch("true", {
      argv: ["/no/such/program"],
      body: { kind: "file", path, size: TEXT.length },
    });
    const start = startWithOwnBody(launch, place.slot.directory, () => {
      throw Object.assign(new Error("nothing"), { code: "EAGAIN" });
    });
    expect(await start.catch(codeOf)).toBe("EAGAIN");
    expect(existsSync(`${place.slot.directory}.body`)).toBe(false);
  });
});
