import { expect, test } from "bun:test";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { askModule } from "../../src/functions/modules.ts";
import { runtime } from "../../src/runtime/index.ts";
import { errorOf } from "../config/helpers.ts";
import { eventually } from "../support/eventually.ts";
import { isLiving } from "../support/processes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");

/** Asks as the program does, for which twenty seconds are a third of one here. */
function ask(directory: string, name: string) {
  const clock = { ...systemClock, after: (ms: number, act: () => void) => systemClock.after(ms / 60, act) };
  const asking = { runtime, clock, environment: process.env, cwd: directory, main: MAIN };
  return askModule(join(directory, name), new Map(), asking);
}

test.each([
  ["loops", "for (;;);"],
  ["waits for what never comes", "await new Promise(() => {});\nexport const a = 1;"],
])("a module that %s when it is loaded is an error, and ended", async (_what, module) => {
  using directory = temporaryDirectory();
  directory.write(
    "jobs.ts",
    `import { writeFileSync } from "node:fs";\nwriteFileSync("pid", String(process.pid));\n${module}`,
  );
  const { message, exitCode } = await errorOf(() => ask(directory.path, "jobs.ts"));
  expect({ message, exitCode }).toEqual({
    message: "jobs.ts: it was not loaded within 20s: something in it does not end",
    exitCode: 78,
  });
  const pid = Number(await Bun.file(directory.of("pid")).text());
  await eventually("its process is gone", () => !isLiving(pid));
});

test("a route that is no function is an error", async () => {
  using directory = temporaryDirectory();
  directory.write("jobs.ts", 'export const route = { attribute: "kind" };');
  const { message } = await errorOf(() => ask(directory.path, "jobs.ts"));
  expect(message).toBe("jobs.ts: route must be a function");
});

test("a module says what jobs it has, and whether it has a route, without being loaded here", async () => {
  using directory = temporaryDirectory();
  directory.write(
    "jobs.ts",
    `import { defineJob } from "reeve";
globalThis.wasLoaded = true;
export const resize = defineJob({
  params: { image: "string", width: { type: "integer", default: 800, min: 1 } },
  description: "makes {it} smaller",
  timeout: "10m",
  maxAttempts: 3,
  limits: { openFiles: 100 },
  cwd: "work",
  run() {},
  onExit() {},
});
export const route = () => undefined;
`,
  );
  const { definitions, hasRoute, file } = await ask(directory.path, "jobs.ts");
  expect({ hasRoute, file }).toEqual({ hasRoute: true, file: directory.of("jobs.ts") });
  const parameter = { secret: false, allowLeadingDash: false };
  expect(definitions).toMatchObject([
    {
      name: "resize",
      cwd: directory.of("work"),
      description: "makes {it} smaller",
      function: { file: directory.of("jobs.ts"), name: "resize" },
      limits: {
        timeoutMs: 600_000,
        maxAttempts: 3,
        rejectCodes: [65],
        releaseCodes: [75],
        resources: { openFiles: 100 },
      },
      parameters: new Map<string, object>([
        ["image", { kind: "string", required: true, ...parameter }],
        ["width", { kind: "integer", required: false, default: "800", min: 1, ...parameter }],
      ]),
    },
  ]);
  expect(definitions[0]?.command.slice(-4)).toEqual(["_function", "run", directory.of("jobs.ts"), "resize"]);
  expect(definitions[0]?.exitHandler?.slice(-4)).toEqual(["_function", "exit", directory.of("jobs.ts"), "resize"]);
  expect("wasLoaded" in globalThis).toBeFalse();
});
