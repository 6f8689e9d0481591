import { messageOf } from "../errors.ts";
import { ORDER_HEAD, SPARE_VARIABLE, type SpareOrder } from "../process/spare-order.ts";
import { endWithParent, importedFiles, passOnEnvironment } from "../runtime/modules.ts";
import { fs } from "./builtins.ts";

const STDIN = 0;

/**
 * Waits for a job in a process that has loaded all that this needs, and makes the environment what it would have been,
 * had it been started for that. Null: it has one; else the exit code with which it is over.
 */
export async function waitForJob(load: () => Promise<unknown>): Promise<number | null> {
  const list = process.env[SPARE_VARIABLE] ?? "";
  // A module that hangs while it is loaded does not see its worker end.
  const mayOutliveParent = await endWithParent();
  passOnEnvironment();
  try {
    await load();
  } catch (error) {
    // A job that is started without waiting has the whole of it.
    console.error(messageOf(error));
    return 1;
  }
  announce(list, importedFiles() ?? []);
  const order = await readOrder();
  if (order === null) return 0;
  mayOutliveParent();
  take(order);
  return null;
}

/** Whole, or not there. */
function announce(list: string, files: readonly string[]): void {
  const { writeFileSync, renameSync } = fs();
  writeFileSync(`${list}.new`, JSON.stringify(files), { mode: 0o600 });
  renameSync(`${list}.new`, list);
}

function take({ environment }: SpareOrder): void {
  for (const name of Object.keys(process.env)) if (!Object.hasOwn(environment, name)) delete process.env[name];
  Object.assign(process.env, environment);
}

/** No byte more: the rest is the job's. */
async function readOrder(): Promise<SpareOrder | null> {
  const head = Buffer.alloc(ORDER_HEAD);
  // In a thread of its own: what the module has begun goes on meanwhile.
  const first = await readFirst(head);
  // What follows comes at once.
  if (first === 0 || !fill(head, first)) return null;
  const text = Buffer.alloc(head.readUInt32BE());
  // The worker wrote it, in this version.
  return fill(text, 0) ? (JSON.parse(text.toString()) as SpareOrder) : null;
}

const readFirst = (bytes: Buffer): Promise<number> =>
  new Promise((resolve, reject) => {
    fs().read(STDIN, bytes, 0, bytes.length, null, (error, read) => (error ? reject(error) : resolve(read)));
  });

/** False: it came to an end before that. */
function fill(bytes: Buffer, from: number): boolean {
  for (let at = from; at < bytes.length;) {
    const read = fs().readSync(STDIN, bytes, at, bytes.length - at, null);
    if (read === 0) return false;
    at += read;
  }
  return true;
}
