import type { Run } from "./invocation.ts";
import { run as steer, type Request } from "./suspending.ts";

const RESUMPTION: Request = {
  what: "the resumption",
  goal: "EXECUTING",
  ask: ({ store, clock, by }, { seq }) => store.suspension.lift(seq, clock.now(), by),
};

/** `reeve resume`: lets suspended jobs go on, and waits until they do. */
export const run: Run = (invocation) => steer(invocation, RESUMPTION);
