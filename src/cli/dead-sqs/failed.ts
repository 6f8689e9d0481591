import { unavailable, type ReeveError } from "../../errors.ts";
import type { Failure } from "../../queue/sqs/outcome.ts";

/** A failure that nothing can go on after. */
export const failed = ({ message, hint }: Failure): ReeveError => unavailable(message, hint ?? undefined);
