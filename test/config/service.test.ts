import { expect, test } from "bun:test";
import { loadConfiguration } from "../../src/config/configuration.ts";
import type { Configuration } from "../../src/config/definition.ts";
import { errorOf, temporaryDirectory } from "./helpers.ts";

async function load(toml: string): Promise<Configuration> {
  using directory = temporaryDirectory();
  directory.write("reeve.toml", toml);
  return await loadConfiguration({ flag: undefined, environment: {}, cwd: directory.path });
}

const PASSWORD = `$scrypt$ln=15,r=8,p=1$${"s".repeat(22)}$${"h".repeat(43)}`;
const TOKEN = `$sha256$${"t".repeat(43)}`;

test.each([
  ["[users.ada]", "users.ada has neither a `password` nor `tokens`"],
  ["[users.ada]\ntokens = []", "users.ada has neither a `password` nor `tokens`"],
  ['[users.ada]\npassword = "open sesame"', "users.ada.password is not a hash as `reeve hash` makes them"],
  [`[users.ada]\npassword = "${TOKEN}"`, "users.ada.password is not a hash"],
  [`[users.ada]\npassword = "${PASSWORD.replace("15", "31")}"`, "users.ada.password is not a hash"],
  ['[users.ada]\ntokens = ["reeve_x"]', "users.ada.tokens.0 is not a hash"],
  [`[users.ada]\ntokens = "${TOKEN}"`, "users.ada.tokens must be a list of hashes"],
  [`[users."a:b"]\ntokens = ["${TOKEN}"]`, "must have only letters, digits"],
  [`[users.Anonymous]\ntokens = ["${TOKEN}"]`, "is a name that Reeve itself needs"],
  ["[service]\nwaiter = 1", "did you mean `waiters`?"],
  ["[service]\nupload_limit = true", 'service.upload_limit must be a size such as "64MB"'],
  ["[service]\njobs_per_owner = 0", "service.jobs_per_owner must be at least 1"],
  ['[service]\ndestruction_limit = "59s"', "service.destruction_limit must be at least a minute"],
  ["[service]\nexecution_duration_limit = 0", "service.execution_duration_limit must be at least a second"],
  ['[service]\nproxies = "10.0.0.1"', "service.proxies must be a list of addresses"],
  ['[service]\nproxies = ["10.0.0.1", "10.0.0.0/33"]', "service.proxies.1 must be an address or a network"],
  ['[service]\nproxies = ["proxy.example"]', "service.proxies.0 must be an address or a network"],
  ["[service]\nbody_timeout = 0", "service.body_timeout must be longer than 0"],
])("%s: %s", async (toml, sentence) => {
  const { message } = await errorOf(() => load(toml));
  expect(message).toContain(sentence);
  expect(message).not.toContain("sesame");
});

test("users and the service's settings are read", async () => {
  const toml = `[users."ada@example.org"]\npassword = "${PASSWORD}"\n[users.bob]\ntokens = ["${TOKEN}"]
[service]\nanonymous = true\nupload_limit = "5GiB"\nbody_timeout = "2m"
destruction_limit = "30d"\nexecution_duration_limit = "1h30m"\nproxies = ["fd00::/8"]`;
  const { users, service } = await load(toml);
  expect([...users]).toEqual([
    ["ada@example.org", { password: PASSWORD, tokens: [] }],
    ["bob", { password: null, tokens: [TOKEN] }],
  ]);
  expect(service).toEqual({
    anonymous: true,
    proxies: [{ address: "fd00::", family: "ipv6", prefix: 8 }],
    limits: {
      uploadBytes: 5 * 1024 ** 3,
      bodyMs: 120_000,
      latestDestructionMs: 30 * 86_400_000,
      executionSeconds: 5400,
    },
  });
});
