import { constants, rmSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { codeOf, isOutOfFiles, messageOf } from "../errors.ts";
import { SpawnFailed, type Launch } from "../process/port.ts";

/**
 * Starts with a copy of a body that is a file: whatever a job does to it, the next attempt reads the same. Where the
 * filesystem can, the copy shares its blocks with the original. `slotDirectory`: the copy is made beside it.
 *
 * @throws SpawnFailed when there is no copy, and whatever `start` throws.
 */
export async function startWithOwnBody<T>(
  launch: Launch,
  slotDirectory: string,
  start: (launch: Launch) => T,
): Promise<T> {
  const { body } = launch;
  if (body?.kind !== "file") return start(launch);
  const path = `${slotDirectory}.body`;
  try {
    await copy(body.path, path);
    return start({ ...launch, body: { ...body, path } });
  } finally {
    // It is still there where nothing was started.
    rmSync(path, { force: true });
  }
}

async function copy(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  } catch (error) {
    const isShortage = codeOf(error) === "ENOSPC" || isOutOfFiles(error);
    // Else it is no program that is missing, and none that may turn up.
    const errno = isShortage ? (codeOf(error) ?? "EIO") : "EIO";
    throw new SpawnFailed(errno, `it was not started, for want of its body: ${messageOf(error)}`, { cause: error });
  }
}
