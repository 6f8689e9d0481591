import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Values } from "../../src/functions/api.ts";
import { temporaryDirectory } from "../support/temporary.ts";

setDefaultTimeout(60_000);

const ROOT = join(import.meta.dirname, "../..");
const directory = temporaryDirectory();
afterAll(() => directory[Symbol.dispose]());

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Each of these is an error of the type checker, where it is not so. */
const SAME: readonly true[] = [
  true satisfies Same<Values<{ image: "string"; n: "integer" }>, { readonly image: string; readonly n: number }>,
  true satisfies Same<Values<{ a: { type: "integer"; default: 800 } }>, { readonly a: number }>,
  true satisfies Same<Values<{ a: { type: "boolean" } }>, { readonly a: boolean | undefined }>,
  true satisfies Same<Values<{ a: { required: true } }>, { readonly a: string }>,
  true satisfies Same<Values<{ a: { type: "strings"; default: [] } }>, { readonly a: readonly string[] }>,
  true satisfies Same<Values<{ a: { choices: ["png", "jpg"]; default: "png" } }>, { readonly a: "png" | "jpg" }>,
  true satisfies Same<Values<{ a: "file" }>, { readonly a: string }>,
];

const RIGHT = `import { defineJob, file, Reject, Release, type ExitContext, type Route } from "reeve";
export const resize = defineJob({
  params: { image: "string", width: { type: "integer", default: 800 }, title: {} },
  timeout: "10m",
  async run({ params, message, attempt, jobId, signal, progress, result, log, error, deadline }) {
    const area: number = params.width ** 2 + attempt;
    const name: string = params.image + (params.title ?? message.attributes["title"] ?? jobId);
    if (signal.aborted) throw new Release(30, "later");
    if (message.body === "") return new Reject(name);
    await Promise.all([progress(0.5), result("a", { area }), log("a", "warn"), error("b", "fatal"), deadline(60)]);
    return file("map.png", { type: "image/png" });
  },
  onExit({ params, cause }) {
    console.log(params.image, cause);
  },
});
export const nothing = defineJob({ run() {} });
export const sweep = ({ cause, params }: ExitContext<unknown>) => console.log(cause, params);
export const route: Route = async ({ attributes, body, receiveCount }) => {
  if (attributes["kind"] === "resize") return { job: resize, params: { image: body, width: 1 }, onExit: sweep };
  if (attributes["kind"] === "list") return { job: "other", args: [body, receiveCount, ["a", "b"]], onExit: resize };
  if (attributes["kind"] === "bad") return new Reject("bad");
  return body === "" ? nothing : undefined;
};
`;

/** Each with the line after it, which is an error. */
const WRONG: readonly string[] = [
  'defineJob({ params: { width: "integer" }, run: ({ params }) => params.wdth });',
  'defineJob({ params: { width: "integer" }, run: ({ params }) => params.width.toUpperCase() });',
  'defineJob({ params: { width: { type: "integer" } }, run: ({ params }) => params.width + 1 });',
  'defineJob({ params: { width: "intger" }, run() {} });',
  "defineJob({ maxAtempts: 3, run() {} });",
  "defineJob({ params: {} });",
  "export const one: Route = () => ({ job: resize, parms: {} });",
  "export const two: Route = () => ({ job: resize, params: { image: { a: 1 } } });",
  "export const three: Route = (message) => message.attribute;",
  "defineJob({ run: ({ progress }) => progress(0.5, 7) });",
  'defineJob({ params: { width: "integer" }, run() {}, onExit: ({ params }) => params.wdth });',
];

function check(name: string, text: string): string[] {
  directory.write(name, text);
  const options = {
    strict: true,
    noEmit: true,
    target: "ESNext",
    module: "Preserve",
    moduleResolution: "bundler",
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    paths: { reeve: [join(ROOT, "src/functions/api.ts")] },
    types: [join(ROOT, "node_modules/bun-types")],
  };
  directory.write("tsconfig.json", JSON.stringify({ compilerOptions: options, files: [name] }));
  const tsc = [join(ROOT, "node_modules/.bin/tsc"), "-p", directory.of("tsconfig.json"), "--pretty", "false"];
  const { stdout } = Bun.spawnSync(tsc, { cwd: directory.of() });
  return stdout.toString().split("\n").filter(Boolean);
}

test("what a job's functions get has the types of its definition", () => {
  expect(SAME).not.toContain(false);
  expect(check("right.ts", RIGHT)).toEqual([]);
});

test("a wrong name or type is an error of the type checker, where it stands", () => {
  const errors = check("wrong.ts", ['import { defineJob, type Route } from "reeve";', ...WRONG].join("\n"));
  const lines = new Set(errors.flatMap((error) => /^wrong\.ts\((\d+),/.exec(error)?.[1] ?? []).map(Number));
  expect([...lines].toSorted((one, other) => one - other)).toEqual(WRONG.map((_, index) => index + 2));
});
