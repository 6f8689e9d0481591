import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { ProcessManager, SpawnFailed, type EndedProcess } from "reeve";
import { tell, text } from "./tell.ts";

mkdirSync("files");
const processes = new ProcessManager({ grace: "1s", directory: "files" });
processes.setup();
const facts = ({ exitCode, signal, output, left }: EndedProcess) => ({ exitCode, signal, output: text(output), left });
const onEnd = (ended: EndedProcess): void => tell(facts(ended));

async function thereIs(file: string): Promise<void> {
  while (!existsSync(file)) await new Promise((resolve) => setImmediate(resolve));
}

tell({ count: processes.count });
processes.start(["sh", "-c", "cat; echo err >&2; exit 5"], { body: "in ", onEnd });
tell({ count: processes.count });
tell({ told: await processes.step(), count: processes.count });

processes.wakeUp();
tell({ told: await processes.step() });

processes.start(["sh", "-c", "trap 'echo asked; exit 3' QUIT; touch ready; while :; do sleep 0.05; done"], { onEnd });
processes.start(["sleep", "1000"], { onEnd });
await thereIs("ready");
processes.killAll();
await processes.waitForAll();
tell({ count: processes.count });
tell({ told: await processes.step() });

const large = "x".repeat(1_000_000);
processes.start(["cat"], { body: large, onEnd: ({ output }) => tell({ size: output.length }) });
await processes.step();

processes.start(["sh", "-c", "echo first; head -c 3000000 /dev/zero; echo last"], {
  outputLimit: "100kB",
  onEnd: ({ output }) => {
    tell({
      isCut: output.length < 200_000,
      ends: text(output).startsWith("first\n") && text(output).endsWith("last\n"),
    });
    throw new Error("a callback's own");
  },
});
processes.start(["true"]);
await processes.waitForAll();
tell({ count: processes.count, threw: await processes.step().catch(String), left: processes.count });
// Whichever of them ended first was told first.
if (processes.count > 0) await processes.step();

try {
  processes.start(["/no/such/program"]);
} catch (error) {
  tell({ failed: error instanceof SpawnFailed && error.errno });
}

const tree = "trap '' TERM; setsid sleep 1000 & echo $!; touch begun; wait";
const pids: number[] = [];
const pid = processes.start(["sh", "-c", tree], { onEnd: ({ output }) => pids.push(Number(text(output))) });
await thereIs("begun");
await processes.teardown();
const isLiving = (one: number): boolean =>
  existsSync(`/proc/${one}`) && !/^State:\tZ/m.test(readFileSync(`/proc/${one}/status`, "utf8"));
tell({ living: [pid, ...pids].filter(isLiving).length, seen: pids.length, files: readdirSync("files").length });
