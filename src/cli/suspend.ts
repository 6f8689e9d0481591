import type { Run } from "./invocation.ts";
import { run as steer, type Request } from "./suspending.ts";

const SUSPENSION: Request = {
  what: "the suspension",
  goal: "SUSPENDED",
  ask: ({ store, clock, by }, { seq }) => store.suspension.ask(seq, clock.now(), by),
};

/** `reeve suspend`: has running jobs stand still, with all that they started, and waits until they do. */
export const run: Run = (invocation) => steer(invocation, SUSPENSION);
