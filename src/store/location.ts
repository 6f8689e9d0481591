import { accessSync, closeSync, constants, mkdirSync, openSync, statfsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { codeOf, messageOf, unavailable, usageError } from "../errors.ts";

/** Where everything of one store is. */
export class StoreLocation {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = resolve(directory);
  }

  get database(): string {
    return join(this.directory, "reeve.db");
  }

  get workers(): string {
    return join(this.directory, "workers");
  }

  worker(id: string): string {
    return join(this.workers, id);
  }

  get outliving(): string {
    return join(this.directory, "outlive");
  }

  /** The files of an attempt that goes on when its worker ends, while it runs. */
  outlivingAttempt(job: string, attempt: number): string {
    return join(this.outliving, `${job}.${attempt}`);
  }

  /** The files of one job; it comes to be when something is in it. Shards keep directories short. */
  job(id: string): string {
    return join(this.directory, "jobs", id.slice(0, 2), id);
  }

  /** Of what clients send, until a job has it. */
  get uploads(): string {
    return join(this.directory, "uploads");
  }

  /** What clients sent for one job. */
  uploadsOf(id: string): string {
    return join(this.job(id), "uploads");
  }

  /** Of bodies that are too large for a row: each is a worker's until a job has it. */
  get bodies(): string {
    return join(this.directory, "bodies");
  }

  body(worker: string, name: string): string {
    return join(this.bodies, `${worker}.${name}`);
  }

  bell(topic: string): string {
    return join(this.directory, "wake", topic);
  }
}

/** `--store`, else `REEVE_STORE`, else the configuration's, else a place that suits the user. */
export function chooseDirectory(
  flag: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
  configured: string | null,
  uid: number | undefined,
): string {
  const named = flag ?? environment["REEVE_STORE"] ?? configured;
  if (named === "") throw usageError("the store's directory is empty", "give --store or REEVE_STORE a directory");
  if (named !== null && named !== undefined) return named;
  if (uid === 0) return "/var/lib/reeve";
  return join(environment["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "reeve");
}

/** Numbers of statfs(2). On these a lock or a shared memory map does not hold between machines. */
const NETWORK_FILESYSTEMS = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x5346414f, "AFS"],
  [0x00c36400, "Ceph"],
  [0x0bd00bd0, "Lustre"],
  [0x47504653, "GPFS"],
  [0x73757245, "Coda"],
]);

/** These may be shared with another machine or not; only the user knows. */
const SHARED_FILESYSTEMS = new Map([
  [0x01021997, "9p"],
  [0x65735546, "FUSE"],
  [0x6a656a63, "virtiofs"],
  [0x786f4256, "VirtualBox shared folder"],
]);

/** @throws ReeveError for a filesystem on which a store would not be safe. */
export function refuseUnsafeFilesystem(directory: string, type: number, sharedIsFine: boolean): void {
  const network = NETWORK_FILESYSTEMS.get(type >>> 0);
  if (network) {
    throw unavailable(
      `the store ${directory} is on a network filesystem (${network}), where locks do not hold`,
      "use a local disk: --store DIR or REEVE_STORE",
    );
  }
  const shared = SHARED_FILESYSTEMS.get(type >>> 0);
  if (shared && !sharedIsFine) {
    throw unavailable(
      `the store ${directory} is on a filesystem that may be shared between machines (${shared})`,
      "use a local disk, or set REEVE_SHARED_FILESYSTEM=1 if no other machine uses it",
    );
  }
}

/** Makes the directories, for the owner only, and refuses a place where a store cannot be. */
export function prepareLocation(
  location: StoreLocation,
  environment: Readonly<Record<string, string | undefined>>,
): void {
  try {
    for (const path of [location.workers, location.bodies]) mkdirSync(path, { recursive: true, mode: 0o700 });
    makeFile(location.database);
  } catch (error) {
    throw unavailable(
      `the store ${location.directory} cannot be written: ${messageOf(error)}`,
      "check its owner and permissions, or use another --store",
      error,
    );
  }
  const type = Number(statfsSync(location.directory).type);
  refuseUnsafeFilesystem(location.directory, type, environment["REEVE_SHARED_FILESYSTEM"] === "1");
}

/**
 * SQLite would make it readable by everyone. One that is there is not opened: to close a file takes away all locks that
 * this process has on it (fcntl(2)), those of another connection too, and whoever closes the database after that removes
 * its log under us.
 */
function makeFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    accessSync(path, constants.R_OK | constants.W_OK);
  }
}
