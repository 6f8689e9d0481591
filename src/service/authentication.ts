import { createHmac, randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import { ANONYMOUS, type ServiceSettings, type User } from "../config/service-settings.ts";
import type { Peer } from "../runtime/port.ts";
import type { Caller } from "./ports.ts";
import { busy, Refusal, tooMany } from "./refusal.ts";
import { Failures } from "./failures.ts";
import { hashPassword, hashToken, isPassword } from "./secrets.ts";

/** What a service knows of those who may use it. */
export interface Access extends Pick<ServiceSettings, "anonymous"> {
  readonly users: ReadonlyMap<string, User>;
}

/** Each takes memory and a processor, and strangers can ask for them. */
const CHECKS_AT_ONCE = 8;
const MOST_REMEMBERED = 1000;

interface Credentials {
  readonly name: string;
  readonly secret: string;
}

/** Who asks, by what they show of themselves. */
export class Authentication {
  readonly #access: Access;
  readonly #failures: Failures;
  readonly #owners: ReadonlyMap<string, string>;
  /** Passwords that were right, or are being looked at, under a key of this process: each is worked out once. */
  readonly #known = new Map<string, Promise<boolean>>();
  readonly #key = randomBytes(32);
  /** Takes as long for a user that there is not as for one that there is. */
  #decoy: Promise<string> | null = null;
  #checks = 0;

  constructor(access: Access, clock: Pick<Clock, "monotonic">) {
    this.#access = access;
    this.#failures = new Failures(clock);
    this.#owners = new Map([...access.users].flatMap(([name, { tokens }]) => tokens.map((hash) => [hash, name])));
  }

  /**
   * The user whose credentials are right. Without credentials: the local user, where nobody is configured or by the unix
   * socket, which is for that user only; else nobody in particular, if that is allowed.
   *
   * @param isOpen what is asked for is for whoever does not say who they are, too
   * @throws Refusal (401) for whom is not known, (429) after too many wrong passwords
   */
  async callerOf({ headers }: Request, peer: Peer, isOpen = false): Promise<Caller> {
    const { users, anonymous } = this.#access;
    const from = peer.address === null ? "the socket" : peer.address;
    const shown = users.size > 0 ? headers.get("authorization") : null;
    if (shown !== null) {
      const owner = await this.#userOf(shown, from);
      return { owner, by: `${owner} at ${from}` };
    }
    if (peer.address === null || (users.size === 0 && !anonymous)) return { owner: null, by: `a client at ${from}` };
    if (anonymous || isOpen) return { owner: ANONYMOUS, by: `somebody at ${from}` };
    throw unknown();
  }

  async #userOf(header: string, from: string): Promise<string> {
    const [, scheme = "", shown = ""] = /^(\w+) +([\w~+/.-]+=*) *$/.exec(header) ?? [];
    if (scheme.toLowerCase() === "bearer") return this.#ownerOf(shown) ?? refuse();
    const given = scheme.toLowerCase() === "basic" ? readBasic(shown) : null;
    if (!given) throw unknown();
    // Clients that know nothing but basic authentication have tokens, too.
    if (this.#ownerOf(given.secret) === given.name) return given.name;
    return (await this.#isRight(given, from)) ? given.name : refuse();
  }

  readonly #ownerOf = (token: string): string | undefined => this.#owners.get(hashToken(token));

  #isRight(given: Credentials, from: string): Promise<boolean> {
    const key = createHmac("sha256", this.#key).update(`${given.name}\0${given.secret}`).digest("base64");
    const known = this.#known.get(key);
    if (known) return known;
    const who = `${given.name}\0${from}`;
    const wait = this.#failures.secondsToWait(who);
    if (wait > 0) throw tooMany("Too many passwords were wrong.", wait);
    const checked = this.#check(given);
    if (this.#known.size >= MOST_REMEMBERED) this.#known.clear();
    this.#known.set(key, checked);
    return this.#rememberIfRight(checked, key, who);
  }

  /** What was wrong is not kept: it would push out what was right. */
  async #rememberIfRight(checked: Promise<boolean>, key: string, who: string): Promise<boolean> {
    const isRight = await checked.catch((error: unknown) => {
      this.#known.delete(key);
      throw error;
    });
    if (isRight) return true;
    this.#known.delete(key);
    this.#failures.add(who);
    return false;
  }

  async #check({ name, secret }: Credentials): Promise<boolean> {
    if (this.#checks >= CHECKS_AT_ONCE) throw busy("Too many passwords are being looked at.");
    this.#checks += 1;
    try {
      const hash = this.#access.users.get(name)?.password ?? null;
      const isSame = await isPassword(secret, hash ?? (await (this.#decoy ??= hashPassword(""))));
      return hash !== null && isSame;
    } finally {
      this.#checks -= 1;
    }
  }
}

function refuse(): never {
  throw unknown();
}

const unknown = (): Refusal =>
  new Refusal(401, "This service is for its users.", {
    "WWW-Authenticate": 'Basic realm="reeve", charset="UTF-8", Bearer realm="reeve"',
  });

/** RFC 7617: a name without a colon, then the password, which may have one. */
function readBasic(shown: string): Credentials | null {
  const text = Buffer.from(shown, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? null : { name: text.slice(0, colon), secret: text.slice(colon + 1) };
}
