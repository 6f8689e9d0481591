import { afterAll, beforeAll, expect, test } from "bun:test";
import { EXTRAS } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import { sqsError } from "../support/fault-proxy.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { existing } from "../support/temporary.ts";
import { forEachForm } from "./forms.ts";
import { definitionOf, ended, reasonOf, SqsPlace } from "./sqs-place.ts";

let server: SqsServer;
beforeAll(async () => void (server = await SqsServer.start()));
afterAll(() => server[Symbol.asyncDispose]());

/** So that a test sees how often a message was run, and as what. */
const NOTE = 'echo "$REEVE_ATTEMPT $REEVE_RECEIVE_COUNT" >> "$REEVE_ATTR_KIND"';
const AT_FIRST = '[ "$REEVE_ATTEMPT" -gt 1 ] ||';
const SOON = 'backoff = "100ms"';

const DEFINITIONS = [
  definitionOf("done", NOTE),
  definitionOf("fails", `${NOTE}; exit 3`, SOON),
  definitionOf("fails-once", `${NOTE}; exit 3`, "max_attempts = 1"),
  definitionOf("rejects", `${NOTE}; exit 65`, "reject = [65]"),
  definitionOf("fatal", `${NOTE}; echo '{"error":{"message":"no such order","type":"fatal"}}' >&3; exit 1`),
  definitionOf("releases", `${NOTE}; ${AT_FIRST} exit 75`, "release = [75]", 'release_delay = "0s"'),
  definitionOf("killed", `${NOTE}; ${AT_FIRST} kill -9 $$`),
  definitionOf("late", `${NOTE}; exec sleep 100`, 'timeout = "300ms"', "max_attempts = 1", 'grace = "1s"'),
  definitionOf("overruns", `${NOTE}; exec sleep 100`, 'execution_duration = "1s"', 'grace = "1s"'),
  definitionOf("aborted", `${NOTE}; exec sleep 100`, 'grace = "1s"'),
  definitionOf("aborted-later", `${NOTE}; exit 75`, "release = [75]", 'release_delay = "4s"'),
  definitionOf("missing", "").replace('["sh", "-c", ""]', '["./missing"]') + 'backoff = "2s"\n',
  definitionOf("field", "").replace('["sh", "-c", ""]', '["echo", "{body.id}"]'),
  definitionOf("parameter", "", 'params.width = { type = "integer", from = "body.width" }'),
].join("\n");

/** What can never be run, with what is said of it. */
const NEVER: readonly (readonly [kind: string, body: string, reason: RegExp])[] = [
  ["field", '{"name":1}', /`id` of the message body is missing/],
  ["field", "{", /not valid JSON/],
  ["field", '{"id":"a\\u0000b"}', /holds a NUL/],
  ["field", JSON.stringify({ id: "x".repeat(140_000) }), /longer than the 131071 bytes/],
  ["parameter", '{"width":"wide"}', /`width` must be an integer/],
  ["nobody's", "{}", /matches none of/],
];

forEachForm("a message of SQS", (form) => {
  test.concurrent("is deleted, given back or moved to the dead letters, as its job ended", async () => {
    await using place = await SqsPlace.open(form, server);
    const [queue, dead] = await server.createPair();
    const url = `[queues.main]\nurl = "${place.urlOf(queue)}"\nwait = "1s"\n`;
    place.write("reeve.toml", `${url}${DEFINITIONS}`);
    const kinds = ["done", "fails", "fails-once", "rejects", "fatal", "releases", "killed", "late", "overruns"];
    const ids = new Map<string, string>();
    const send = async (kind: string) => void ids.set(kind, await place.send(queue, kind, `{"n":"${kind}"}`, EXTRAS));
    for (const kind of [...kinds, "aborted", "aborted-later", "missing"]) await send(kind);
    const never: string[] = [];
    for (const [kind, body] of NEVER) never.push(await place.send(queue, kind, body));
    const idOf = (kind: string): string => existing(ids.get(kind));

    const worker = await place.worker(["--concurrency", "8"]);
    await worker.says("jobs of missing wait for 1 s");
    place.write("missing", '#!/bin/sh\necho "$REEVE_ATTEMPT $REEVE_RECEIVE_COUNT" >> missing.ran\n', 0o755);
    await ended(worker, idOf("aborted-later"), "QUEUED");
    await place.ok("abort", "--no-wait", idOf("aborted-later"));
    await place.file("aborted");
    await place.ok("abort", idOf("aborted"));
    await place.emptied(queue);

    const ran = (kind: string): string => place.lines(kind).join(", ");
    expect(kinds.map((kind) => [kind, ran(kind)])).toEqual([
      ["done", "1 1"],
      ["fails", "1 1, 2 2, 3 3"],
      ["fails-once", "1 1"],
      ["rejects", "1 1"],
      ["fatal", "1 1"],
      ["releases", "1 1, 2 2"],
      ["killed", "1 1, 2 2"],
      ["late", "1 1"],
      ["overruns", "1 1"],
    ]);
    expect([ran("aborted"), ran("aborted-later"), ran("missing.ran")]).toEqual(["1 1", "1 1", "2 2"]);

    const letters = await server.waiting(dead);
    const jobs = new Map((await place.list()).map((job) => [job.jobId, job]));
    const buried: Record<string, RegExp> = {
      fails: /exit code 3.*delivery 3 was the last/,
      "fails-once": /exit code 3/,
      rejects: /exit code 65/,
      fatal: /no such order/,
      late: /timeout/,
      overruns: /overrun/,
    };
    expect(letters).toHaveLength(Object.keys(buried).length + NEVER.length);
    for (const [kind, reason] of Object.entries(buried)) {
      const letter = existing(letters.find(({ body }) => body === `{"n":"${kind}"}`));
      const { "reeve.reason": said, ...attributes } = letter.messageAttributes;
      expect(attributes).toEqual({ ...EXTRAS, kind: { DataType: "String", StringValue: kind } });
      expect(said?.["StringValue"]).toMatch(reason);
      const job = existing(jobs.get(idOf(kind)));
      expect([kind, job.phase, job.errorSummary?.message]).toEqual([
        kind,
        kind === "overruns" ? "ABORTED" : "ERROR",
        String(said?.["StringValue"]),
      ]);
    }
    for (const [index, [, body, reason]] of NEVER.entries()) {
      const letter = existing(letters.find((one) => one.body === body && reason.test(String(reasonOf(one)))));
      const job = existing(jobs.get(existing(never[index])));
      expect([job.phase, job.errorSummary?.message]).toEqual(["ERROR", String(reasonOf(letter))]);
    }
    const ends = ["done", "releases", "killed", "missing", "aborted", "aborted-later"];
    expect(ends.map((kind) => String(jobs.get(idOf(kind))?.phase))).toEqual([
      ...["done", "releases", "killed", "missing"].map(() => "COMPLETED"),
      "ABORTED",
      "ABORTED",
    ]);
    expect(worker.log().some(({ event }) => event === "worker ended")).toBe(false);

    // What is said to help can be typed as it stands.
    const command = existing((await place.ok("why", idOf("rejects"))).match(/reeve (dead .*)/));
    expect(await place.ok(...existing(command[1]).split(" "))).toContain("exit code 65");
    expect(await place.ok("why", idOf("aborted"))).not.toContain("reeve dead");
    expect(await place.ok("show", idOf("done"))).toMatch(new RegExp(`^queue +${place.urlOf(queue)}$`, "m"));
  });
});

const ON_QUEUES = [
  definitionOf("rejects", `${NOTE}; exit 65`, "reject = [65]"),
  definitionOf("fails", `${NOTE}; exit 3`, SOON, "max_attempts = 2", 'backoff_cap = "1s"'),
  definitionOf("lasts", `${NOTE}; exit 4`, SOON),
].join("\n");

forEachForm("a queue of SQS", (form) => {
  test.concurrent(
    "without dead letters, or that may not write them, loses nothing and is told what it lacks",
    async () => {
      await using place = await SqsPlace.open(form, server);
      const [bare, wasteful] = [await server.createQueue(), await server.createQueue()];
      const [mute, dead] = await server.createPair({}, 2);
      const queueOf = (name: string, more = ""): string =>
        `[queues.${name}]\nurl = "${place.urlOf(name)}"\nwait = "1s"\n${more}`;
      const queues = [queueOf(bare), queueOf(wasteful, 'on_exhausted = "delete"\n'), queueOf(mute)];
      place.write("reeve.toml", `${queues.join("")}${ON_QUEUES}`);
      place.proxy.decide = ({ action }) =>
        action.startsWith("SendMessage") ? sqsError("AccessDenied", "not for you", { status: 403 }) : "pass";
      const rejected = await place.send(bare, "rejects");
      const tried = await place.send(bare, "fails");
      const wasted = [await place.send(wasteful, "rejects"), await place.send(wasteful, "fails")];
      const left = await place.send(mute, "lasts", '{"n":1}', EXTRAS);

      const worker = await place.worker(["--concurrency", "4"]);
      for (const queue of [bare, wasteful]) await worker.says(`/${queue}: it has no redrive policy`);
      await worker.says(`/${mute}: its maxReceiveCount is 2`);

      // What nobody takes stays where it is, and its job says why.
      await ended(worker, rejected, "ERROR");
      const job = await place.show(rejected);
      expect(job.errorSummary?.message).toStartWith("exit code 65");
      await worker.says("redrive policy, or set on_exhausted");
      expect((await place.show(rejected)).errorSummary?.message).toContain(bare);
      // What may still succeed is tried for ever, as the queue has it.
      await eventually("it was tried more often than it may fail", () => place.lines("fails").length >= 3 + 2);
      expect(await place.phase(tried)).toBe("QUEUED");

      await place.emptied(wasteful);
      for (const id of wasted) expect(await place.phase(id)).toBe("ERROR");

      // The redrive policy moves it, without a reason.
      const [letter] = await eventually("it is in the dead letters", async () => {
        const letters = await server.waiting(dead);
        return letters.length === 0 ? null : letters;
      });
      expect([letter?.body, letter?.messageAttributes]).toEqual([
        '{"n":1}',
        { ...EXTRAS, kind: { DataType: "String", StringValue: "lasts" } },
      ]);
      expect((await place.show(left)).errorSummary?.message).toMatch(
        /exit code 4; delivery 2 was the last.*AccessDenied/,
      );
      expect([place.lines("rejects"), place.lines("lasts")]).toEqual([
        ["1 1", "1 1"],
        ["1 1", "2 2"],
      ]);
      expect(await server.inFlight(bare)).toHaveLength(2);
    },
  );
});
