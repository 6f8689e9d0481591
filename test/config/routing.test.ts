import { describe, expect, test } from "bun:test";
import { inlineBody } from "../../src/config/message-body.ts";
import type { Definition } from "../../src/config/definition.ts";
import type { RoutedJob } from "../../src/config/message-route.ts";
import type { GivenParameter } from "../../src/config/parameters.ts";
import { checkParameters } from "../../src/config/parameters.ts";
import { JOB_ATTRIBUTE, type Routed, Router, type RouterSettings } from "../../src/config/routing.ts";
import { Random } from "../simulation/random.ts";
import { definition, errorOf, parameter } from "./helpers.ts";

const named = (name: string, fields: Partial<Definition> = {}): Definition => definition({}, { name, ...fields });

const settings = (definitions: Definition[], fields: Partial<RouterSettings> = {}): RouterSettings => ({
  definitions: new Map(definitions.map((one) => [one.name, one])),
  commandLine: null,
  job: null,
  extra: [],
  ...fields,
});

type Body = string | Uint8Array | object;

function route(given: RouterSettings, body: Body, attributes: Record<string, string> = {}): Routed {
  const bytes =
    body instanceof Uint8Array
      ? body
      : new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
  return new Router(given).route({ body: inlineBody(bytes), attributes });
}

/** What became of a message: `job resize`, or the reason. */
function told(routed: Routed): string {
  if (routed.kind === "job") return `job ${routed.definition}`;
  return `${routed.kind === "rejected" ? `${routed.definition} ` : ""}${routed.kind}: ${routed.reason}`;
}

const given = (routed: Routed): string[] =>
  routed.kind === "job" ? routed.parameters.map(({ name, value }) => `${name}=${value}`) : [told(routed)];

const OURS = { [JOB_ATTRIBUTE]: "r7ouijzs5ek2" };

const resize = named("resize", { route: { attribute: "kind", equals: "resize" } });
const crop = named("crop", { route: { field: "detail.type", equals: "crop" } });
const both = settings([resize, crop]);

describe("messages that are no job's", () => {
  const routes = 'resize (attribute kind = "resize"), crop (field detail.type = "crop")';
  test.each<[string, Body, Record<string, string>, string]>([
    ["neither", { detail: { type: "cut" } }, { kind: "x" }, `it matches none of ${routes}.`],
    ["another case", { detail: { type: "Crop" } }, { Kind: "resize" }, "matches none of"],
    ["text for a number", { detail: { type: 5 } }, {}, "matches none of"],
    ["no JSON", "hello", {}, `${routes}. The field cannot be read: the body is not valid JSON.`],
    ["no text", new Uint8Array([0xff, 0xfe]), {}, "The field cannot be read: the body is not valid UTF-8."],
    ["empty", "", {}, "the body is not valid JSON."],
    ["null", "null", {}, "matches none of"],
    ["deep", `${"[".repeat(500_000)}${"]".repeat(500_000)}`, {}, "matches none of"],
    ["both", { detail: { type: "crop" } }, { kind: "resize" }, `is for more than one job: it matches ${routes}.`],
    [
      "ours, unknown",
      { job: "rezise" },
      OURS,
      'is for the job "rezise", which is not defined here, did you mean `resize`?',
    ],
    ["ours, unknown, beside a route", { job: "x" }, { ...OURS, kind: "resize" }, 'the job "x", which is not defined'],
    ["ours, of an object's own", { job: "__proto__" }, OURS, 'the job "__proto__", which is not defined here.'],
    ["unknown, without the attribute", { job: "x", params: {} }, {}, "matches none of"],
    ["ours, but no text", { job: 5 }, OURS, "matches none of"],
  ])("%s", (_name, body, attributes, reason) => {
    const outcome = route(both, body, attributes);
    expect(outcome.kind).toBe("unroutable");
    expect(told(outcome)).toContain(reason);
  });

  test("where nothing says what is whose", () => {
    expect(told(route(settings([]), "x"))).toBe("unroutable: The message is for no job: none is defined here.");
    expect(told(route(settings([named("a"), named("b")]), "x"))).toContain("none has a `route`, and its queue has no");
  });

  test("the reason stays short, and holds nothing of the body but a job's name", () => {
    const many = Array.from({ length: 200 }, (_, index) =>
      named(`job${index}`, { route: { field: "type", equals: "x".repeat(500) } }),
    );
    expect(told(route(settings(many), { type: "SECRET" })).length).toBeLessThan(1000);
    expect(told(route(settings(many), { type: "SECRET" }))).toContain("and 195 more");
    expect(told(route(settings(many), { type: "SECRET" }))).not.toContain("SECRET");
    const long = told(route(both, { job: `\u001b[31m${"n".repeat(100_000)}` }, OURS));
    expect(long.length).toBeLessThan(200);
    expect(long).not.toContain("\u001b");
  });
});

describe("whose a message is", () => {
  const alone = named("alone");
  test.each<[string, RouterSettings, Body, Record<string, string>, string]>([
    ["by an attribute", both, "anything", { kind: "resize" }, "job resize"],
    ["by a field", both, { detail: { type: "crop" } }, {}, "job crop"],
    [
      "by a number's digits",
      settings([named("n", { route: { field: "0.v", equals: "1.0" } })]),
      '[{"v":1.0}]',
      {},
      "job n",
    ],
    ["ours", both, { job: "crop" }, OURS, "job crop"],
    ["ours, though another's route matches", both, { job: "crop" }, { ...OURS, kind: "resize" }, "job crop"],
    ["ours, though the queue has a job", { ...both, job: "resize" }, { job: "crop" }, OURS, "job crop"],
    ["in our form, of another sender", both, { job: "crop", params: {} }, {}, "job crop"],
    ["in our form, where a route matches", both, { job: "crop" }, { kind: "resize" }, "job resize"],
    ["in our form, where the queue has a job", { ...both, job: "resize" }, { job: "crop" }, {}, "job resize"],
    ["the queue's", { ...both, job: "crop" }, "x", { kind: "resize" }, "job crop"],
    ["the only definition's", settings([alone]), "x", {}, "job alone"],
    ["the only definition's, whatever it names", settings([alone]), { job: "other" }, {}, "job alone"],
    ["the command line's", { ...both, commandLine: named("work"), job: "crop" }, { job: "crop" }, OURS, "job null"],
  ])("%s", (_name, from, body, attributes, expected) => {
    expect(told(route(from, body, attributes))).toBe(expected);
  });

  test("an only definition with a route takes what matches, and no more", () => {
    expect(told(route(settings([resize]), "x"))).toContain("unroutable");
    expect(told(route(settings([resize]), "x", { kind: "resize" }))).toBe("job resize");
  });
});

const params = (value: unknown): string => JSON.stringify({ job: "j", params: value });
const refusalOf = (from: RouterSettings) => errorOf(() => new Router(from));
const image = { name: "image", value: "extra.png" } satisfies GivenParameter;

describe("parameters", () => {
  const plain = named("j", {
    parameters: new Map(Object.entries({ image: parameter(), tags: parameter({ kind: "strings" }) })),
  });
  const placed = named("j", {
    parameters: new Map(
      Object.entries({
        image: parameter({ from: { from: "body", path: ["file", "name"] } }),
        tags: parameter({ kind: "strings", from: { from: "body", path: ["tags"] } }),
        tenant: parameter({ from: { from: "attribute", name: "tenant" } }),
      }),
    ),
  });
  test.each<[string, Definition, string, Record<string, string>, string]>([
    ["params that are a list", plain, params(["a"]), OURS, "`params` of the message is not an object."],
    ["params that are a text", plain, params("a"), OURS, "`params` of the message is not an object."],
    ["an object as value", plain, params({ image: { a: 1 } }), OURS, '`params` "image" of the message must be a text'],
    ["a list in a list", plain, params({ tags: [["a"]] }), OURS, '`params` "tags" of the message must be a text'],
    ["null in a list", plain, params({ tags: [null] }), OURS, "must be a text, a number, true, false or a list"],
    ["twice but for case", plain, params({ image: "a", IMAGE: "b" }), OURS, 'The parameter "IMAGE" is given twice: by'],
    [
      "params and from",
      placed,
      '{"job":"j","params":{"Image":"a"},"file":{"name":"b"}}',
      OURS,
      'The parameter "image" is given twice: by `params` "Image" of the message and by its `from`, body.file.name.',
    ],
    [
      "from an unread body",
      placed,
      "hello",
      {},
      "The parameter `image`: its `from`, body.file.name, cannot be read: the body is not valid JSON.",
    ],
  ])("%s: the message is rejected", (_name, one, body, attributes, reason) => {
    const outcome = route(settings([one]), body, attributes);
    expect(outcome).toMatchObject({ kind: "rejected", definition: "j" });
    expect(told(outcome)).toContain(reason);
  });

  test("of the message and of the command line: rejected, both named", () => {
    const outcome = route(settings([plain], { extra: [image] }), params({ IMAGE: "a" }), OURS);
    expect(told(outcome)).toBe(
      'j rejected: The parameter "image" is given twice: by `params` "IMAGE" of the message and by --param of the command line.',
    );
  });

  test.each<[string, Definition, string, Record<string, string>, string[]]>([
    [
      "texts, numbers with their digits, truths",
      plain,
      '{"job":"j","params":{"a":"x","b":1.50,"c":true,"d":12345678901234567890}}',
      OURS,
      ["a=x", "b=1.50", "c=true", "d=12345678901234567890"],
    ],
    ["a list is a repeat", plain, params({ tags: ["a", 2, false] }), OURS, ["tags=a", "tags=2", "tags=false"]],
    ["null and nothing give nothing", plain, params({ image: null, tags: [] }), OURS, []],
    ["no params", plain, '{"job":"j"}', OURS, []],
    ["null for params", plain, params(null), OURS, []],
    ["of an object's own", plain, '{"job":"j","params":{"__proto__":"x"}}', OURS, ["__proto__=x"]],
    ["in our form, without the attribute", plain, params({ image: "a" }), {}, ["image=a"]],
    [
      "from fields and attributes",
      placed,
      '{"file":{"name":"a.png"},"tags":["x",{"y":1.0}]}',
      { tenant: "t" },
      ["image=a.png", "tags=x", 'tags={"y":1.0}', "tenant=t"],
    ],
    ["what is missing is not given", placed, '{"file":{"name":null}}', {}, []],
    [
      "an empty text gives nothing that could clash",
      placed,
      '{"job":"j","params":{"image":""},"file":{"name":"b"}}',
      OURS,
      ["image=", "image=b"],
    ],
    ["an object is given as JSON", placed, '{"file":{"name":{"a":[1e2]}}}', {}, ['image={"a":[1e2]}']],
  ])("%s", (_name, one, body, attributes, expected) => {
    expect(given(route(settings([one]), body, attributes))).toEqual(expected);
  });

  test("the whole body is given, but not where it only names the job and its parameters", () => {
    const one = named("j", { parameters: new Map([["text", parameter({ from: { from: "body", path: [] } })]]) });
    expect(given(route(settings([one]), '{"a": 1}'))).toEqual(['text={"a": 1}']);
    expect(given(route(settings([one]), params({ text: "t" }), OURS))).toEqual(["text=t"]);
    expect(told(route(settings([one]), new Uint8Array([0xff])))).toContain("`from`, body, is not valid UTF-8.");
  });

  test("--param fills what the message leaves open, for definitions that declare it", () => {
    const extra = [
      { name: "IMAGE", value: "x.png" },
      { name: "tags", value: "a" },
      { name: "tags", value: "b" },
    ];
    const other = named("other");
    expect(given(route(settings([plain, other], { extra }), { job: "j" }, OURS))).toEqual([
      "IMAGE=x.png",
      "tags=a",
      "tags=b",
    ]);
    expect(given(route(settings([plain, other], { extra }), { job: "other" }, OURS))).toEqual([]);
    const commandLine = named("work", { parameters: plain.parameters });
    expect(given(route(settings([], { commandLine, extra: [image] }), params({ image: "a" }), OURS))).toEqual([
      "image=extra.png",
    ]);
  });

  test("what clashes in every message is refused before the first", async () => {
    const unknown = { name: "imgae", value: "x" };
    expect((await refusalOf(settings([plain], { extra: [unknown] }))).message).toBe(
      '--param "imgae": no job has such a parameter, did you mean `image`?',
    );
    expect((await refusalOf(settings([], { commandLine: named("work"), extra: [image] }))).exitCode).toBe(2);
    expect((await refusalOf(settings([placed], { extra: [image] }))).message).toBe(
      '--param "image": the job j takes it from body.file.name of each message',
    );
    expect(await refusalOf(settings([plain], { job: "k" }))).toMatchObject({ exitCode: 78 });
  });

  test("a hundred thousand parameters are told shortly", () => {
    const body = { job: "j", params: Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`p${n}`, 1])) };
    const outcome = route(settings([plain]), body, OURS);
    if (outcome.kind !== "job") throw new Error(told(outcome));
    expect(() => checkParameters(plain, outcome.parameters)).toThrow(/ And 99990 more\.$/);
  });
});

const SEED = 20_260_415;
const WORDS = "job params resize crop kind detail type image __proto__ toString 0".split(" ");

/** Bodies that are near to what is understood, cut, nested, spoiled, or no text at all. */
class Garbage {
  readonly #random = new Random(SEED);

  body(): Uint8Array {
    const bytes = new TextEncoder().encode(this.#random.chance(0.2) ? this.#text() : JSON.stringify(this.#document()));
    if (this.#random.chance(0.5)) bytes.fill(this.#below(256), this.#below(bytes.length + 1), this.#below(60));
    return this.#random.chance(0.1) ? bytes.subarray(0, this.#below(bytes.length + 1)) : bytes;
  }

  #document(): unknown {
    const ours = { job: this.#word(), params: this.#value(1), detail: this.#value(1) };
    return this.#random.chance(0.5) ? ours : this.#value(0);
  }

  attributes(): Record<string, string> {
    const attributes: Record<string, string> = this.#random.chance(0.5) ? { [JOB_ATTRIBUTE]: this.#text() } : {};
    for (let left = this.#below(4); left > 0; left--) attributes[this.#word()] = this.#word();
    return attributes;
  }

  #value(depth: number): unknown {
    const plain = [this.#text(), this.#below(1e9) / 7, null, true, this.#word()];
    if (depth > 3 || this.#random.chance(depth / 4)) return plain[this.#below(plain.length)];
    const items = Array.from({ length: this.#below(5) }, () => [this.#word(), this.#value(depth + 1)] as const);
    return this.#random.chance(0.2) ? items.map(([, item]) => item) : Object.fromEntries(items);
  }

  #below(limit: number): number {
    return Math.floor(this.#random.next() * limit);
  }

  #word(): string {
    return this.#random.pick(WORDS);
  }

  #text(): string {
    return Array.from({ length: this.#below(8) }, () => String.fromCharCode(this.#below(0x1_0000))).join("");
  }
}

test("10 000 messages of garbage: each is somebody's, rejected or unroutable, with a sentence, and none throws", () => {
  const garbage = new Garbage();
  const from = { from: "body", path: ["detail", "type"] } as const;
  const parameters = new Map(Object.entries({ image: parameter({ from: { ...from, path: [...from.path] } }) }));
  const router = new Router(settings([resize, { ...crop, parameters }, named("params", { parameters })]));
  const kinds = new Map<string, number>();
  for (let index = 0; index < 10_000; index++) {
    const routed = router.route({ body: inlineBody(garbage.body()), attributes: garbage.attributes() });
    if (routed.kind !== "job") expect(routed.reason).toMatch(/^[^\p{Cc}]{10,1000}[.?]$/u);
    kinds.set(routed.kind, (kinds.get(routed.kind) ?? 0) + 1);
  }
  // Else the garbage would be too far from what is understood to prove anything.
  for (const kind of ["job", "rejected", "unroutable"]) expect(kinds.get(kind) ?? 0).toBeGreaterThan(50);
});

describe("what a module's route says", () => {
  const parameters = new Map([
    ["image", parameter({})],
    ["width", parameter({})],
    ["tenant", parameter({ from: { from: "attribute", name: "tenant" } })],
  ]);
  const asked = ["`route` of jobs.ts"];
  const scale = named("scale", { parameters });
  const known = settings([scale, crop], { asked, extra: [{ name: "width", value: "9" }] });
  const message = { body: inlineBody(Buffer.from("{}")), attributes: { tenant: "t" } };
  const answer: RoutedJob = {
    kind: "job",
    source: "`route` of jobs.ts",
    definition: "scale",
    params: [],
    args: [],
    onExit: undefined,
    label: null,
  };
  const by = (fields: Partial<RoutedJob>, from = known): Routed =>
    new Router(from).route(message, { ...answer, ...fields });

  test("comes together with what the definition and the command line give", () => {
    expect(given(by({ args: [["a"]] }))).toEqual(["image=a", "tenant=t", "width=9"]);
    expect(given(by({ params: [["image", ["a", "b"]]] }))).toEqual(["image=a", "image=b", "tenant=t", "width=9"]);
    expect(given(by({ args: [[], []] }))).toEqual(["tenant=t", "width=9"]);
    expect(by({ onExit: "sweep", label: "l" })).toMatchObject({ chosen: { onExit: "sweep", label: "l" } });
  });

  test.each<[string, Partial<RoutedJob>, string]>([
    [
      "and so does the command line",
      { args: [[], ["5"]] },
      "is given twice: by `args` of `route` of jobs.ts and by --param",
    ],
    [
      "and so does `from`",
      { params: [["Tenant", ["x"]]] },
      "is given twice: by `params` of `route` of jobs.ts and by its `from`",
    ],
    ["too often", { args: [[], [], [], []] }, "gives 4 `args`, and the job scale has 3 parameters."],
    ["as no value", { params: [["image", null]] }, "must be a text, a number, true, false or a list of these"],
    [
      "for no job",
      { definition: "scales" },
      'names the job "scales", which is not defined here, did you mean `scale`?',
    ],
  ])("rejects the message: %s", (_, fields, reason) => {
    expect(told(by(fields))).toContain(reason);
  });

  test("may be of the one job that there is for all", () => {
    expect(new Router(known).hasDefault).toBe(false);
    for (const from of [settings([scale], { asked }), settings([scale, crop], { asked, job: "scale" })]) {
      expect(new Router(from).hasDefault).toBe(true);
      expect(told(by({ definition: null }, from))).toBe("job scale");
    }
  });

  test("may be nothing: then neither has the only job all messages", () => {
    const router = new Router(settings([scale], { asked }));
    expect(told(router.route(message, { kind: "not ours" }))).toEndWith(
      "for no job: `route` of jobs.ts takes none of it.",
    );
    expect(told(new Router(settings([scale])).route(message))).toBe("job scale");
  });

  test("is asked for, unless the message was submitted by its job's name", () => {
    const router = new Router(known);
    const ours = { body: inlineBody(Buffer.from('{"job":"scale"}')), attributes: OURS };
    expect([message, ours, { ...ours, attributes: {} }].map((one) => router.isAsked(one))).toEqual([true, false, true]);
    expect(new Router(both).isAsked(message)).toBe(false);
    expect(new Router(settings([], { asked, commandLine: named("") })).isAsked(message)).toBe(false);
  });
});
