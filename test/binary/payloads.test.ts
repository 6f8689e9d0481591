import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually, within } from "../support/eventually.ts";
import { s3Error, S3Server } from "../support/s3-server.ts";
import { ENVIRONMENT, SqsServer } from "../support/sqs-server.ts";
import { COMPILED, forEachForm, testWhere, type Form } from "./forms.ts";
import { describeDone, Place } from "./place.ts";

let server: SqsServer;
beforeAll(async () => void (server = await SqsServer.start()));
afterAll(() => server[Symbol.asyncDispose]());

const LARGE = JSON.stringify({ kind: "large", filling: "0123456789abcdef".repeat(100_000) });

const pointerTo = (key: string, bucket = "bodies"): string =>
  `["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"${bucket}","s3Key":"${key}"}]`;

const SIZE = { MessageAttributes: { ExtendedPayloadSize: { DataType: "Number", StringValue: `${LARGE.length}` } } };

/** A queue with its dead letters, and a place whose worker knows the objects. */
interface Scene extends AsyncDisposable {
  readonly place: Place;
  readonly s3: S3Server;
  readonly queue: string;
  readonly dead: string;
  readonly drain: () => Promise<void>;
}

async function scene(form: Form, settings: string, maxReceiveCount = 3): Promise<Scene> {
  const place = new Place(form);
  const s3 = await S3Server.start();
  const [queue, dead] = await server.createPair({}, maxReceiveCount);
  const url = `${server.proxy.origin}/000000000000/${queue}`;
  place.write(
    "reeve.toml",
    `[queues.main]\nurl = "${url}"\n${settings}\n
[jobs.large]\ncommand = ["sh", "-c", "cat > large; cmp large $REEVE_BODY"]\nroute = { field = "kind", equals = "large" }\n
[jobs.any]\ncommand = ["sh", "-c", "cat >> any"]\nroute = { attribute = "kind", equals = "any" }\n`,
  );
  const environment = { ...ENVIRONMENT, AWS_ENDPOINT_URL_S3: s3.origin };
  const drain = async (): Promise<void> => {
    const done = await place.run(["work", "--drain"], { environment });
    if (done.code !== 0 && done.code !== 1) throw new Error(describeDone(["work"], done));
  };
  const end = async (): Promise<void> => {
    await place[Symbol.asyncDispose]();
    await s3[Symbol.asyncDispose]();
  };
  return { place, s3, queue, dead, drain, [Symbol.asyncDispose]: end };
}

const ANY = { MessageAttributes: { kind: { DataType: "String", StringValue: "any" } } };
const BUCKETS = 'pointer_buckets = ["bodies"]';

forEachForm("bodies in S3", (form) => {
  const testHere = testWhere(form === COMPILED);

  test("a job gets its body, is routed by it, and takes the object with it where that is set", async () => {
    await using one = await scene(form, `${BUCKETS}\npointer_payloads = "delete"`);
    const { place, s3, queue, dead, drain } = one;
    s3.put("bodies/a b", LARGE);
    s3.put("bodies/left", "not asked for");
    s3.put("others/secret", LARGE);
    await server.send(queue, pointerTo("a b"), SIZE);
    await server.send(queue, pointerTo("secret", "others"), SIZE);
    await server.send(queue, pointerTo("gone"), SIZE);
    await server.send(queue, "as it is", ANY);
    await drain();
    expect(place.read("large") === LARGE).toBe(true);
    expect(place.read("any")).toBe("as it is");
    expect([...s3.objects.keys()].toSorted()).toEqual(["bodies/left", "others/secret"]);
    expect(s3.asked.toSorted()).toEqual(["DELETE /bodies/a%20b", "GET /bodies/a%20b", "GET /bodies/gone"]);
    const letters = await server.waiting(dead);
    const reasons = letters.map(({ messageAttributes }) => messageAttributes["reeve.reason"]?.["StringValue"]);
    expect(reasons.toSorted()).toEqual([
      expect.stringContaining("the bucket others, which is not among pointer_buckets"),
      expect.stringContaining("NoSuchKey"),
    ]);
    expect(letters.map(({ body }) => body).toSorted()).toEqual([pointerTo("gone"), pointerTo("secret", "others")]);
    expect([await server.waiting(queue), await server.inFlight(queue)]).toEqual([[], []]);
  });

  testHere("the object stays where nothing else is set, and a body that may not be had yet comes again", async () => {
    await using one = await scene(form, BUCKETS);
    const { place, s3, queue, dead, drain } = one;
    s3.put("bodies/a", LARGE);
    s3.fates.push(() => s3Error(403, "AccessDenied", "Access Denied"));
    await server.send(queue, pointerTo("a"), SIZE);
    await drain();
    expect(place.read("large") === LARGE).toBe(true);
    expect(s3.asked).toEqual(["GET /bodies/a", "GET /bodies/a"]);
    expect([...s3.objects.keys()]).toEqual(["bodies/a"]);
    expect([await server.waiting(queue), await server.waiting(dead)]).toEqual([[], []]);
  });

  testHere("the object of a job that is given up stays, for its dead letter names it", async () => {
    await using one = await scene(form, `${BUCKETS}\npointer_payloads = "delete"\njob = "failing"`);
    const { place, s3, queue, dead, drain } = one;
    place.write("reeve.toml", `${place.read("reeve.toml")}\n[jobs.failing]\ncommand = ["false"]\nreject = [1]\n`);
    s3.put("bodies/a", LARGE);
    await server.send(queue, pointerTo("a"), SIZE);
    await drain();
    expect((await server.waiting(dead)).map(({ body }) => body)).toEqual([pointerTo("a")]);
    expect(s3.asked).toEqual(["GET /bodies/a"]);
  });

  testHere("with no bucket that may be pointed to a pointer is passed on as it is", async () => {
    await using one = await scene(form, "");
    await server.send(one.queue, pointerTo("a"), ANY);
    await one.drain();
    expect(one.place.read("any")).toBe(pointerTo("a"));
    expect(one.s3.asked).toEqual([]);
  });

  testHere("what may not be had on the last delivery is a dead letter, with the reason", async () => {
    await using one = await scene(form, BUCKETS, 1);
    one.s3.fates.push(() => s3Error(403, "AccessDenied", "Access Denied"));
    await server.send(one.queue, pointerTo("a"), SIZE);
    await one.drain();
    const [letter] = await server.waiting(one.dead);
    expect(letter?.body).toBe(pointerTo("a"));
    expect(letter?.messageAttributes["reeve.reason"]?.["StringValue"]).toMatch(/AccessDenied.*delivery 1 was the last/);
  });

  testHere("a stop does not wait for a body, and puts the message back", async () => {
    await using one = await scene(form, BUCKETS);
    one.s3.fates.push(() => "hang");
    await server.send(one.queue, pointerTo("a"), SIZE);
    const worker = one.place.start(["work"], { environment: { ...ENVIRONMENT, AWS_ENDPOINT_URL_S3: one.s3.origin } });
    await eventually("the body is asked for", () => one.s3.asked.length === 1);
    worker.signal("SIGTERM");
    const { signal, stderr } = await within("it ends", worker.ended, 10_000);
    expect(signal).toBe("SIGTERM");
    expect(stderr).not.toContain("broken off");
    expect(server.proxy.count("ChangeMessageVisibility")).toBe(1);
  });
});
