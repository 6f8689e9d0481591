import assert from "node:assert/strict";
import { lstatSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import type { ConnectionSettings, SqsConnection } from "../../../src/queue/sqs/connection.ts";
import type { Pointer } from "../../../src/queue/sqs/pointer.ts";
import { eventually } from "../../support/eventually.ts";
import type { Fate, HttpAnswer } from "../../support/fault-proxy.ts";
import { S3Server, s3Error } from "../../support/s3-server.ts";
import { connectFor, ENVIRONMENT, setEnvironment } from "../../support/sqs-server.ts";
import { temporaryDirectory, type TemporaryDirectory } from "../../support/temporary.ts";
import { endOf, type SqsCase } from "./bench.ts";

interface Place {
  readonly s3: S3Server;
  readonly directory: TemporaryDirectory;
  readonly connect: (settings?: Partial<ConnectionSettings>) => Promise<SqsConnection>;
}

const QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/jobs";
const LIMIT_MS = 5000;

const to = (key: string, bucket = "bodies"): Pointer => ({ bucket, key, size: null });

function place(name: string, run: (place: Place) => Promise<void>): SqsCase {
  return {
    name,
    async run() {
      using directory = temporaryDirectory();
      await using s3 = await S3Server.start();
      const environment = { AWS_ENDPOINT_URL_S3: s3.origin };
      const before = setEnvironment(ENVIRONMENT);
      try {
        await run({ s3, directory, connect: (settings) => connectFor({ url: QUEUE, environment, ...settings }) });
      } finally {
        setEnvironment(before);
      }
    },
  };
}

/** Larger than what comes in one piece. */
const BODY = "0123456789abcdef".repeat(100_000);

const instead =
  (answer: HttpAnswer): (() => Fate) =>
  () =>
    answer;

const breaking =
  (breaks: NonNullable<HttpAnswer["breaks"]>) =>
  (answer: HttpAnswer): Fate => ({ ...answer, breaks });

const sentTo = (region: string): (() => Fate) =>
  instead(s3Error(301, "PermanentRedirect", "Elsewhere.", { "x-amz-bucket-region": region }));

const KEYS = [
  "plain",
  "in/a folder/with spaces",
  "1+1=2&a?b#c",
  "50%25 & %2e%2e/%2F",
  "größe/日本/🎉",
  "(it's) *not* !easy~",
  "/first//twice/",
  "back\\slash\ttab",
  ".../..a/.b",
];

/** What never is well, by what is answered, or by the pointer. */
const FAILURES: readonly (readonly [string, Pointer, (() => Fate) | null])[] = [
  ["refused: NoSuchKey", to("nothing"), null],
  ["fatal: NoSuchBucket", to("a", "nowhere"), null],
  ["fatal: AccessDenied", to("a"), instead(s3Error(403, "AccessDenied", "Access Denied"))],
  ["fatal: InvalidAccessKeyId", to("a"), instead(s3Error(403, "InvalidAccessKeyId", "It does not exist."))],
  ["refused: InvalidObjectState", to("a"), instead(s3Error(403, "InvalidObjectState", "It is archived."))],
  ["fatal: AuthorizationHeaderMalformed", to("a"), instead(s3Error(400, "AuthorizationHeaderMalformed", "wrong"))],
];

/** What may pass. */
const FAULTS: Readonly<Record<string, (answer: HttpAnswer) => Fate>> = {
  "a server that is busy": instead(s3Error(503, "SlowDown", "Please reduce your request rate.")),
  "an error of the server's": instead(s3Error(500, "InternalError", "We encountered an internal error.")),
  "an answer of something else": instead({ status: 502, body: "<html>Bad gateway</html>" }),
  "an error without end": instead({ status: 500, body: "", breaks: "endless" }),
  "a clock that differs": instead(s3Error(403, "RequestTimeTooSkewed", "The difference is too large.")),
  "a connection that is closed": () => "close",
  "a reset before the answer": () => "reset",
  "a reset in the middle of the body": breaking("reset"),
  "a body that ends in its middle": breaking("cut"),
};

export const PAYLOADS: readonly SqsCase[] = [
  place("a body in S3 comes to a file that only its owner can read", async ({ s3, directory, connect }) => {
    s3.put("bodies/a", BODY);
    const { payloads } = await connect();
    const file = directory.of("body");
    assert.deepEqual(await payloads.fetch(to("a"), file, LIMIT_MS), { kind: "ok", value: { bytes: BODY.length } });
    assert.equal(readFileSync(file, "utf8"), BODY);
    assert.equal(lstatSync(file).mode & 0o7777, 0o600);
    s3.put("bodies/empty", "");
    assert.deepEqual(await payloads.fetch(to("empty"), directory.of("b"), LIMIT_MS), {
      kind: "ok",
      value: { bytes: 0 },
    });
    assert.equal(lstatSync(directory.of("b")).size, 0);
  }),
  place("keys of every kind are asked for as they are, and deleted", async ({ s3, directory, connect }) => {
    const { payloads } = await connect();
    for (const [index, key] of KEYS.entries()) {
      s3.put(`bodies/${key}`, key);
      const answer = await payloads.fetch(to(key), directory.of(`${index}`), LIMIT_MS);
      assert.equal(endOf(answer), "ok", JSON.stringify(answer));
      assert.equal(readFileSync(directory.of(`${index}`), "utf8"), key);
      assert.deepEqual(await payloads.remove(to(key), LIMIT_MS), { kind: "ok" });
      assert.equal(s3.objects.size, 0, `${key} is gone`);
    }
  }),
  place("a key that a URL would change is refused, and not asked for", async ({ s3, directory, connect }) => {
    const { payloads } = await connect();
    for (const key of ["../other/a", "a/../b", "a/..", "./a", "a/./b", "", "\ud800"]) {
      assert.equal(endOf(await payloads.fetch(to(key), directory.of("a"), LIMIT_MS)), "refused: InvalidPointer");
      assert.equal(endOf(await payloads.remove(to(key), LIMIT_MS)), "refused: InvalidPointer");
    }
    assert.deepEqual(s3.asked, []);
  }),
  place("what cannot be had is told apart, said, and leaves no file", async ({ s3, directory, connect }) => {
    s3.put("bodies/a", BODY);
    const { payloads } = await connect();
    for (const [end, pointer, fate] of FAILURES) {
      if (fate) s3.fates.push(fate);
      const answer = await payloads.fetch(pointer, directory.of("body"), LIMIT_MS);
      assert.equal(endOf(answer), end);
      assert.match(
        "message" in answer ? answer.message : "",
        /^GetObject on s3:\/\/(?:bodies|nowhere): .*request-1\)$/,
      );
      assert.deepEqual(readdirSync(directory.path), []);
    }
    assert.equal(s3.asked.length, FAILURES.length, "none is tried again");
  }),
  place("what may pass is tried again, and the body is whole", async ({ s3, directory, connect }) => {
    s3.put("bodies/a", BODY);
    const { payloads } = await connect();
    for (const [fault, fate] of Object.entries(FAULTS)) {
      s3.fates.push(fate);
      const file = directory.of(fault);
      const answer = await payloads.fetch(to("a"), file, LIMIT_MS);
      assert.deepEqual(answer, { kind: "ok", value: { bytes: BODY.length } }, fault);
      assert.equal(readFileSync(file, "utf8"), BODY);
    }
    assert.equal(s3.asked.length, 2 * Object.keys(FAULTS).length);
  }),
  place("what takes longer than it may is given up, and leaves no file", async ({ s3, directory, connect }) => {
    s3.put("bodies/a", BODY);
    const connection = await connect();
    for (const fate of [() => "hang" as const, breaking("stall"), breaking("endless")]) {
      s3.fates.push(fate);
      const begun = performance.now();
      const answer = await connection.payloads.fetch(to("a"), directory.of("body"), 200);
      assert.equal(endOf(answer), "transient: TimeLimit");
      assert.ok(performance.now() - begun < 2000);
      assert.deepEqual(readdirSync(directory.path), []);
    }
    assert.equal(connection.health.worst?.queue, "s3://bodies");
  }),
  place("a body that is too large is refused, be its length told or not", async ({ s3, directory, connect }) => {
    s3.put("bodies/a", BODY);
    const { payloads } = await connect({ maxPayloadBytes: BODY.length - 1 });
    s3.fates.push((answer) => answer, breaking("endless"));
    for (const told of [true, false]) {
      const answer = await payloads.fetch(to("a"), directory.of("body"), LIMIT_MS);
      assert.equal(endOf(answer), "refused: EntityTooLarge", `${told}`);
      assert.deepEqual(readdirSync(directory.path), []);
    }
    s3.put("bodies/a", BODY.slice(1));
    assert.equal(endOf(await payloads.fetch(to("a"), directory.of("body"), LIMIT_MS)), "ok");
  }),
  place("a body for which the disk has no room is not begun", async ({ s3, directory, connect }) => {
    s3.put("bodies/a", BODY);
    const claims = 10 ** 14;
    s3.fates.push(...Array.from({ length: 50 }, () => (answer: HttpAnswer) => ({ ...answer, claims })));
    const { payloads } = await connect({ maxPayloadBytes: claims });
    const answer = await payloads.fetch(to("a"), directory.of("body"), 1000);
    assert.equal(endOf(answer), "transient: Error");
    assert.match("message" in answer ? answer.message : "", /it has 10{14} bytes, and the disk has room for \d+/);
    assert.deepEqual(readdirSync(directory.path), []);
  }),
  place("a file that is there already is neither written nor followed", async ({ s3, directory, connect }) => {
    s3.put("bodies/a", BODY);
    const { payloads } = await connect();
    const other = directory.write("other", "other");
    symlinkSync(directory.of("nothing"), directory.of("link"));
    for (const file of [other, directory.of("link"), directory.of("no/such/directory")]) {
      const answer = await payloads.fetch(to("a"), file, 1500);
      assert.match("message" in answer ? answer.message : "", /EEXIST|ENOENT/);
    }
    assert.equal(readFileSync(other, "utf8"), "other");
    assert.deepEqual(readdirSync(directory.path).toSorted(), ["link", "other"]);
  }),
  place("a bucket in another region is asked for there, once and from then on", async ({ s3, directory, connect }) => {
    s3.put("far/a", BODY);
    s3.regions.set("far", "eu-west-1");
    const { payloads } = await connect();
    for (const file of ["1", "2"]) {
      assert.equal(endOf(await payloads.fetch(to("a", "far"), directory.of(file), LIMIT_MS)), "ok");
    }
    assert.equal(s3.asked.length, 3);
    s3.fates.push(sentTo("us-west-1"), sentTo("us-west-2"));
    const answer = await payloads.fetch(to("b"), directory.of("3"), LIMIT_MS);
    assert.equal(endOf(answer), "fatal: PermanentRedirect");
    assert.equal(s3.asked.length, 5, "it is not sent about for ever");
  }),
  place("an object that is gone is deleted, and one that may not be deleted is told", async ({ s3, connect }) => {
    const { payloads } = await connect();
    s3.fates.push(instead(s3Error(404, "NoSuchKey", "It does not exist.")));
    assert.deepEqual(await payloads.remove(to("a"), LIMIT_MS), { kind: "ok" });
    s3.fates.push(instead(s3Error(403, "AccessDenied", "Access Denied")));
    const denied = await payloads.remove(to("a"), LIMIT_MS);
    assert.equal(endOf(denied), "fatal: AccessDenied");
    assert.match("hint" in denied ? (denied.hint ?? "") : "", /s3:DeleteObject/);
  }),
  place(
    "what is still being fetched when the connection is closed ends at once",
    async ({ s3, directory, connect }) => {
      s3.put("bodies/a", BODY);
      const connection = await connect();
      s3.fates.push(breaking("stall"));
      const fetching = connection.payloads.fetch(to("a"), directory.of("body"), LIMIT_MS);
      await eventually("the file is begun", () => readdirSync(directory.path).length === 1);
      await connection.close();
      assert.equal(endOf(await fetching), "transient: Closed");
      assert.deepEqual(readdirSync(directory.path), []);
    },
  ),
];
