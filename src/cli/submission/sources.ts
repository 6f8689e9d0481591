import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { codeOf, messageOf, usageError } from "../../errors.ts";
import { optionForm } from "../arguments.ts";
import type { Invocation } from "../invocation.ts";
import { requestOf } from "./flags.ts";
import type { BatchSource } from "./lines.ts";
import { COMMAND_OPTIONS, ONE_JOB_OPTIONS } from "./options.ts";
import type { JobRequest } from "./request.ts";

/** What the options ask for, with the body if it comes from stdin. @throws ReeveError (usage) for two bodies. */
export async function oneRequest(invocation: Invocation): Promise<JobRequest> {
  const request = requestOf(invocation, process.env);
  if (request.bodyFile !== "-") return request;
  if (request.body !== null) throw usageError("the body is given twice, as a text and on stdin", "give one of them");
  return { ...request, bodyFile: null, body: await readStdin() };
}

/** What `--batch` names. @throws ReeveError (usage) if it is not there, or something is said of one job beside it. */
export async function batchSource(invocation: Invocation): Promise<BatchSource> {
  refuseBeside(invocation);
  const file = invocation.options.text("batch") ?? "-";
  return file === "-" ? { name: "stdin", bytes: await readStdin() } : { name: basename(file), bytes: readFile(file) };
}

function readFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const why = codeOf(error) === "ENOENT" ? "there is no such file" : messageOf(error);
    throw usageError(`--batch ${path}: ${why}`);
  }
}

function refuseBeside({ args, options, command }: Invocation): void {
  const ofOneJob = [...ONE_JOB_OPTIONS, ...COMMAND_OPTIONS].map(([flags]) => optionForm(flags).name);
  const beside = ofOneJob.find((name) => options.has(name));
  if (beside !== undefined) {
    throw usageError(`--${beside} cannot stand beside --batch`, `each line says it for its job: {"${beside}": …}`);
  }
  if (args.length > 0 || command.length > 0) {
    throw usageError("--batch takes its jobs from the file, but a definition or a command is given as well");
  }
}

async function readStdin(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  return Buffer.concat(chunks);
}
