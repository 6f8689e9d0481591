declare const REEVE_VERSION: string;
declare const REEVE_COMMIT: string;

/** Set by the build; a start from source has neither. */
export const VERSION = typeof REEVE_VERSION === "string" ? REEVE_VERSION : "0.0.0-dev";
const COMMIT = typeof REEVE_COMMIT === "string" ? REEVE_COMMIT : "";

/** What `--version` prints. */
export const versionLine = (): string => `reeve ${VERSION}${COMMIT === "" ? "" : ` (${COMMIT})`}`;
