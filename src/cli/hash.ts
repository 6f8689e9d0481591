import { EXIT, usageError } from "../errors.ts";
import { hashPassword, newToken } from "../service/secrets.ts";
import type { Invocation } from "./invocation.ts";
import { printLine, remark } from "./streams.ts";

const LONGEST = 1024;

/** `reeve hash`: what reeve.toml has in the place of a user's password, or of a token that is made here. */
export async function run({ options }: Invocation): Promise<number> {
  if (options.flag("token")) {
    const { token, hash } = newToken();
    remark(`for reeve.toml, under [users.NAME]: tokens = ["${hash}"]`);
    await printLine(token);
    return EXIT.done;
  }
  await printLine(await hashPassword(await readPassword()));
  return EXIT.done;
}

/** Never an argument, which everybody on the machine could see. */
async function readPassword(): Promise<string> {
  if (process.stdin.isTTY) {
    throw usageError("the password would be shown as it is typed", '`read -rs P; printf %s "$P" | reeve hash`');
  }
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  const password = Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
  if (password === "") throw usageError("no password is on stdin");
  if (password.length > LONGEST) throw usageError(`the password is longer than ${LONGEST} characters`);
  return password;
}
