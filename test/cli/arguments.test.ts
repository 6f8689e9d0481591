import { describe, expect, test } from "bun:test";
import { markedText, optionForm, unambiguous } from "../../src/cli/arguments.ts";
import { sentenceOf } from "../support/errors.ts";

const forms = ["--dedupe <key>", "--json", "--no-wait", "-o, --output <file>", "--priority <n>"].map(optionForm);
const written = (...argv: string[]): string[] => unambiguous(argv, () => forms);

describe("unambiguous arguments", () => {
  test.each([
    ["a value in the next word", ["--dedupe", "007"], ["--dedupe==007"]],
    ["a value in the same word", ["--dedupe=007"], ["--dedupe==007"]],
    ["an empty value", ["--dedupe", "", "id"], ["--dedupe==", "id"]],
    ["a value with a minus", ["--priority", "-5"], ["--priority==-5"]],
    ["a value with an equals sign", ["--dedupe=a=b"], ["--dedupe==a=b"]],
    ["a switch before an id of digits", ["show", "--json", "123"], ["show", "--json=true", "123"]],
    ["a negated switch", ["--no-wait", "id"], ["--no-wait", "id"]],
    ["a short spelling", ["-o", "x"], ["--output==x"]],
    ["what stands after --", ["--json", "--", "--json", "-x", "--"], ["--json=true", "--", "--json", "-x", "--"]],
  ])("%s", (_what, argv, expected) => {
    expect(written(...argv)).toEqual(expected);
  });

  test("marked text is what was given", () => {
    expect(["=007", "=", "==", "007", true, 7].map(markedText)).toEqual([
      "007",
      "",
      "=",
      undefined,
      undefined,
      undefined,
    ]);
  });

  test.each([
    [["list", "--jsn"], "`reeve list` has no option --jsn, did you mean `--json`?"],
    [["--wat"], "no option --wat before a verb"],
    [["list", "--dedupe"], "--dedupe needs a value"],
    [["list", "--dedupe", "--json"], "--dedupe needs a value"],
    [["list", "--dedupe", "--", "x"], "--dedupe needs a value"],
    [["list", "--json=7"], "--json takes no value, but was given one"],
    [["list", "-"], "`-` means nothing here"],
  ])("%j is refused", async (argv, message) => {
    expect(await sentenceOf(() => written(...argv))).toMatchObject({ message, exitCode: 2 });
  });
});
