/** What definitions, queues and parameters can be called. */
export const NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;
export const NAME_SENTENCE = "must begin with a letter, and have only letters, digits, `_` and `-`";
