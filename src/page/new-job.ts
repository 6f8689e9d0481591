import { unreachable } from "../errors.ts";
import type { Definition, ParameterDefinition } from "../config/definition.ts";
import { html, type Html } from "./html.ts";

/** A form for a job of this definition. It works without a script. */
export function newJobForm({ parameters }: Definition, path: string): Html {
  const all = [...parameters];
  const hasFiles = all.some(([, { kind }]) => kind === "file");
  return html`<details class="card fold make">
    <summary>New job</summary>
    <form method="post" action="${path}" class="new" ${hasFiles && html` enctype="multipart/form-data"`}>
      ${all.map(([name, parameter]) => fieldOf(name, parameter))}
      <div class="field">
        <label for="new-RUNID">Label <span class="kind">optional</span></label
        ><input id="new-RUNID" name="RUNID" maxlength="200" autocomplete="off" />
        <p class="hint">To find it again: UWS calls it runId.</p>
      </div>
      <p class="row">
        <button class="button primary" name="PHASE" value="RUN">Run</button
        ><button class="button quiet">Only make it</button>
      </p>
    </form>
  </details>`;
}

function fieldOf(name: string, parameter: ParameterDefinition): Html {
  const id = `new-${name}`;
  const isNeeded = parameter.required && parameter.default === undefined;
  const mark = isNeeded
    ? html`<span class="needed">required</span>`
    : html`<span class="kind">${kindOf(parameter)}</span>`;
  const hint = hintOf(parameter);
  return html`<div class="field">
    <label for="${id}">${name} ${mark}</label
    >${inputOf({ id, name, parameter, isNeeded, hasHint: hint !== "" })}${hint !== "" && html`<p class="hint" id="${id}-hint">${hint}</p>`}
  </div>`;
}

function kindOf({ kind }: ParameterDefinition): string {
  switch (kind) {
    case "strings":
      return "list";
    case "string":
      return "text";
    case "integer":
    case "number":
    case "boolean":
    case "file":
      return kind;
    default:
      return unreachable(kind);
  }
}

/** What is meant, and what is taken, in words. */
function hintOf({ description, min, max, pattern, maxLength }: ParameterDefinition): string {
  const bounds = [
    min !== undefined && max !== undefined && `from ${min} to ${max}`,
    min !== undefined && max === undefined && `at least ${min}`,
    min === undefined && max !== undefined && `at most ${max}`,
    maxLength !== undefined && `at most ${maxLength} characters`,
    pattern !== undefined && `like ${pattern}`,
  ].filter((one) => one !== false);
  return [description, bounds.join(", ")].filter(Boolean).join(" · ");
}

interface Input {
  readonly id: string;
  readonly name: string;
  readonly parameter: ParameterDefinition;
  readonly isNeeded: boolean;
  readonly hasHint: boolean;
}

function inputOf(input: Input): Html {
  const { parameter } = input;
  if (parameter.kind === "boolean") return select(input, ["true", "false"]);
  if (parameter.kind === "strings") return list(input);
  if (parameter.choices) return select(input, parameter.choices);
  return one(input, firstOf(parameter));
}

/** A secret's default is nobody's to see; empty means it. */
const firstOf = ({ secret, default: value }: ParameterDefinition): string =>
  secret ? "" : ([value ?? ""].flat()[0] ?? "");

const common = ({ id, name, isNeeded, hasHint }: Input): Html =>
  html`id="${id}" name="${name}"${isNeeded && html` required`}${hasHint && html` aria-describedby="${id}-hint"`}`;

function select(input: Input, choices: readonly string[]): Html {
  const chosen = firstOf(input.parameter);
  const none = chosen === "" && html`<option value="">${input.isNeeded ? "Choose…" : "–"}</option>`;
  return html`<select ${common(input)}>
    ${none}${choices.map(
      (choice) => html`<option value="${choice}" ${choice === chosen && html` selected`}>${choice}</option>`,
    )}
  </select>`;
}

const EMPTY_ITEMS = 2;

/** An input for each item; those left empty are none. With a script there can be more. */
function list(input: Input): Html {
  const { secret, default: value = [] } = input.parameter;
  const given = secret ? [] : [value].flat();
  const items = [...given, ...Array.from({ length: EMPTY_ITEMS }, () => "")];
  return html`<div class="items" data-items>
    ${items.map((item, index) =>
      index === 0
        ? one(input, item)
        : one(
            { ...input, id: `${input.id}-${index}`, isNeeded: false, hasHint: false },
            item,
            `${input.name}, item ${index + 1}`,
          ),
    )}
  </div>`;
}

function one(input: Input, value: string, label: string | null = null): Html {
  const { parameter } = input;
  const { maxLength, min, max } = parameter;
  const attributes = html`${common(input)}${label !== null && html` aria-label="${label}"`}`;
  const longest = maxLength !== undefined && html` maxlength="${maxLength}"`;
  if (parameter.kind === "file") return html`<input type="file" ${attributes} />`;
  if (parameter.kind === "integer" || parameter.kind === "number") {
    const step = parameter.kind === "integer" ? "1" : "any";
    return html`<input
      type="number"
      step="${step}"
      ${attributes}${min !== undefined && html` min="${min}"`}${max !== undefined && html` max="${max}"`}
      value="${value}"
    />`;
  }
  if (parameter.secret) return html`<input type="password" ${attributes}${longest} autocomplete="off" />`;
  if (value.includes("\n")) return html`<textarea rows="4" ${attributes}${longest}>${`\n${value}`}</textarea>`;
  return html`<input ${attributes}${longest} value="${value}" autocomplete="off" spellcheck="false" />`;
}
