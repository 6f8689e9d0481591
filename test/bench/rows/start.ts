import { milliseconds } from "../line.ts";
import { inTurn, median, medianRatio, timed } from "../statistics.ts";
import type { Row } from "../surroundings.ts";

/** What the shortest uses of the binary take, against a compiled hello world. */
export const start: Row = {
  name: "start",
  async *measure(at) {
    const hello = await at.compiled("hello");
    const { options } = at.newStore("full");
    const reeve = (...argv: string[]) => [at.reeve, ...argv, ...options];
    const commands = [
      { name: "--version", argv: [at.reeve, "--version"], atMost: 2 },
      { name: "list", argv: reeve("list"), atMost: 5 },
      { name: "submit", argv: [...reeve("submit"), "--", "true"], atMost: 5 },
    ];
    const programs = [[hello], ...commands.map(({ argv }) => argv)];
    // Once before, for the store and what the kernel keeps in memory.
    for (const argv of programs.toReversed()) await at.run(argv);
    const run = programs.map((argv) => () => timed(() => at.run(argv)));
    const [yardstick = [], ...times] = await inTurn(at.quick ? 15 : 40, run);
    for (const [index, { name, atMost }] of commands.entries()) {
      const ours = times[index] ?? [];
      yield {
        row: `start: ${name}`,
        ours: milliseconds(median(ours)),
        yardstick: milliseconds(median(yardstick)),
        value: medianRatio(ours, yardstick),
        goal: { atMost },
      };
    }
  },
};
