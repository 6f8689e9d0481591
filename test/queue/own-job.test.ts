import { expect, test } from "bun:test";
import { OwnJob } from "../../src/queue/own-job.ts";
import { SqliteQueue } from "../../src/queue/sqlite.ts";
import type { Message, Request } from "../../src/queue/port.ts";
import { newJob, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const ANY: Request = { max: 5, idle: true, without: [] };
const NOW = 1_700_000_000_000;

const own = ({ store }: TemporaryStore, id: string): OwnJob => new OwnJob(store, newJob({ id }), "own-1", () => NOW);
const received = (message: Message): Message => message;
const fail = (): never => {
  throw new Error("it cannot be");
};

test("a job of one's own begins as it is made, is given once, and to nobody else", async () => {
  using at = temporaryStore();
  const queue = own(at, "own");
  const other = new SqliteQueue(at.another(), "worker-1", () => NOW);
  const [message] = await queue.receive(() => ANY, received);
  expect(message).toMatchObject({ id: "own", receipt: "own.1", receiveCount: 1 });
  expect(message?.job).toMatchObject({
    phase: "EXECUTING",
    worker: "own-1",
    attempts: 1,
    startedAt: NOW,
    createdAt: NOW,
  });
  expect(await other.receive(() => ANY, received)).toEqual([]);
  expect(await queue.receive(() => ANY, received)).toEqual([]);
  expect(at.store.jobs.countByPhase()).toEqual(new Map([["EXECUTING", 1]]));
});

test("is not made while nothing may be started", async () => {
  using at = temporaryStore();
  const queue = own(at, "own");
  expect(await queue.receive(() => ({ ...ANY, max: 0 }), received)).toEqual([]);
  expect(at.store.jobs.countByPhase().size).toBe(0);
  expect(await queue.receive(() => ANY, received)).toHaveLength(1);
});

test("is made not at all, and then once, when what is recorded with it fails", async () => {
  using at = temporaryStore();
  const queue = own(at, "own");
  await expect(queue.receive(() => ANY, fail)).rejects.toThrow("it cannot be");
  expect(at.store.jobs.countByPhase().size).toBe(0);
  expect(await queue.receive(() => ANY, received)).toHaveLength(1);
});

test("keeps no worker from being done with the queue", async () => {
  using at = temporaryStore();
  const { store } = at;
  const worker = {
    id: "own-1",
    directory: "/",
    startedAt: NOW,
    host: "h",
    pid: 1,
    bootId: "b",
    pidNamespace: "n",
    version: "1",
  };
  const queue = new SqliteQueue(store, "worker-1", () => NOW);
  await store.write(() => store.workers.register({ ...worker, concurrency: 0 }));
  await own(at, "own").receive(() => ANY, received);
  expect(queue.isDrained()).toBe(true);
  await at.submit(newJob());
  await queue.receive(() => ANY, received);
  expect(queue.isDrained()).toBe(false);
});
