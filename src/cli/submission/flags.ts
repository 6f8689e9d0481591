import { usageError } from "../../errors.ts";
import type { Environment } from "../../process/environment.ts";
import type { Invocation, Options } from "../invocation.ts";
import { attributeOf } from "./attributes.ts";
import { limitsOfOptions } from "./limits.ts";
import { pairOf } from "./readers.ts";
import { emptyRequest, type JobRequest } from "./request.ts";

/** What the options of `submit`, or those of them that a verb has, ask for. The variables that are only named are the caller's. */
export function requestOf({ args, options, command }: Invocation, caller: Environment): JobRequest {
  return {
    ...emptyRequest(),
    job: args[0] ?? null,
    command: command.length > 0 ? [...command] : null,
    parameters: options.texts("param").map((text) => pairOf("--param", text)),
    files: options.texts("file").map(fileOf),
    body: bodyOf(options),
    bodyFile: options.text("body-file") ?? null,
    after: options.texts("after"),
    dedupe: options.text("dedupe") ?? null,
    attributes: options.texts("attribute").map((text) => attributeOf("--attribute", text)),
    group: options.text("group") ?? null,
    traceHeader: options.text("trace-header") ?? null,
    hold: options.flag("hold"),
    runId: options.text("run-id") ?? null,
    environment: variables("--env", options.texts("env"), caller),
    secretEnvironment: variables("--secret-env", options.texts("secret-env"), caller),
    cwd: options.text("cwd") ?? null,
    exitHandler: options.has("exit-handler") ? options.texts("exit-handler") : null,
    limits: limitsOfOptions(options),
    ...numbersOf(options),
  };
}

function numbersOf(options: Options) {
  return {
    priority: options.integer("priority") ?? null,
    delayMs: options.duration("delay") ?? null,
    expiresMs: options.duration("expires") ?? null,
    executionDurationMs: options.duration("execution-duration") ?? null,
  };
}

function bodyOf(options: Options): Uint8Array | null {
  const text = options.text("body");
  return text === undefined ? null : new TextEncoder().encode(text);
}

/** The `@` says that a path follows, as it does for curl; nothing else can. */
function fileOf(text: string): { name: string; value: string; file: string } {
  const { name, value } = pairOf("--file", text);
  const file = value.startsWith("@") ? value.slice(1) : value;
  if (file === "") throw usageError(`--file ${name} names no file`, `write it as --file ${name}=@path`);
  return { name, value: "", file };
}

function variables(setting: string, asked: readonly string[], caller: Environment): Record<string, string> {
  return Object.fromEntries(asked.map((text) => variable(setting, text, caller)));
}

function variable(setting: string, text: string, caller: Environment): [name: string, value: string] {
  if (text.includes("=")) {
    const { name, value } = pairOf(setting, text);
    return [name, value];
  }
  const value = caller[text];
  if (value !== undefined) return [text, value];
  throw usageError(`${setting} ${text}: there is no such variable here`, `set it: ${setting} ${text}=VALUE`);
}
