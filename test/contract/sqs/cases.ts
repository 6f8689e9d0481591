import type { SqsCase } from "./bench.ts";
import { BURYING } from "./burying.ts";
import { CREDENTIALS } from "./credentials.ts";
import { FACTS } from "./facts.ts";
import { PAYLOADS } from "./payloads.ts";
import { RECEIVING } from "./receiving.ts";
import { SENDING } from "./sending.ts";
import { SETTLING } from "./settling.ts";

/** What the SQS transport promises, on every runtime. */
export const SQS_CASES: readonly SqsCase[] = [
  ...FACTS,
  ...CREDENTIALS,
  ...RECEIVING,
  ...SETTLING,
  ...SENDING,
  ...BURYING,
  ...PAYLOADS,
];
