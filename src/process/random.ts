/** So many bytes at random, in hexadecimal. `node:crypto` would take three milliseconds to load. */
export const randomHex = (bytes: number): string =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex");
