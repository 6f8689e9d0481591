import { describe, expect, test } from "bun:test";
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_LIMITS } from "../../src/config/definition.ts";
import { CONTROL_QUOTA, ControlFile, LONGEST_LINE } from "../../src/process/control-file.ts";
import type { Heard } from "../../src/process/port.ts";
import { Probes } from "../../src/process/probes.ts";
import { runtime } from "../../src/runtime/index.ts";
import { eventually, within } from "../support/eventually.ts";
import { order, processPlace, type ProcessPlace } from "../support/process-place.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const MIB = 1024 * 1024;

/** A file of messages, which the test writes itself. */
function controlPlace() {
  const directory = temporaryDirectory();
  const path = directory.write("control", "");
  const probes = new Probes(directory.path, runtime.libc());
  const file = new ControlFile(probes);
  return {
    path,
    probes,
    file,
    write: (text: string | Uint8Array) => appendFileSync(path, text),
    /** All that is news by now. */
    news() {
      const all: Heard[] = [];
      for (let isBehind = true; isBehind;) {
        isBehind = file.look();
        all.push(...[file.news()].filter((one) => one !== null));
      }
      return all;
    },
    [Symbol.dispose]() {
      file.stop();
      probes.close();
      directory[Symbol.dispose]();
    },
  };
}

const progressOf = (news: readonly Heard[]): (number | undefined)[] => news.map(({ progress }) => progress?.fraction);
const line = (message: object): string => `${JSON.stringify(message)}\n`;

describe("messages are read as they come", () => {
  test("each once, and those that are not whole yet when they are", () => {
    using at = controlPlace();
    expect(at.news()).toEqual([]);
    at.write('{"progress":0.25}\n{"log":{"message":"one"}}\n{"progr');
    expect(at.news()).toMatchObject([{ progress: { fraction: 0.25 }, log: [{ level: "info", message: "one" }] }]);
    expect(at.news()).toEqual([]);
    at.write('ess":0.5,"message":"half"}\n{"deadline":600}\n');
    expect(at.news()).toMatchObject([{ progress: { fraction: 0.5, message: "half" }, deadlineSeconds: 600, log: [] }]);
    at.write('{"result":{"id":"map","path":"a"}}\n{"progress":0.75}');
    expect(at.news()).toEqual([]);
    expect(at.file.end()).toMatchObject({ progress: { fraction: 0.75 }, results: [{ id: "map" }], warnings: [] });
  });

  test("by whom writes the file anew each time, too: longer, as long, or shorter", () => {
    using at = controlPlace();
    for (const fraction of [0.1, 0.2, 0.25, 0.5, 1]) {
      writeFileSync(at.path, line({ progress: fraction }));
      expect(progressOf(at.news())).toEqual([fraction]);
    }
    expect(at.file.end().warnings).toEqual([]);
  });

  test("but a deadline that is none is a warning", () => {
    using at = controlPlace();
    const odd = ["600", -1, 0, null, [], 1e12];
    at.write(odd.map((deadline) => line({ deadline })).join("") + line({ progress: 0.5 }));
    expect(at.news()).toMatchObject([{ deadlineSeconds: null, progress: { fraction: 0.5 } }]);
    expect(at.file.end().warnings).toHaveLength(odd.length);
  });

  test("whatever is between them: lines without end, zeroes, what is no UTF-8", () => {
    using at = controlPlace();
    for (const [index, byte] of [0x78, 0, 0xff].entries()) {
      for (let written = 0; written < LONGEST_LINE * 3; written += 100_000) {
        at.write(new Uint8Array(100_000).fill(byte));
        expect(at.news()).toEqual([]);
      }
      at.write(`\n${line({ progress: (index + 1) / 4 })}`);
      expect(progressOf(at.news())).toEqual([(index + 1) / 4]);
    }
    expect(at.file.end().warnings).toEqual(Array(3).fill(`a line of more than ${LONGEST_LINE} bytes was left out`));
  });

  test("up to a bound: of texts, of results and of log lines", () => {
    using at = controlPlace();
    const long = "x".repeat(200_000);
    at.write(
      line({ progress: 0.5, message: long }) + line({ error: { message: long } }) + line({ log: { message: long } }),
    );
    const heard = at.news();
    expect(heard.flatMap(({ progress }) => progress?.message?.length ?? [])).toEqual([2000]);
    expect(heard.flatMap(({ log }) => log.map(({ message }) => message.length))).toEqual([2000]);
    for (let index = 0; index < 40; index += 1)
      at.write(
        Array.from({ length: 1000 }, (_, each) => line({ log: { message: "m" } }) + line({ result: { id: `${index} ${each} ${long.slice(0, 100)}`, path: "p" } })).join(""), // prettier-ignore
      );
    const said = at.news().flatMap(({ log }) => log).length;
    expect(said).toBeGreaterThan(10_000);
    expect(said).toBeLessThan(40_000);
    const { results, warnings, error } = at.file.end();
    expect(error?.message.length).toBeLessThan(20_000);
    expect(results.length).toBeLessThan(40_000);
    expect(warnings.some((warning) => warning.includes("too many results"))).toBe(true);
    expect(warnings).toContain(`${40_000 - said} of its log lines were left out: they were too many`);
  });

  test("that were declared again and again are as many as their names", () => {
    using at = controlPlace();
    for (let index = 0; index < 20; index += 1) {
      at.write(line({ result: { id: "same", path: "a".repeat(3000) } }).repeat(1000));
      at.news();
    }
    expect(at.file.end()).toMatchObject({ results: [{ id: "same" }], warnings: [] });
  });
});

const room = (path: string): number => statSync(path).blocks * 512;

describe("what was read is given back to the disk", () => {
  test("and nothing that it came to is lost, also to who reads the file later", () => {
    using at = controlPlace();
    at.write(line({ result: { id: "early", path: "a", type: "text/x" } }) + line({ error: { message: "bad" } }));
    const many = line({ progress: 0.5, message: "on and on" }).repeat(25_000);
    let written = 0;
    for (let index = 0; index < 20; index += 1) {
      at.write(many);
      written += many.length;
      at.news();
    }
    expect(written).toBeGreaterThan(CONTROL_QUOTA);
    if (at.probes.canPunch()) expect(room(at.path)).toBeLessThan(6 * MIB);
    at.write(line({ log: { message: "heard" } }));
    const heard = at.news().at(-1)?.upTo ?? 0;
    at.write(line({ log: { message: "not heard" } }) + line({ result: { id: "late", path: "b" } }));

    const later = ControlFile.of(at.probes, heard);
    for (let isBehind = true; isBehind;) isBehind = later.look();
    expect(later.news()).toMatchObject({ progress: null, log: [{ message: "not heard" }] });
    expect(later.end()).toMatchObject({
      progress: { fraction: 0.5, message: "on and on" },
      error: { message: "bad" },
      results: [
        { id: "early", path: "a", type: "text/x" },
        { id: "late", path: "b" },
      ],
      warnings: [],
    });
  });

  test("where that cannot be done the file begins anew", () => {
    using at = controlPlace();
    at.probes.canPunch = () => false;
    const many = line({ progress: 0.5, message: "on and on" }).repeat(100_000);
    at.write(line({ result: { id: "early", path: "a" } }));
    for (let index = 0; index < 20; index += 1) {
      at.write(many);
      at.news();
      expect(statSync(at.path).size).toBeLessThan(5 * CONTROL_QUOTA);
    }
    at.write(line({ progress: 1 }));
    expect(progressOf(at.news())).toEqual([1]);
    expect(at.file.end()).toMatchObject({ results: [{ id: "early" }], progress: { fraction: 1 } });
  });
});

/** Whether this process has the kernel tell of changes of a file: proc(5), inotify(7). */
function isWatched(path: string): boolean {
  const name = `ino:${statSync(path).ino.toString(16)} `;
  return readdirSync("/proc/self/fdinfo").some((descriptor) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8").includes(name);
    } catch {
      // It was that of the listing.
      return false;
    }
  });
}

/** What a running job says, as it is heard. */
function heardOf(place: ProcessPlace, script: string) {
  const launch = place.launch(script);
  const tree = place.slot.start(launch);
  const heard: Heard[] = [];
  place.slot.listen((one) => void heard.push(one), 0);
  return {
    launch,
    heard,
    hears: (fraction: number) =>
      eventually(`it is heard at ${fraction}`, () => heard.some(({ progress }) => progress?.fraction === fraction)),
    async end() {
      await within("the main process ends", tree.exited);
      expect(await within("the tree is gone", tree.gone(order(300)))).toBeNull();
      while (place.slot.catchUp());
      return place.slot.collect(launch);
    },
  };
}

const waits = (file: string): string => `while [ ! -e ${file} ]; do sleep 0.01; done`;

describe("a job that runs is heard", () => {
  test("whether it talks all the time or breaks a long silence, by descriptor or by name", async () => {
    using place = processPlace();
    const job = heardOf(
      place,
      `echo '{"progress":0.1}' >&3; ${waits("go")}; echo '{"progress":0.2}' >>"$REEVE_CONTROL"; ${waits("end")}
      echo '{"progress":0.3}' >&3; echo '{"log":{"message":"the end"}}' >&3`,
    );
    await job.hears(0.1);
    // It is looked at by the clock for a while, then the kernel tells.
    await eventually("it is watched", () => isWatched(join(place.slot.directory, "control")));
    place.directory.write("go", "");
    await job.hears(0.2);
    place.directory.write("end", "");
    const takings = await job.end();
    expect(takings).toMatchObject({ progress: { fraction: 0.3 }, warnings: [] });
    const lines = [...job.heard.flatMap(({ log }) => log), ...(takings.said ?? [])];
    expect(lines.map(({ message }) => message)).toEqual(["the end"]);
  });

  test("no more once it has been taken in, and the next one on its slot is another", async () => {
    using place = processPlace();
    const first = heardOf(place, `echo '{"progress":0.1}' >&3; ${waits("go")}`);
    await first.hears(0.1);
    place.directory.write("go", "");
    await first.end();
    const next = heardOf(place, `echo '{"progress":0.9}' >&3; ${waits("end")}`);
    await next.hears(0.9);
    place.directory.write("end", "");
    await next.end();
    expect(progressOf(first.heard)).toEqual([0.1]);
  });

  test("until the last of its tree is gone, though its main process ended long before", async () => {
    using place = processPlace();
    const script = `sh -c 'trap "sleep 0.1; printf %s\\\\\\\\n {\\\\\\"progress\\\\\\":0.9} >&3; exit" TERM; echo >ready; while :; do sleep "$0" & wait; done' "$MARK" &
      ${waits("ready")}; exec 3>&-`;
    const { takings } = await place.run(script);
    expect(takings.progress).toEqual({ fraction: 0.9, message: null });
  });

  test("which floods: in slices, and what is kept of it stays small", async () => {
    using place = processPlace();
    const job = heardOf(
      place,
      `timeout 1 yes '{"progress":0.4,"message":"on and on"}' >&3; echo >&3; ${waits("go")}; echo '{"progress":1}' >&3`,
    );
    await job.hears(0.4);
    const control = join(place.slot.directory, "control");
    await eventually("all of it is read", () => {
      return statSync(control).size > 10 * MIB && room(control) < 6 * MIB;
    });
    place.directory.write("go", "");
    expect((await job.end()).progress?.fraction).toBe(1);
  });

  test("by one who lives on, and floods without end: what was there at its end is taken in", async () => {
    using place = processPlace();
    const launch = place.launch(`echo '{"progress":0.5}' >&3; yes "$MARK" >&3 & ${waits("go")}`, {
      limits: { ...DEFAULT_LIMITS, keepDescendants: true },
    });
    const tree = place.slot.start(launch);
    await place.marked(1);
    place.directory.write("go", "");
    await within("the main process ends", tree.exited);
    tree.leave();
    let looks = 1;
    while (place.slot.catchUp()) looks += 1;
    // As many as the quota has slices, and one that is not whole.
    expect(looks).toBeLessThanOrEqual(66);
    expect(place.slot.collect(launch).progress?.fraction).toBe(0.5);
  });

  test("which replaces or removes the file: it is told so, and costs nothing else", async () => {
    using place = processPlace();
    for (const script of [
      'mv "$FROM" "$REEVE_CONTROL"',
      'rm "$REEVE_CONTROL"; echo >"$REEVE_CONTROL"',
      'rm -r "$(dirname "$REEVE_CONTROL")"',
    ]) {
      const from = place.directory.write("from", line({ progress: 0.7 }));
      const environment = { ...place.launch("").environment, FROM: from };
      const { takings } = await place.run(`echo '{"progress":0.2}' >&3; ${script}`, {
        environment,
        limits: DEFAULT_LIMITS,
      });
      expect(takings.progress?.fraction).toBe(0.2);
      expect(takings.warnings.filter((warning) => warning.includes("removed or replaced"))).toHaveLength(1);
    }
    expect((await place.run(`echo '{"progress":0.3}' >&3`)).takings).toMatchObject({
      progress: { fraction: 0.3 },
      warnings: [],
    });
  });
});
