import type { OutputMode } from "../../config/definition.ts";
import { shown, suggestion } from "../../config/wording.ts";
import { usageError } from "../../errors.ts";
import type { Environment } from "../../process/environment.ts";
import type { Invocation, Options } from "../invocation.ts";
import { emptyRequest, type JobRequest } from "./request.ts";

/** What the options of `submit` ask for. The variables that are only named are the caller's. */
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
    hold: options.flag("hold"),
    runId: options.text("run-id") ?? null,
    environment: variables("--env", options.texts("env"), caller),
    secretEnvironment: variables("--secret-env", options.texts("secret-env"), caller),
    cwd: options.text("cwd") ?? null,
    ...numbersOf(options),
  };
}

function numbersOf(options: Options) {
  return {
    priority: options.integer("priority") ?? null,
    delayMs: options.duration("delay") ?? null,
    expiresMs: options.duration("expires") ?? null,
    executionDurationMs: options.duration("execution-duration") ?? null,
    timeoutMs: options.duration("timeout") ?? null,
    graceMs: options.duration("grace") ?? null,
    maxAttempts: options.integer("max-attempts", 1) ?? null,
    maxLost: options.integer("max-lost", 1) ?? null,
    output: outputMode("--output", options.text("output")),
  };
}

function bodyOf(options: Options): Uint8Array | null {
  const text = options.text("body");
  return text === undefined ? null : new TextEncoder().encode(text);
}

/** @throws ReeveError (usage) for what is no mode of output. */
export function outputMode(setting: string, text: string | undefined): OutputMode | null {
  if (text === undefined || text === "log" || text === "separate") return text ?? null;
  const meant = suggestion(text, ["log", "separate"]);
  throw usageError(`${setting} must be "log" or "separate", not ${shown(text)}${meant}`);
}

function pairOf(setting: string, text: string): { name: string; value: string } {
  const at = text.indexOf("=");
  if (at > 0) return { name: text.slice(0, at), value: text.slice(at + 1) };
  throw usageError(`${setting} must be written NAME=VALUE, not ${shown(text)}`);
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
