import type { Verb } from "../verb.ts";

export const TOP_VERB: Verb = {
  name: "top",
  description: "show workers, running jobs and the queue as they change; q ends it",
  options: [
    ["--once", "show it once, as where the output is no terminal"],
    ["--json", "JSON on stdout, once"],
  ],
  examples: ["reeve top", "reeve top --once", "reeve top --json"],
  load: () => import("../top.ts"),
};
