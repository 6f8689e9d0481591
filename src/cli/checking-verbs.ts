import type { Verb } from "./verb.ts";
import { JOBS_OPTION, JSON_OPTION } from "./work-options.ts";

/** The verbs that look whether all is as it should be. */
export const CHECKING_VERBS: readonly Verb[] = [
  {
    name: "check-config",
    description: "check reeve.toml, and modules of jobs",
    options: [JOBS_OPTION, JSON_OPTION],
    examples: ["reeve check-config --config reeve.toml", "reeve check-config --jobs jobs.ts"],
    load: () => import("./check-config.ts"),
  },
  {
    name: "doctor",
    description: "say what is in force here, what is wrong, and what to do about it",
    options: [
      ["--prove", "start processes that are hard to kill, and see which are"],
      ["--queue <name>", "look at an SQS queue as well, by its URL or name; nothing is sent or deleted"],
      ["--endpoint <url>", "where that queue's server is"],
      JSON_OPTION,
    ],
    examples: ["reeve doctor", "reeve doctor --prove", "reeve doctor --queue main"],
    load: () => import("./doctor.ts"),
  },
];
