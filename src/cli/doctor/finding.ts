import { messageOf, ReeveError } from "../../errors.ts";

/** What one look found. */
export interface Finding {
  readonly name: string;
  /** `note`: it works, but somebody may want to know. */
  readonly verdict: "ok" | "note" | "wrong";
  /** A sentence, without a full stop. */
  readonly what: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** One look at this machine or this store. */
export interface Check {
  readonly name: string;
  look(): Looked | Promise<Looked>;
}

export type Looked = Omit<Finding, "name">;

export const ok = (what: string): Looked => ({ verdict: "ok", what });
export const note = (what: string, hint?: string): Looked => ({ verdict: "note", what, ...(hint && { hint }) });
export const wrong = (what: string, hint?: string): Looked => ({ verdict: "wrong", what, ...(hint && { hint }) });

/** What a check throws is what is wrong. */
export async function findingOf({ name, look }: Check): Promise<Finding> {
  try {
    return { name, ...(await look()) };
  } catch (error) {
    if (error instanceof ReeveError) return { name, ...wrong(error.message, error.hint) };
    return { name, ...wrong(`it could not be looked at: ${messageOf(error)}`) };
  }
}
