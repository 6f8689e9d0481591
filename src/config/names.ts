/** What definitions, queues and parameters can be called. */
export const NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;
export const NAME_SENTENCE = "must begin with a letter, and have only letters, digits, `_` and `-`";

/** What a form of UWS says of a job itself, in small letters: over HTTP no parameter can be called so, in any case. */
export const CONTROL_NAMES: ReadonlySet<string> = new Set([
  "phase",
  "action",
  "executionduration",
  "destruction",
  "runid",
]);
