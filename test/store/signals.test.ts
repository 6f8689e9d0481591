import { describe, expect, test } from "bun:test";
import { constants } from "node:os";
import { describeEnding, detailOf } from "../../src/store/endings.ts";
import type { Ending } from "../../src/store/job.ts";
import { describeSignal, signalNumber } from "../../src/store/signals.ts";

const killed = (fields: Partial<Extract<Ending, { kind: "signalled" }>> = {}): Ending => ({
  kind: "signalled",
  signal: "SIGKILL",
  ...fields,
});

describe("a signal in words", () => {
  test("is its name, its number and what it says", () => {
    expect(describeSignal("SIGKILL")).toBe("SIGKILL (9), killed");
    expect(describeSignal("SIGSEGV")).toBe("SIGSEGV (11), segmentation fault");
  });

  test.skipIf(process.platform !== "linux")("is there for every one by which a process can die", () => {
    const harmless = ["SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH"];
    const second = ["SIGIOT", "SIGPOLL"];
    const deadly = Object.keys(constants.signals).filter((name) => ![...harmless, ...second].includes(name));
    for (const name of deadly) expect(describeSignal(name)).toMatch(/^SIG\w+ \(\d+\), [a-z]/);
  });

  test("is its number for a real-time one, and says when it is not known", () => {
    expect(describeSignal("SIG40")).toBe("SIG40 (40), real-time signal");
    expect(signalNumber("SIG40")).toBe(40);
    expect(describeSignal(null)).toContain("cannot name");
    expect(signalNumber("SIGNONE")).toBe(0);
  });
});

describe("a death by a signal", () => {
  test("says whose memory was used up, where that is known", () => {
    expect(describeEnding({ ending: killed(), cause: null })).toBe("killed by SIGKILL (9), killed");
    const limit = killed({ outOfMemory: "limit" });
    expect(describeEnding({ ending: limit, cause: "memory" })).toBe(
      "killed by SIGKILL (9), killed; out of memory (its own limit)",
    );
    const machine = killed({ outOfMemory: "machine" });
    expect(describeEnding({ ending: machine, cause: null })).toContain("; out of memory (the machine's)");
    expect([killed(), limit, machine].map(detailOf)).toEqual([
      null,
      "out of memory (its own limit)",
      "out of memory (the machine's)",
    ]);
  });
});
