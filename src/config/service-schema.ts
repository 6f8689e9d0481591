import * as v from "valibot";
import { readNetwork } from "./networks.ts";
import { parseSize } from "./sizes.ts";
import { ANONYMOUS } from "./service-settings.ts";
import {
  count,
  duration,
  flag,
  named,
  optional,
  parsed,
  positiveDuration,
  present,
  table,
  text,
} from "./schema-parts.ts";

const USER = /^[\w.@+-]{1,100}$/;
const USER_SENTENCE = "must have only letters, digits and `_.@+-`";

/** As the PHC string format has it; what costs more than this would be a way to keep the service busy. */
const PASSWORD = /^\$scrypt\$ln=(?:1\d|20),r=\d,p=\d\$[A-Za-z0-9+/]{16,86}\$[A-Za-z0-9+/]{22,86}$/;
const TOKEN = /^\$sha256\$[A-Za-z0-9_-]{43}$/;
const HINT = "is not a hash as `reeve hash` makes them";

const size = parsed((given) => {
  if (typeof given === "string" || typeof given === "number") return parseSize(given);
  throw new Error('must be a size such as "64MB"');
});

const serviceTable = table({
  anonymous: optional(flag),
  proxies: optional(v.array(parsed(readNetwork), "must be a list of addresses")),
  jobs_per_owner: optional(count(1)),
  form_limit: optional(size),
  upload_limit: optional(size),
  values_limit: optional(count(1)),
  body_timeout: optional(positiveDuration),
  waiters: optional(count(0)),
  waiters_per_owner: optional(count(0)),
  destruction_limit: optional(v.pipe(duration, v.minValue(60_000, "must be at least a minute"))),
  execution_duration_limit: optional(v.pipe(duration, v.minValue(1000, "must be at least a second"))),
});

/** `[service]`. */
export const service = v.pipe(
  serviceTable,
  v.transform((given) => ({
    anonymous: given.anonymous ?? false,
    proxies: given.proxies ?? [],
    limits: present({
      jobsPerOwner: given.jobs_per_owner,
      formBytes: given.form_limit,
      uploadBytes: given.upload_limit,
      formFields: given.values_limit,
      bodyMs: given.body_timeout,
      waiters: given.waiters,
      waitersPerOwner: given.waiters_per_owner,
      latestDestructionMs: given.destruction_limit,
      executionSeconds: given.execution_duration_limit && Math.ceil(given.execution_duration_limit / 1000),
    }),
  })),
);

const userTable = table({
  password: optional(v.pipe(text(), v.regex(PASSWORD, HINT))),
  tokens: optional(v.array(v.pipe(text(), v.regex(TOKEN, HINT)), "must be a list of hashes")),
});

const user = v.pipe(
  userTable,
  v.check(
    ({ password, tokens = [] }) => password !== undefined || tokens.length > 0,
    "has neither a `password` nor `tokens`, so that nobody could be this user",
  ),
  v.transform(({ password = null, tokens = [] }) => ({ password, tokens })),
);

/** `[users.NAME]`. */
export const users = named(USER, USER_SENTENCE, user, [ANONYMOUS]);
