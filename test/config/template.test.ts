import { describe, expect, test } from "bun:test";
import { inlineBody } from "../../src/config/message-body.ts";
import type { ParameterDefinition } from "../../src/config/definition.ts";
import {
  compileTemplate,
  expandTemplate,
  type ParameterValue,
  placeholders,
  Rejection,
} from "../../src/config/template.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { parameter } from "./helpers.ts";

interface Given {
  parameters?: Record<string, ParameterValue>;
  body?: string | Uint8Array | null;
  attributes?: Record<string, string>;
}

function expand(argv: string[], { parameters = {}, body = null, attributes = {} }: Given = {}): string[] {
  return expandTemplate(compileTemplate(argv), {
    parameters: new Map(Object.entries(parameters)),
    body: inlineBody(typeof body === "string" ? new TextEncoder().encode(body) : body),
    attributes,
  });
}

function rejectionOf(argv: string[], given: Given): string {
  try {
    expand(argv, given);
  } catch (error) {
    if (error instanceof Rejection) return error.message;
    throw error;
  }
  throw new Error("not rejected");
}

const value = (given: string | string[], fields: Partial<ParameterDefinition> = {}): ParameterValue => ({
  value: given,
  definition: parameter({ kind: typeof given === "string" ? "string" : "strings", ...fields }),
});

describe("what is a placeholder", () => {
  test("all kinds are found, in the order written", () => {
    const found = placeholders(compileTemplate(["x", "{param.a}-{body}", "{body.b.0.c}", "{attr.d.e}"]));
    expect(found.map(({ written, argument, whole }) => ({ written, argument, whole }))).toEqual([
      { written: "{param.a}", argument: 1, whole: false },
      { written: "{body}", argument: 1, whole: false },
      { written: "{body.b.0.c}", argument: 2, whole: true },
      { written: "{attr.d.e}", argument: 3, whole: true },
    ]);
    expect(found.map(({ source }) => source)).toEqual([
      { from: "parameter", name: "a" },
      { from: "body", path: [] },
      { from: "body", path: ["b", "0", "c"] },
      { from: "attribute", name: "d.e" },
    ]);
  });

  test.each([
    "",
    "{}",
    "{",
    "}",
    "}}",
    "{print $1}",
    "{body",
    "body}",
    "{body.}",
    "{body..a}",
    "{bodya}",
    "{ body }",
    "{param}",
    "{param.}",
    "{params.a}",
    "{attr.}",
    "{Body}",
    "${HOME}",
    '{"a":{"b":1}}',
    "[.[] | {a: .b}]",
    "{body.a b}",
  ])("%p is literal", (text) => {
    expect(expand([text])).toEqual([text]);
  });

  test.each([
    ["{{", "{"],
    ["{{body}", "{body}"],
    ["{{{body}", "{B"],
    ["{{{{body}", "{{body}"],
    ["{body}}", "B}"],
    ["{{param.x}}", "{param.x}}"],
    ["{body}{{{body}", "B{B"],
  ])("%p gives %p", (text, expanded) => {
    expect(expand([text], { body: "B" })).toEqual([expanded]);
  });

  test("what a value holds is not looked at again", () => {
    expect(expand(["{attr.a}{attr.b}"], { attributes: { a: "{attr.b}", b: "{{" } })).toEqual(["{attr.b}{{"]);
  });
});

describe("parameters", () => {
  test("fill text inside one argument, spaces and quotes and all", () => {
    const parameters = { a: value("x y; $(z) 'q'"), b: value("ü\n") };
    expect(expand(["--a={param.a}/{param.b}"], { parameters })).toEqual(["--a=x y; $(z) 'q'/ü\n"]);
  });

  test("are found without case", () => {
    expect(expand(["{param.IMAGE}"], { parameters: { Image: value("i") } })).toEqual(["i"]);
  });

  test("an empty value is an empty argument", () => {
    expect(expand(["{param.a}"], { parameters: { a: value("") } })).toEqual([""]);
  });

  test("a list is one argument for each item, none if it is empty", () => {
    const parameters = { many: value(["a b", "c"]), none: value([]) };
    expect(expand(["x", "{param.many}", "{param.none}", "y"], { parameters })).toEqual(["x", "a b", "c", "y"]);
  });

  test("a list inside other text is rejected", () => {
    expect(rejectionOf(["x={param.l}"], { parameters: { l: value(["a"]) } })).toContain("only stand as a whole");
  });

  test.each(["x", "__proto__", "constructor"])("one that has no value is rejected: %s", (name) => {
    expect(rejectionOf([`{param.${name}}`], {})).toBe(`{param.${name}}: the parameter \`${name}\` has no value.`);
  });
});

describe("fields of the body", () => {
  const numbers =
    '{"a":12345678901234567890,"b":[1.10,-0,1E5],"c":{"d":[true,null,"t"]},"e":{"f":2.50,"g":["\\u00fc"]}}';

  test.each([
    ["{body.a}", "12345678901234567890"],
    ["{body.b.0}", "1.10"],
    ["x{body.b.1}", "x-0"],
    ["{body.b.2}", "1E5"],
    ["{body.c.d.0}", "true"],
    ["{body.c.d.2}", "t"],
    ["{body.e}", '{"f":2.50,"g":["ü"]}'],
    ["{body.b}", "[1.10,-0,1E5]"],
  ])("%s is %p", (placeholder, text) => {
    expect(expand([placeholder], { body: numbers })).toEqual([text]);
  });

  test("keys may be any word, and the last of equal keys counts", () => {
    const body = '{"größe":"1","a-b":"2","$ref":"3","d":1,"d":2.0}';
    expect(expand(["{body.größe}{body.a-b}{body.$ref}{body.d}"], { body })).toEqual(["1232.0"]);
  });

  test("a byte order mark does not hide a field, and stays in the whole body", () => {
    expect(expand(["{body.a}"], { body: '\uFEFF{"a":"x"}' })).toEqual(["x"]);
    expect(expand(["{body}"], { body: "\uFEFFx" })).toEqual(["\uFEFFx"]);
  });

  test.each([
    ["{body.x}", "{}"],
    ["{body.a.b}", '{"a":"text"}'],
    ["{body.a.digits}", '{"a":1}'],
    ["{body.length}", "[]"],
    ["{body.0.length}", '["abc"]'],
    ["{body.1}", "[1]"],
    ["{body.-1}", "[1]"],
    ["{body.__proto__}", "{}"],
    ["{body.constructor.name}", "{}"],
    ["{body.toString}", '{"a":1}'],
    ["{body.a}", "5"],
    ["{body.a}", "null"],
    ["{body.a.b}", '{"a":null}'],
  ])("%s of %s is missing", (placeholder, body) => {
    const field = placeholder.slice("{body.".length, -1);
    expect(rejectionOf(["x", placeholder], { body })).toBe(
      `${placeholder}: the field \`${field}\` of the message body is missing.`,
    );
  });

  test("a key that is called __proto__ is a key like others", () => {
    expect(expand(["{body.__proto__.x}"], { body: '{"__proto__":{"x":"own"}}' })).toEqual(["own"]);
  });

  test("null is no text", () => {
    expect(rejectionOf(["{body.a}"], { body: '{"a":null}' })).toContain("is null");
  });

  test.each(["", "{", "not json", '{"a":01}', "{'a':1}", '{"a":NaN}'])("a body that is no JSON: %p", (body) => {
    expect(rejectionOf(["{body.a}"], { body })).toContain("the body is not valid JSON");
  });

  test("a body that is nested too deeply is rejected like any other that cannot be read", () => {
    const body = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
    expect(rejectionOf(["{body.a}"], { body })).toContain("nested too deeply");
  });

  test("a body that is no text is rejected", () => {
    const body = new Uint8Array([0x7b, 0xff, 0x7d]);
    expect(rejectionOf(["{body}"], { body })).toBe("{body}: the message body is not valid UTF-8.");
    expect(rejectionOf(["{body.a}"], { body })).toContain("the body is not valid UTF-8");
  });

  test("a job without a body is rejected only where the body is asked for", () => {
    expect(rejectionOf(["{body}"], { body: null })).toContain("the job has no body");
    expect(rejectionOf(["{body.a}"], { body: null })).toContain("the job has no body");
    expect(expand(["x"], { body: null })).toEqual(["x"]);
    expect(expand(["{body}"], { body: "" })).toEqual([""]);
  });

  test("a body that cannot be read is no matter to a template that does not ask for it", () => {
    expect(expand(["{attr.a}"], { body: new Uint8Array([0xff]), attributes: { a: "1" } })).toEqual(["1"]);
  });
});

test.each(["x", "__proto__", "constructor", "toString"])("a missing attribute is rejected: %s", (name) => {
  expect(rejectionOf([`{attr.${name}}`], {})).toBe(`{attr.${name}}: the attribute \`${name}\` is missing.`);
});

const inFile = (path: string, size: number) =>
  ({ parameters: new Map(), attributes: {}, body: { kind: "file", path, size } }) as const;

describe("a body that is a file", () => {
  test("is read like any other", () => {
    using directory = temporaryDirectory();
    const path = directory.write("body", '{"a":"x"}');
    expect(expandTemplate(compileTemplate(["{body.a}", "{body}"]), inFile(path, 9))).toEqual(["x", '{"a":"x"}']);
  });

  test("is not looked at by a template that does not ask for it", () => {
    expect(expandTemplate(compileTemplate(["x"]), inFile("/no/such/file", 9))).toEqual(["x"]);
  });

  test.each([
    ["that is too large", 8 * 1024 * 1024 + 1, "has 8388609 bytes, and of more than 8388608 nothing is taken"],
    ["that is gone", 8 * 1024 * 1024, "cannot be read: ENOENT"],
  ])("%s is rejected with a sentence", (_, size, problem) => {
    const expanding = (text: string) => () => expandTemplate(compileTemplate([text]), inFile("/no/such/file", size));
    expect(expanding("{body}")).toThrow(`{body}: the message body ${problem}`);
    expect(expanding("{body.a}")).toThrow(
      `{body.a}: the field \`a\` of the message body cannot be read: the body ${problem}`,
    );
  });
});

describe("what cannot be an argument", () => {
  test.each([
    ["a\0b", "NUL"],
    ["\ud800", "surrogate"],
  ])("%j is rejected", (text, problem) => {
    expect(rejectionOf(["{attr.a}"], { attributes: { a: text } })).toContain(problem);
    expect(rejectionOf(["{body.a}"], { body: JSON.stringify({ a: text }) })).toContain(problem);
  });

  test.each([
    ["{attr.a}", "x".repeat(131_071)],
    ["-{attr.a}", "x".repeat(131_070)],
    ["{attr.a}", `${"ü".repeat(65_535)}x`],
  ])("the longest that is allowed passes: %s", (argument, text) => {
    expect(expand([argument], { attributes: { a: text } })).toEqual([argument.replace("{attr.a}", text)]);
  });

  test.each([
    ["{attr.a}", "x".repeat(131_072)],
    ["-{attr.a}", "x".repeat(131_071)],
    ["{attr.a}{attr.a}", "x".repeat(65_536)],
    ["{attr.a}", "ü".repeat(65_536)],
    ["{attr.a}", "x".repeat(200_000)],
  ])("one byte more is rejected: %s", (argument, text) => {
    const message = rejectionOf([argument], { attributes: { a: text } });
    expect(message).toContain("131071 bytes");
    expect(message).toContain("{attr.a}");
    expect(message.length).toBeLessThan(200);
  });
});

describe("a leading dash", () => {
  test("is rejected where the placeholder begins the argument", () => {
    expect(rejectionOf(["{attr.a}"], { attributes: { a: "-rf" } })).toContain("taken for an option");
    expect(rejectionOf(["{attr.a}/x"], { attributes: { a: "-" } })).toContain("taken for an option");
    expect(rejectionOf(["{body.a}"], { body: '{"a":-5}' })).toContain("taken for an option");
    expect(rejectionOf(["{body}"], { body: "--help" })).toContain("taken for an option");
    expect(rejectionOf(["{param.l}"], { parameters: { l: value(["a", "-b"]) } })).toContain("taken for an option");
  });

  test("is not let through behind a value that turned out empty", () => {
    expect(rejectionOf(["{attr.a}{attr.b}"], { attributes: { a: "", b: "-rf" } })).toContain("{attr.b}");
  });

  test("is a text like others behind something else", () => {
    expect(expand(["--x={attr.a}", "./{attr.a}", "-{attr.a}"], { attributes: { a: "-1" } })).toEqual([
      "--x=-1",
      "./-1",
      "--1",
    ]);
  });

  test("passes where the parameter allows it", () => {
    const parameters = { n: value("-5", { allowLeadingDash: true }), l: value(["-a"], { allowLeadingDash: true }) };
    expect(expand(["{param.n}", "{param.l}"], { parameters })).toEqual(["-5", "-a"]);
  });
});

test("a rejection never holds the value", () => {
  const secret = "-hunter2";
  const given = { parameters: { token: value(secret, { secret: true }) }, attributes: { a: `${secret}\0` } };
  const messages = [rejectionOf(["{param.token}"], given), rejectionOf(["x{attr.a}"], given)];
  expect(messages.join(" ")).not.toContain("hunter2");
  expect(messages[0]).toContain("{param.token}: the parameter `token`");
});

test("one template serves many jobs", () => {
  const template = compileTemplate(["{body.a}"]);
  const context = { parameters: new Map<string, ParameterValue>(), attributes: {} };
  const bodies = ['{"a":"1"}', '{"a":"2"}'].map((text) => inlineBody(new TextEncoder().encode(text)));
  expect(bodies.map((body) => expandTemplate(template, { ...context, body }))).toEqual([["1"], ["2"]]);
});
