import { describe, expect, test } from "bun:test";
import type { ParameterDefinition } from "../../src/config/definition.ts";
import { checkParameters, type GivenParameter } from "../../src/config/parameters.ts";
import { definition, errorOf, parameter } from "./helpers.ts";

type Declared = Record<string, Partial<ParameterDefinition>>;

const declare = (declared: Declared) =>
  definition(Object.fromEntries(Object.entries(declared).map(([name, fields]) => [name, parameter(fields)])));

function check(declared: Declared, ...given: (GivenParameter | [string, string])[]): Record<string, string | string[]> {
  const list = given.map((one) => (Array.isArray(one) ? { name: one[0], value: one[1] } : one));
  const values = checkParameters(declare(declared), list);
  return Object.fromEntries([...values].map(([name, { value }]) => [name, value]));
}

const refusal = async (declared: Declared, ...given: (GivenParameter | [string, string])[]): Promise<string> => {
  const { message, exitCode } = await errorOf(() => check(declared, ...given));
  expect(exitCode).toBe(2);
  return message;
};

describe("names", () => {
  test("are without case, and come back as declared", () => {
    expect(check({ imageName: {} }, ["IMAGENAME", "a.png"])).toEqual({ imageName: "a.png" });
  });

  test("one that is not declared is refused with the nearest that is", async () => {
    expect(await refusal({ image: {}, width: {} }, ["imgae", "x"])).toBe(
      'The job resize has no parameter "imgae", did you mean `image`?',
    );
  });

  test.each(["__proto__", "constructor", "toString", "\u001b[31m", "x".repeat(200_000)])(
    "a strange one is refused: %p",
    async (name) => {
      const message = await refusal({ image: {} }, [name, "x"]);
      expect(message).toContain("has no parameter");
      expect(message).not.toContain("\u001b");
      expect(message.length).toBeLessThan(200);
    },
  );

  test("a declared one may have the name of an object's own property", () => {
    expect(check({ toString: {} }, ["tostring", "x"])).toEqual({ toString: "x" });
  });
});

describe("what is not given", () => {
  test("an empty value is the default", () => {
    expect(check({ a: { default: "1" }, b: { default: "2" } }, ["a", ""])).toEqual({ a: "1", b: "2" });
  });

  test("without a default it is left out", () => {
    expect(check({ a: {} })).toEqual({});
  });

  test("every required one is named", async () => {
    const message = await refusal({ a: { required: true }, b: { required: true } }, ["b", ""]);
    expect(message).toBe("The parameter `a` is required. The parameter `b` is required.");
  });
});

describe("repeats", () => {
  test("are a list where the kind is one", () => {
    expect(check({ l: { kind: "strings" } }, ["l", "a"], ["L", "b,c"], ["l", ""])).toEqual({ l: ["a", "b,c"] });
    expect(check({ l: { kind: "strings" } }, ["l", "a"])).toEqual({ l: ["a"] });
    expect(check({ l: { kind: "strings", default: ["x"] } })).toEqual({ l: ["x"] });
  });

  test("are refused elsewhere", async () => {
    expect(await refusal({ a: {} }, ["a", "1"], ["A", "2"])).toContain("`a` is given 2 times");
  });
});

describe("kinds", () => {
  test.each([
    ["integer", "12345678901234567890", "12345678901234567890"],
    ["integer", " +5 ", "5"],
    ["integer", "-5", "-5"],
    ["integer", "007", "007"],
    ["number", "1.10", "1.10"],
    ["number", "+1e5", "1e5"],
    ["number", ".5", ".5"],
    ["number", "-0", "-0"],
    ["boolean", "TRUE", "true"],
    ["boolean", "1", "true"],
    ["boolean", "yes", "true"],
    ["boolean", "0", "false"],
    ["boolean", "off", "false"],
    ["string", "  00 1.10 ", "  00 1.10 "],
    ["string", "-rf", "-rf"],
    ["string", "[1]\n", "[1]\n"],
  ] as const)("%s %p is %p", (kind, given, value) => {
    expect(check({ a: { kind } }, ["a", given])).toEqual({ a: value });
  });

  test.each([
    ["integer", "1.5"],
    ["integer", "1e3"],
    ["integer", "0x10"],
    ["integer", "１２"],
    ["integer", "abc"],
    ["number", "NaN"],
    ["number", "Infinity"],
    ["number", "1,5"],
    ["number", "."],
    ["number", "1e"],
    ["boolean", "maybe"],
    ["boolean", "2"],
  ] as const)("%s %p is refused", async (kind, given) => {
    expect(await refusal({ a: { kind } }, ["a", given])).toContain(`(given: ${JSON.stringify(given)})`);
  });

  test("a file is given by its path, and by nothing else", async () => {
    expect(check({ f: { kind: "file" } }, { name: "f", value: "", file: "/tmp/a b" })).toEqual({ f: "/tmp/a b" });
    expect(await refusal({ f: { kind: "file" } }, ["f", "/tmp/a"])).toContain("must be given by its path");
    expect(await refusal({ s: {} }, { name: "s", value: "", file: "/tmp/a" })).toContain("must be given by its value");
  });
});

describe("bounds", () => {
  const exact = { a: { kind: "integer", max: Number.MAX_SAFE_INTEGER } } as const;

  test("hold at their edges", async () => {
    const declared: Declared = { a: { kind: "integer", min: 1, max: 3 } };
    expect(check(declared, ["a", "1"])).toEqual({ a: "1" });
    expect(check(declared, ["a", "3"])).toEqual({ a: "3" });
    expect(await refusal(declared, ["a", "0"])).toContain("must be at least 1");
    expect(await refusal(declared, ["a", "4"])).toContain("must be at most 3");
    expect(await refusal({ a: { kind: "number", max: 1 } }, ["a", "1e400"])).toContain("must be at most 1");
  });

  test("are exact where a number is not", async () => {
    expect(check(exact, ["a", "9007199254740991"])).toEqual({ a: "9007199254740991" });
    expect(await refusal(exact, ["a", "9007199254740992"])).toContain("at most");
  });

  test("choices are compared as what they are", async () => {
    expect(check({ a: { choices: ["s", "m"] } }, ["a", "m"])).toEqual({ a: "m" });
    expect(check({ a: { kind: "number", choices: ["1", "2.5"] } }, ["a", "2.50"])).toEqual({ a: "2.50" });
    expect(await refusal({ a: { choices: ["s", "m"] } }, ["a", "M"])).toContain('must be one of "s", "m"');
  });

  test("a pattern has to match all of the value", async () => {
    expect(check({ a: { pattern: "a|b+" } }, ["a", "bb"])).toEqual({ a: "bb" });
    expect(await refusal({ a: { pattern: "a|b+" } }, ["a", "ab"])).toContain("must match the pattern");
    expect(await refusal({ a: { pattern: "a" } }, ["a", "a\n"])).toContain("must match the pattern");
  });

  test("a length is counted in characters", async () => {
    expect(check({ a: { maxLength: 2 } }, ["a", "😀😀"])).toEqual({ a: "😀😀" });
    expect(await refusal({ a: { maxLength: 2 } }, ["a", "abc"])).toContain("at most 2 characters");
  });

  test("every item of a list is checked", async () => {
    expect(await refusal({ l: { kind: "strings", choices: ["a"] } }, ["l", "a"], ["l", "b"])).toContain('given: "b"');
  });
});

describe("what no program can be given", () => {
  test("a NUL, and what is too long", async () => {
    expect(await refusal({ a: {} }, ["a", "x\0"])).toContain("NUL");
    const message = await refusal({ a: {} }, ["a", "x".repeat(200_000)]);
    expect(message).toContain("131071 bytes");
    expect(message.length).toBeLessThan(300);
    expect(await refusal({ a: { kind: "integer" } }, ["a", "9".repeat(200_000)])).toContain("131071 bytes");
    const longest = 131_071 - "REEVE_PARAM_A=".length;
    expect(check({ a: {} }, ["a", "x".repeat(longest)])["a"]).toHaveLength(longest);
    expect(await refusal({ a: {} }, ["a", "x".repeat(longest + 1)])).toContain("as a variable of the environment");
    const half = "é".repeat(35_000);
    expect(await refusal({ a: { kind: "strings" } }, ["a", half], ["a", half])).toContain("131071 bytes");
  });
});

test("all problems are told at once", async () => {
  const declared: Declared = { a: { required: true }, b: { kind: "integer" }, c: {} };
  const message = await refusal(declared, ["b", "x"], ["d1", "x"], ["c", "1"], ["c", "2"]);
  expect(message.split(". ")).toHaveLength(4);
});

test("nothing that came over a wire is in the message", async () => {
  const declared: Declared = { width: { kind: "integer" }, image: { kind: "file" }, colour: { choices: ["red"] } };
  const given = [
    { name: "<script>", value: "x" },
    { name: "width", value: "<script>" },
    { name: "image", value: "<script>" },
    { name: "colour", value: "<script>" },
  ];
  const { message } = await errorOf(() => checkParameters(declare(declared), given, "over a wire"));
  expect(message).not.toContain("script");
  expect(message).toContain("it takes width, image, colour");
  expect(message).toContain("`width` must be an integer.");
  expect(message).toContain("must be uploaded");
});

test("a secret is never in the message", async () => {
  const message = await refusal({ token: { secret: true, pattern: "[0-9]+" } }, ["token", "hunter2"]);
  expect(message).toContain("`token` must match");
  expect(message).not.toContain("hunter2");
});
