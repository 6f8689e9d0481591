import { describe, expect, test } from "bun:test";
import { inlineBody } from "../../src/config/message-body.ts";
import type { Definition } from "../../src/config/definition.ts";
import type { Inputs } from "../../src/store/job.ts";
import { Planner, type Planned } from "../../src/worker/plan.ts";
import { definition, parameter } from "../config/helpers.ts";
import { aJob } from "../support/temporary.ts";

const WORKER = { PATH: "/bin", SECRET: "s" };

interface Given {
  readonly body?: string;
  readonly attributes?: Record<string, string>;
  readonly parameters?: Record<string, string[]>;
}

const inputs = ({ body, attributes = {}, parameters = {} }: Given): Inputs => ({
  context: { kind: "definition" },
  command: null,
  parameters: Object.entries(parameters).map(([name, values]) => ({ name, values, file: false, secret: false })),
  attributes,
  body: inlineBody(body === undefined ? null : new TextEncoder().encode(body)),
});

const plannerFor = (environment: Record<string, string>, fields: Partial<Definition> = {}): Planner => {
  const tags = parameter({ kind: "strings", default: ["a", "b"] });
  const one = definition({ tags, size: parameter({ default: "-5" }) }, { environment, ...fields });
  return new Planner(new Map([[one.name, one]]), WORKER);
};

const plan = (planner: Planner, given: Given = {}): Planned =>
  planner.plan(aJob({ definition: "resize" }), inputs(given));

function environmentOf(planned: Planned): Readonly<Record<string, string>> {
  if (planned.kind === "plan") return planned.plan.environment;
  throw new Error(planned.kind === "rejected" ? planned.reason : planned.kind);
}

const rejection = (value: string, given: Given): string => {
  const planned = plan(plannerFor({ A: value }), given);
  return planned.kind === "rejected" ? planned.reason : planned.kind;
};

describe("the variables of a definition", () => {
  test.each<[string, Given, string]>([
    ["{body.id}", { body: '{"a":1}' }, "{body.id}: the field `id` of the message body is missing."],
    ["{body.id}", {}, "cannot be read: the body is missing"],
    ["{attr.x}", {}, "{attr.x}: the attribute `x` is missing."],
    ["{body}", { body: "a\0b" }, "{body}: the message body holds a NUL"],
    ["x{param.tags}", {}, "is a list, which can only stand as a whole"],
    // Alone it would fit, but name and value are one string to the kernel.
    ["{body}", { body: "x".repeat(131_070) }, "The variable A is longer than the 131071 bytes"],
  ])("%s, of %o: %s", (value, given, sentence) => {
    expect(rejection(value, given)).toContain(sentence);
  });

  test("are filled in for each job, as an argv is", () => {
    const planner = plannerFor({
      ID: "id-{body.id}",
      FROM: "{attr.x}",
      SIZE: "{param.size}",
      TAGS: "{param.tags}",
      AWK: "{print $1} {{body.id}",
      PLAIN: "p",
    });
    const first = environmentOf(plan(planner, { body: '{"id":1.50}', attributes: { x: "-v $(y)" } }));
    expect(first).toEqual({
      PATH: "/bin",
      ID: "id-1.50",
      FROM: "-v $(y)",
      SIZE: "-5",
      TAGS: "a\nb",
      AWK: "{print $1} {body.id}",
      PLAIN: "p",
    });
    const second = environmentOf(plan(planner, { body: '{"id":"{attr.x}"}', attributes: { x: "" } }));
    expect(second).toMatchObject({ ID: "id-{attr.x}", FROM: "" });
  });

  test("are one object for all jobs where none has a placeholder", () => {
    const planner = plannerFor({ A: "{print $1}", B: "{{x}" });
    const first = environmentOf(plan(planner, { body: "1" }));
    expect(first).toEqual({ PATH: "/bin", A: "{print $1}", B: "{x}" });
    expect(environmentOf(plan(planner, { body: "2" }))).toBe(first);
  });

  test("do not get by what no job is given", () => {
    const planner = plannerFor({ BUN_OPTIONS: "{body}", NOTIFY_SOCKET: "{body}", A: "{body}" });
    expect(environmentOf(plan(planner, { body: "x" }))).toEqual({ PATH: "/bin", A: "x" });
  });
});
