import { createHash, randomBytes, scrypt, timingSafeEqual } from "node:crypto";

/** About 32 MiB and 100 ms for each look, as OWASP advises for passwords that people choose. */
const LOG_COST = 15;
const BLOCK = 8;
const PARALLEL = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
const TOKEN_BYTES = 32;

const PHC = /^\$scrypt\$ln=(?<cost>\d+),r=(?<block>\d+),p=(?<parallel>\d+)\$(?<salt>[^$]+)\$(?<hash>[^$]+)$/;

interface Cost {
  readonly logCost: number;
  readonly block: number;
  readonly parallel: number;
}

/** The hash of a password that somebody chose, with salt and cost in it, in the PHC string format. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, HASH_BYTES, { logCost: LOG_COST, block: BLOCK, parallel: PARALLEL });
  return `$scrypt$ln=${LOG_COST},r=${BLOCK},p=${PARALLEL}$${plain(salt)}$${plain(hash)}`;
}

/** Whether it is the password of a hash as {@link hashPassword} makes them. */
export async function isPassword(password: string, known: string): Promise<boolean> {
  const { cost, block, parallel, salt = "", hash = "" } = PHC.exec(known)?.groups ?? {};
  const wanted = Buffer.from(hash, "base64");
  if (wanted.length === 0) return false;
  const paid = { logCost: Number(cost), block: Number(block), parallel: Number(parallel) };
  return timingSafeEqual(await derive(password, Buffer.from(salt, "base64"), wanted.length, paid), wanted);
}

/** A token that nobody can guess, and how the configuration names it. */
export function newToken(): { readonly token: string; readonly hash: string } {
  const token = `reeve_${randomBytes(TOKEN_BYTES).toString("base64url")}`;
  return { token, hash: hashToken(token) };
}

/** Without salt or cost: there are 256 bits to guess, and whose it is can be looked up. */
export const hashToken = (token: string): string => `$sha256$${createHash("sha256").update(token).digest("base64url")}`;

function derive(password: string, salt: Buffer, length: number, { logCost, block, parallel }: Cost): Promise<Buffer> {
  const cost = 2 ** logCost;
  const options = { N: cost, r: block, p: parallel, maxmem: 256 * cost * block + 2 ** 20 };
  return new Promise((resolve, reject) => {
    // What looks the same is to be the same, however it was typed.
    scrypt(password.normalize("NFC"), salt, length, options, (error, hash) => (error ? reject(error) : resolve(hash)));
  });
}

/** Base64 without padding, as the format has it. */
const plain = (bytes: Buffer): string => bytes.toString("base64").replaceAll("=", "");
