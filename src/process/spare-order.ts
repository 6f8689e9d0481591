import type { Body } from "../config/message-body.ts";

/** Set for a process that waits for a job: the file in which it is to list what it has loaded, as soon as it has. */
export const SPARE_VARIABLE = "REEVE_SPARE";

/** What a process that waits is told on its standard input, of which a job's body is the rest. */
export interface SpareOrder {
  /** The whole environment of the job. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Bytes in which the length of the order is told. */
export const ORDER_HEAD = 4;

export function orderBytes(order: SpareOrder, body: Body): Uint8Array {
  const text = Buffer.from(JSON.stringify(order));
  const head = Buffer.alloc(ORDER_HEAD);
  head.writeUInt32BE(text.length);
  return Buffer.concat([head, text, body?.kind === "inline" ? body.bytes : new Uint8Array()]);
}
