import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import type { ConnectionSettings } from "../../../src/queue/sqs/connection.ts";
import { FaultProxy, sqsAnswer, sqsError, type Fate, type HttpAnswer, type Seen } from "../../support/fault-proxy.ts";
import { connectFor, setEnvironment, type Environment } from "../../support/sqs-server.ts";
import { temporaryDirectory, type TemporaryDirectory } from "../../support/temporary.ts";
import { endOf, type SqsCase } from "./bench.ts";

/** Where a case looks for credentials, and what it finds there. */
interface Place {
  readonly stub: FaultProxy;
  readonly home: TemporaryDirectory;
}

const NAMES = `AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE AWS_REGION AWS_DEFAULT_REGION
  AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_EC2_METADATA_DISABLED
  AWS_EC2_METADATA_SERVICE_ENDPOINT AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN AWS_ENDPOINT_URL_STS AWS_ENDPOINT_URL_SSO
  AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE HOME`;
const UNSET: Environment = Object.fromEntries(NAMES.split(/\s+/).map((name) => [name, undefined]));

const QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs";

/** A case in an environment of its own, in which all of Amazon is one stub. */
function place(name: string, run: (place: Place) => Promise<void>): SqsCase {
  return {
    name,
    async run() {
      using home = temporaryDirectory();
      mkdirSync(home.of(".aws/sso/cache"), { recursive: true });
      const files = {
        AWS_CONFIG_FILE: home.of(".aws/config"),
        AWS_SHARED_CREDENTIALS_FILE: home.of(".aws/credentials"),
      };
      await using stub = await FaultProxy.start();
      const before = setEnvironment({ ...UNSET, ...files, HOME: home.path, AWS_EC2_METADATA_DISABLED: "true" });
      try {
        await run({ stub, home });
      } finally {
        setEnvironment(before);
      }
    },
  };
}

const json = (value: unknown): HttpAnswer => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});

const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();

/** SQS answers that nothing is there; what else is asked for is looked up by its path. */
const answering =
  (others: Readonly<Record<string, HttpAnswer>>) =>
  ({ action, path }: Seen): Fate =>
    action === "" ? (others[path] ?? { status: 404, body: "" }) : sqsAnswer({});

const STS = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>FOUND</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
  <SessionToken>session</SessionToken><Expiration>${inAnHour()}</Expiration></Credentials>
  </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;

const METADATA = "/latest/meta-data/iam/security-credentials/";
const PROCESS = `echo '{"Version":1,"AccessKeyId":"FOUND","SecretAccessKey":"s"}'`;
const FOUND = { AccessKeyId: "FOUND", SecretAccessKey: "s", Token: "session", Expiration: inAnHour() };

/** Prepares the place, and gives what is to be in the environment. */
type Source = (place: Place) => Environment;

const SOURCES: Readonly<Record<string, Source>> = {
  "the environment": () => ({ AWS_ACCESS_KEY_ID: "FOUND", AWS_SECRET_ACCESS_KEY: "s", AWS_SESSION_TOKEN: "session" }),
  "a profile": ({ home }) => {
    home.write(".aws/credentials", "[default]\n[mine]\naws_access_key_id = FOUND\naws_secret_access_key = s\n");
    return { AWS_PROFILE: "mine" };
  },
  "a program": ({ home }) => {
    home.write(
      ".aws/config",
      `[default]\ncredential_process = ${home.write("found", `#!/bin/sh\n${PROCESS}\n`, 0o755)}\n`,
    );
    return {};
  },
  "the container": ({ stub }) => {
    stub.decide = answering({ "/container": json(FOUND) });
    return { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${stub.origin}/container`, AWS_CONTAINER_AUTHORIZATION_TOKEN: "t" };
  },
  "the machine's role": ({ stub }) => {
    const role = json({ ...FOUND, Code: "Success", Type: "AWS-HMAC" });
    const token = { status: 200, headers: { "x-aws-ec2-metadata-token-ttl-seconds": "60" }, body: "t" };
    stub.decide = answering({
      "/latest/api/token": token,
      [METADATA]: { status: 200, body: "role" },
      [`${METADATA}role`]: role,
    });
    return { AWS_EC2_METADATA_DISABLED: undefined, AWS_EC2_METADATA_SERVICE_ENDPOINT: stub.origin };
  },
  "a web identity": ({ stub, home }) => {
    stub.decide = answering({ "/": { status: 200, headers: { "content-type": "text/xml" }, body: STS } });
    const role = {
      AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/r",
      AWS_WEB_IDENTITY_TOKEN_FILE: home.write("token", "t"),
    };
    return { ...role, AWS_ENDPOINT_URL_STS: stub.origin };
  },
  "single sign-on": ({ stub, home }) => {
    const session = "[sso-session s]\nsso_start_url = https://example.com\nsso_region = eu-west-1\n";
    const profile = "[default]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = the-role\n";
    home.write(".aws/config", session + profile);
    const cached = createHash("sha1").update("s").digest("hex");
    home.write(`.aws/sso/cache/${cached}.json`, JSON.stringify({ accessToken: "t", expiresAt: inAnHour() }));
    const roleCredentials = {
      accessKeyId: "FOUND",
      secretAccessKey: "s",
      sessionToken: "t",
      expiration: Date.now() + 1e6,
    };
    stub.decide = ({ action, path }) =>
      path.startsWith("/federation/credentials?") && path.includes("role_name=the-role")
        ? json({ roleCredentials })
        : answering({})({ action, path } as Seen);
    return { AWS_ENDPOINT_URL_SSO: stub.origin };
  },
};

interface Signature {
  readonly key: string;
  readonly region: string;
}

/** By whom, and for which region, a request was signed. */
function signatureOf({ headers }: Seen): Signature {
  const [, key = "", region = ""] =
    /Credential=([^/]+)\/\d+\/([^/]+)\/sqs\//.exec(headers.get("authorization") ?? "") ?? [];
  return { key, region };
}

/** What came to the stub that is meant for SQS. */
const sqsRequests = (stub: FaultProxy): Seen[] => stub.seen.filter(({ action }) => action !== "");

const KEYS = { AWS_ACCESS_KEY_ID: "FOUND", AWS_SECRET_ACCESS_KEY: "s" } as const;

async function signed(stub: FaultProxy, settings: Partial<ConnectionSettings>): Promise<Signature> {
  stub.decide = () => sqsAnswer({});
  const connection = await connectFor({ url: `${stub.origin}/queue/jobs`, environment: process.env, ...settings });
  assert.deepEqual(await connection.receive(1, 0), { kind: "ok", value: [] });
  const last = sqsRequests(stub).at(-1);
  assert.ok(last, "it came to the stub");
  assert.equal(last.body["QueueUrl"], settings.url ?? `${stub.origin}/queue/jobs`);
  return signatureOf(last);
}

export const CREDENTIALS: readonly SqsCase[] = [
  ...Object.entries(SOURCES).map(([source, prepare]) =>
    place(`credentials are taken from ${source}`, async (where) => {
      where.stub.decide = answering({});
      setEnvironment(prepare(where));
      const connection = await connectFor({ url: QUEUE, endpoint: where.stub.origin });
      assert.deepEqual(await connection.receive(1, 0), { kind: "ok", value: [] });
      assert.deepEqual(sqsRequests(where.stub).map(signatureOf), [{ key: "FOUND", region: "eu-west-1" }]);
    }),
  ),
  place("no credentials anywhere are fatal, and told", async ({ stub }) => {
    const outcome = await (await connectFor({ url: QUEUE, endpoint: stub.origin })).receive(1, 0);
    assert.equal(endOf(outcome), "fatal: CredentialsProviderError");
    assert.match("hint" in outcome ? (outcome.hint ?? "") : "", /AWS_PROFILE/);
    assert.deepEqual(stub.seen, []);
  }),
  place("a program that never tells the credentials does not hold a call beyond its limit", async ({ stub, home }) => {
    home.write(
      ".aws/config",
      `[default]\ncredential_process = ${home.write("slow", "#!/bin/sh\nexec sleep 2\n", 0o755)}\n`,
    );
    const connection = await connectFor({ url: QUEUE, endpoint: stub.origin, callLimitMs: 300 });
    assert.equal(endOf(await connection.facts()), "transient: TimeLimit");
  }),
  place("keys that are replaced while we run are found", async ({ stub, home }) => {
    const write = (key: string): string =>
      home.write(".aws/credentials", `[default]\naws_access_key_id = ${key}\naws_secret_access_key = s\n`);
    write("OLD");
    const expired = sqsError("ExpiredToken", "The security token included in the request is expired", { status: 403 });
    stub.decide = (request) => (signatureOf(request).key === "OLD" ? expired : sqsAnswer({}));
    const connection = await connectFor({ url: QUEUE, endpoint: stub.origin });
    for (const end of ["fatal: ExpiredToken", "fatal: ExpiredToken"])
      assert.equal(endOf(await connection.receive(1, 0)), end);
    write("NEW");
    assert.equal(endOf(await connection.receive(1, 0)), "ok");
    assert.deepEqual(
      stub.seen.map((request) => signatureOf(request).key),
      ["OLD", "OLD", "NEW"],
    );
  }),
  place("the region is the URL's, else the environment's, else the profile's, else any", async ({ stub, home }) => {
    setEnvironment(KEYS);
    const regionFor = async (settings: Partial<ConnectionSettings> = {}): Promise<string> =>
      (await signed(stub, { endpoint: stub.origin, ...settings })).region;
    assert.equal(await regionFor(), "us-east-1");
    // The SDK reads each file once.
    setEnvironment({ AWS_CONFIG_FILE: home.write("with-region", "[default]\nregion = eu-north-1\n") });
    assert.equal(await regionFor(), "eu-north-1");
    setEnvironment({ AWS_DEFAULT_REGION: "eu-south-1" });
    assert.equal(await regionFor(), "eu-south-1");
    setEnvironment({ AWS_REGION: "eu-central-1" });
    assert.equal(await regionFor(), "eu-central-1");
    assert.equal(await regionFor({ url: QUEUE }), "eu-west-1");
    assert.equal(await regionFor({ url: QUEUE, region: "eu-west-3" }), "eu-west-3");
  }),
  place(
    "requests go where they are told to: the option, AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL, the URL's host",
    async (where) => {
      const { stub, home } = where;
      setEnvironment(KEYS);
      const nowhere = "http://127.0.0.1:9";
      await signed(stub, {});
      for (const url of [QUEUE, `${nowhere}/queue/jobs`]) {
        await signed(stub, { url, endpoint: stub.origin, environment: { AWS_ENDPOINT_URL_SQS: nowhere } });
        await signed(stub, { url, environment: { AWS_ENDPOINT_URL_SQS: stub.origin, AWS_ENDPOINT_URL: nowhere } });
        await signed(stub, { url, environment: { AWS_ENDPOINT_URL: `${stub.origin}/` } });
      }
      const ignoring = { AWS_ENDPOINT_URL: nowhere, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" };
      await signed(stub, { environment: ignoring });
      home.write("profile", `[default]\nservices = mine\n[services mine]\nsqs =\n  endpoint_url = ${stub.origin}\n`);
      setEnvironment({ AWS_CONFIG_FILE: home.of("profile") });
      await signed(stub, { url: QUEUE, environment: {} });
    },
  ),
];
