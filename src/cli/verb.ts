import type { Run } from "./invocation.ts";

/** An option as help shows it, and what it does: `["-o, --output <file>", "write to a file"]`. */
export type VerbOption = readonly [flags: string, description: string];

/** One verb of the command line. Its file is loaded only when it is run. */
export interface Verb {
  readonly name: string;
  readonly description: string;
  /** What may stand beside the options: `<id>`, `[name]`, `<...ids>`. */
  readonly args?: string;
  readonly usage?: string;
  /** Whether a command may follow after `--`. */
  readonly takesCommand?: boolean;
  /** Its command is given our stdout and stderr, which the stream objects would change for whoever shares them. */
  readonly ownStreams?: boolean;
  readonly options: readonly VerbOption[];
  readonly examples: readonly string[];
  readonly load: () => Promise<{ readonly run: Run }>;
}
