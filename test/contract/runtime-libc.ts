import assert from "node:assert/strict";
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import type { Runtime } from "../../src/runtime/port.ts";
import { run, start, startStopped } from "../support/children.ts";
import { eventually, within } from "../support/eventually.ts";
import { endAll, idsOf, procText, stateOf } from "../support/processes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import type { Case } from "./suite.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;
const PR_SET_CHILD_SUBREAPER = 36;
const PUNCH_HOLE_KEEP_SIZE = 3;
const MEBIBYTE = 1024 * 1024;

/** Writes its pid into `ready`, then lives on: without an environment, in a session of its own, whoever dies. */
const DETACHED = `setsid env -i /bin/sh -c 'echo $$ > ready.new; /bin/mv ready.new ready; exec /bin/sleep 1000' &
  exit 0`;

async function pidIn(path: string): Promise<number> {
  await eventually(`${path} is there`, () => existsSync(path));
  return Number(readFileSync(path, "utf8"));
}

const softLimit = (text: string | undefined): number => Number(text?.match(/^Max open files +(\d+)/m)?.[1]);

export const LIBC_CASES: readonly Case<Runtime>[] = [
  {
    name: "a lock is refused to another description of the file until it is given up",
    async run(runtime) {
      using directory = temporaryDirectory();
      const { flock } = runtime.libc();
      const [first, second] = [openSync(directory.of("lock"), "a"), openSync(directory.of("lock"), "a")];
      assert.equal(flock(first, LOCK_EX | LOCK_NB), 0);
      assert.equal(flock(second, LOCK_EX | LOCK_NB), -1);
      assert.equal(flock(first, LOCK_UN), 0);
      assert.equal(flock(second, LOCK_EX | LOCK_NB), 0);
      closeSync(second);
      assert.equal(flock(first, LOCK_EX | LOCK_NB), 0, "closing a description gives its lock up");
      closeSync(first);
    },
  },
  {
    name: "a lock is inherited by a whole tree, and free when the last of it is dead",
    async run(runtime) {
      using directory = temporaryDirectory();
      const { flock } = runtime.libc();
      const [probe, locked] = [openSync(directory.of("lock"), "a"), openSync(directory.of("lock"), "a")];
      assert.equal(flock(locked, LOCK_EX | LOCK_NB), 0);
      const child = start(runtime, ["sh", "-c", DETACHED], { cwd: directory.path, descriptors: { 3: locked } });
      closeSync(locked);
      const grandchild = await pidIn(directory.of("ready"));
      await within("the child ends", child.exited);
      assert.equal(procText(grandchild, "environ")?.includes("PATH="), false);
      assert.equal(flock(probe, LOCK_EX | LOCK_NB), -1, "the grandchild holds it");
      endAll([grandchild]);
      await eventually("it is free", () => flock(probe, LOCK_EX | LOCK_NB) === 0);
      closeSync(probe);
    },
  },
  {
    name: "a lock that no child was given is not inherited",
    async run(runtime) {
      using directory = temporaryDirectory();
      const { flock } = runtime.libc();
      const locked = openSync(directory.of("lock"), "a");
      assert.equal(flock(locked, LOCK_EX | LOCK_NB), 0);
      const { pid, exited } = await startStopped(runtime);
      closeSync(locked);
      const probe = openSync(directory.of("lock"), "a");
      const free = flock(probe, LOCK_EX | LOCK_NB);
      closeSync(probe);
      endAll([pid]);
      await exited;
      assert.equal(free, 0);
    },
  },
  {
    name: "orphans of a child come to this process, which reaps them",
    async run(runtime) {
      using directory = temporaryDirectory();
      const { prctl, reap } = runtime.libc();
      assert.equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
      const child = start(runtime, ["sh", "-c", DETACHED], { cwd: directory.path });
      const orphan = await pidIn(directory.of("ready"));
      await within("the child ends", child.exited);
      await eventually("the orphan is ours", () => idsOf(orphan)?.parent === process.pid);
      assert.equal(reap(orphan), 0, "it lives: there is nothing to reap");
      endAll([orphan]);
      await eventually("it is dead", () => stateOf(orphan) === "Z");
      assert.equal(reap(orphan), orphan);
      assert.equal(procText(orphan, "stat"), undefined);
      assert.equal(reap(orphan), -1, "there is no such child any more");
    },
  },
  {
    name: "reaping an orphan takes no exit status away from the children of this process",
    async run(runtime) {
      const { reap } = runtime.libc();
      const child = await startStopped(runtime, "exit 9");
      reap(1);
      process.kill(child.pid, "SIGCONT");
      assert.equal((await within("it ends", child.exited)).code, 9);
    },
  },
  {
    name: "the limit of open files is set for the children that come, and put back",
    async run(runtime) {
      const { setOpenFilesLimit } = runtime.libc();
      const own = softLimit(procText(process.pid, "limits"));
      // Not below what this process has open already.
      setOpenFilesLimit(own - 7);
      const { pid, exited } = await startStopped(runtime).finally(() => setOpenFilesLimit(own));
      const childs = softLimit(procText(pid, "limits"));
      endAll([pid]);
      await exited;
      assert.equal(childs, own - 7);
      assert.equal(softLimit(procText(process.pid, "limits")), own);
    },
  },
  {
    name: "a part of a file, also one beyond 4 GiB, is given back to the disk, and the file stays as long as it was",
    async run(runtime) {
      using directory = temporaryDirectory();
      const { fallocate } = runtime.libc();
      writeFileSync(directory.of("file"), new Uint8Array(MEBIBYTE).fill(1));
      const file = openSync(directory.of("file"), "r+");
      const before = fstatSync(file);
      assert.equal(fallocate(file, PUNCH_HOLE_KEEP_SIZE, 4096, MEBIBYTE - 8192), 0);
      assert.equal(fallocate(file, PUNCH_HOLE_KEEP_SIZE, 5 * 1024 * MEBIBYTE, 4096), 0);
      const after = fstatSync(file);
      assert.equal(after.size, before.size);
      assert.ok(after.blocks <= before.blocks / 8, `${after.blocks} blocks are left of ${before.blocks}`);
      const bytes = new Uint8Array(2);
      readSync(file, bytes, 0, 2, 4095);
      assert.deepEqual([...bytes], [1, 0]);
      closeSync(file);
      const readOnly = openSync(directory.of("file"), "r");
      assert.equal(fallocate(readOnly, PUNCH_HOLE_KEEP_SIZE, 0, 4096), -1);
      closeSync(readOnly);
    },
  },
  {
    name: "a signal is given its default action back",
    async run(runtime) {
      const { defaultSignal } = runtime.libc();
      defaultSignal(17);
      assert.equal((await run(runtime, ["sh", "-c", "exit 3"])).code, 3);
    },
  },
];
