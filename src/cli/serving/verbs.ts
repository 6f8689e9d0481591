import type { Verb } from "../verb.ts";
import { SERVE_OPTIONS } from "../work-options.ts";

/** The verbs of services over HTTP. */
export const SERVICE_VERBS: readonly Verb[] = [
  {
    name: "serve",
    description:
      "offer the definitions of reeve.toml as UWS 1.1 services over HTTP; --concurrency runs their jobs, too",
    options: SERVE_OPTIONS,
    examples: [
      "reeve serve --concurrency 2",
      "reeve serve --jobs jobs.ts --concurrency 2",
      "reeve serve --listen unix:/run/reeve.sock",
    ],
    load: () => import("../serve.ts"),
  },
  {
    name: "hash",
    description: "make the hash of a password on stdin, for the users in reeve.toml",
    options: [["--token", "make a token and print it; its hash is told on stderr"]],
    examples: ["systemd-ask-password | reeve hash", "reeve hash --token"],
    load: () => import("../hash.ts"),
  },
];
