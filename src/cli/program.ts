import { cac, type CAC } from "cac";
import { suggestion } from "../config/wording.ts";
import { EXIT, usageError } from "../errors.ts";
import { helpHint, optionForm, unambiguous, type OptionForm } from "./arguments.ts";
import { tidyHelp } from "./help.ts";
import { Options } from "./invocation.ts";
import type { Verb, VerbOption } from "./verb.ts";
import { GLOBAL_OPTIONS, VERBS } from "./verbs.ts";
import { versionLine } from "./version.ts";

const HELP: VerbOption = ["-h, --help", "show this"];
const VERSION: VerbOption = ["-V, --version", "show the version"];

/** From arguments to exit code. `watchReaders` is called before anything is written by the stream objects. */
export async function runProgram(argv: readonly string[], watchReaders: () => void): Promise<number> {
  const written = unambiguous(helpVerb(argv), formsOf);
  const program = makeProgram(watchReaders);
  program.parse(["reeve", "reeve", ...written], { run: false });
  if (program.options["version"] !== undefined) return showVersion(watchReaders);
  if (program.options["help"] !== undefined) return EXIT.done;
  if (program.matchedCommand === undefined) return showUsage(program);
  const code: number = await program.runMatchedCommand();
  return code;
}

/** `reeve help VERB` is `reeve VERB --help`. */
function helpVerb(argv: readonly string[]): readonly string[] {
  return argv[0] === "help" ? [...argv.slice(1, 2), "--help"] : argv;
}

function formsOf(name: string | undefined): OptionForm[] {
  const own = name === undefined ? [VERSION] : verbCalled(name).options;
  return [...GLOBAL_OPTIONS, HELP, ...own].map(([flags]) => optionForm(flags));
}

function verbCalled(name: string): Verb {
  const verb = VERBS.find((one) => one.name === name);
  if (verb) return verb;
  const names = VERBS.map((one) => one.name);
  throw usageError(`there is no verb ${name}${suggestion(name, names)}`, helpHint(undefined));
}

function makeProgram(watchReaders: () => void): CAC {
  const program = cac("reeve");
  // Else a switch that was not given could not be told from one that was.
  program.globalCommand.ignoreOptionDefaultValue();
  for (const [flags, description] of [...GLOBAL_OPTIONS, VERSION]) program.option(flags, description);
  program.help((sections) => tidyHelp(sections, program.matchedCommand?.description));
  for (const verb of VERBS) addVerb(program, verb, verb.ownStreams ? () => {} : watchReaders);
  return program;
}

function addVerb(program: CAC, verb: Verb, watchReaders: () => void): void {
  const command = program.command(verb.args ? `${verb.name} ${verb.args}` : verb.name, verb.description);
  if (verb.usage !== undefined) command.usage(verb.usage);
  for (const [flags, description] of verb.options) command.option(flags, description);
  for (const example of verb.examples) command.example(`  $ ${example}`);
  command.action(() => {
    watchReaders();
    return runVerb(verb, program);
  });
}

async function runVerb(verb: Verb, program: CAC): Promise<number> {
  const { run } = await verb.load();
  const command: readonly string[] = program.options["--"] ?? [];
  refuseCommand(verb, command);
  return run({ verb: verb.name, args: program.args, options: new Options(program.options), command });
}

function refuseCommand(verb: Verb, command: readonly string[]): void {
  if (command.length === 0 || verb.takesCommand) return;
  throw usageError(`\`reeve ${verb.name}\` takes no command after \`--\``, helpHint(verb.name));
}

function showVersion(watchReaders: () => void): number {
  watchReaders();
  process.stdout.write(`${versionLine()}\n`);
  return EXIT.done;
}

function showUsage(program: CAC): number {
  const verb = program.args[0];
  // Before the parser had its say the verb was looked up, so there is none.
  if (verb !== undefined) verbCalled(verb);
  program.outputHelp();
  return EXIT.usage;
}
