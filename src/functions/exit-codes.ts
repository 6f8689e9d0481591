/** How `Reject` ends a process: EX_DATAERR of sysexits.h. Definitions of functions have it in `reject`. */
export const REJECT_CODE = 65;

/** How `Release` does: EX_TEMPFAIL. */
export const RELEASE_CODE = 75;
