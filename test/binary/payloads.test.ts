import { afterAll, beforeAll, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { eventually, within } from "../support/eventually.ts";
import type { HttpAnswer } from "../support/fault-proxy.ts";
import { smallDisk } from "../support/filesystems.ts";
import { s3Error, S3Server } from "../support/s3-server.ts";
import { ENVIRONMENT, SqsServer } from "../support/sqs-server.ts";
import { only } from "../support/temporary.ts";
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
  readonly environment: Readonly<Record<string, string>>;
  readonly place: Place;
  readonly s3: S3Server;
  readonly queue: string;
  readonly dead: string;
  readonly drain: () => Promise<void>;
}

async function scene(form: Form, settings: string, maxReceiveCount = 3, store?: string): Promise<Scene> {
  const place = new Place(form, store);
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
  return { place, s3, queue, dead, environment, drain, [Symbol.asyncDispose]: end };
}

const MIB = 1024 * 1024;

const toml = (keys: Readonly<Record<string, readonly string[]>>): string =>
  Object.entries(keys)
    .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`)
    .join("");

/** The bodies that are files of the store. */
const filesOf = ({ store }: Place): string[] => readdirSync(`${store}/bodies`);
const sizesOf = (place: Place): number[] =>
  filesOf(place).map((name) => statSync(`${place.store}/bodies/${name}`).size);

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

  testHere(
    "a body of 200 MiB goes through files: each attempt reads the same, and the worker stays small",
    async () => {
      await using one = await scene(form, `${BUCKETS}\njob = "huge"\nwait = 1`);
      const { place, s3, queue, drain } = one;
      const script = `sha256sum >> read; grep VmHWM /proc/$PPID/status >> peak; echo changed > $REEVE_BODY
      test $REEVE_ATTEMPT = 2 || kill -KILL $$`;
      const huge = { command: ["sh", "-c", script], exit_handler: ["sh", "-c", "sha256sum >> cleaned"] };
      place.write("reeve.toml", `${place.read("reeve.toml")}\n[jobs.huge]\n${toml(huge)}`);
      const body = Buffer.alloc(200 * MIB, "no two pages of it are the same. ");
      s3.put("bodies/a", body);
      await server.send(queue, pointerTo("a"), SIZE);
      await drain();
      const sum = `${createHash("sha256").update(body).digest("hex")}  -`;
      expect(place.lines("read")).toEqual([sum, sum]);
      expect(place.lines("cleaned")).toEqual([sum]);
      expect(s3.asked).toEqual(["GET /bodies/a"]);
      for (const line of place.lines("peak")) expect(Number(/\d+/.exec(line))).toBeLessThan(200 * 1024);
      const { jobId, jobInfo } = only(await place.list());
      expect(jobInfo.bodySize).toBe(body.length);
      expect(await place.ok("show", jobId)).toContain("200.0 MiB");
      expect(filesOf(place)).toHaveLength(1);
      await place.ok("delete", jobId);
      expect(filesOf(place)).toEqual([]);
    },
  );

  testHere("of a worker that is killed before it has recorded what it fetched no file is left", async () => {
    await using one = await scene(form, `${BUCKETS}\nwait = 1`);
    const { place, s3, queue, environment, drain } = one;
    s3.put("bodies/a", LARGE);
    await server.send(queue, pointerTo("a"), SIZE);
    const go = Promise.withResolvers<void>();
    s3.fates.push((answer) => ({ ...answer, after: go.promise }));
    const killed = await place.worker([], { environment });
    await eventually("the body is asked for", () => s3.asked.length === 1);
    const database = new Database(`${place.store}/reeve.db`);
    database.run("BEGIN IMMEDIATE");
    go.resolve();
    await eventually("all of it is there", () => sizesOf(place).includes(LARGE.length));
    killed.signal("SIGKILL");
    await killed.ended;
    database.close();
    expect(filesOf(place)).toHaveLength(1);
    await drain();
    expect(filesOf(place)).toEqual([]);
    expect(await place.list()).toEqual([]);
  });

  testHere("a body for which the disk has no room is put off, and the worker goes on", async () => {
    using disk = smallDisk("16m");
    await using one = await scene(form, `${BUCKETS}\nvisibility = "6s"\nbeat = "1s"\nwait = 1`, 3, disk.of("store"));
    const { place, s3, queue, environment } = one;
    place.write("reeve.toml", place.read("reeve.toml").replaceAll("command =", 'grace = "1s"\ncommand ='));
    s3.put("bodies/a", new Uint8Array(20 * MIB));
    s3.fates.push(
      ...Array.from({ length: 100 }, () => (answer: HttpAnswer) => ({ ...answer, breaks: "endless" }) as const),
    );
    await server.send(queue, pointerTo("a"), SIZE);
    const worker = await place.worker([], { environment });
    await worker.says("is put back: its body cannot be had now");
    expect(worker.stderr()).toContain("ENOSPC");
    expect(filesOf(place)).toEqual([]);
    await server.send(queue, "as it is", ANY);
    await eventually("it is run", () => place.read("any") === "as it is");
    worker.signal("SIGTERM");
    expect((await worker.ended).signal).toBe("SIGTERM");
  });
});
