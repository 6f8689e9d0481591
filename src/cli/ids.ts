const SHOWN = 10;

/** As much of an id as a table shows. */
export const shortId = (id: string): string => id.slice(0, SHOWN);
