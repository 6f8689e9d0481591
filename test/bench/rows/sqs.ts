import { eventually } from "../../support/eventually.ts";
import { perSecond, type Goal, type Line } from "../line.ts";
import { LocalSqs } from "../local-sqs.ts";
import { inTurn, median, medianRatio, timed } from "../statistics.ts";
import type { Row, Surroundings } from "../surroundings.ts";

const CONCURRENCIES = [1, 4, 8];
/** What servers of one's own region take at least. */
const NEAR_MS = 20;
const IDLE_MS = 25_000;

/**
 * Messages per second through the binary, against a loop that only spawns and waits and against `sqs-consumer` on the
 * same server; and what it asks of the server for that. The server takes its share of the same processors.
 */
export const sqs: Row = {
  name: "sqs",
  async *measure(at) {
    await using server = await LocalSqs.start();
    for (const concurrency of CONCURRENCIES) yield* throughput(at, server, concurrency);
    await using near = await LocalSqs.start(NEAR_MS);
    yield* nearby(at, near);
    yield await requestsOfLongJobs(at, near);
    yield await requestsWhenIdle(at, near);
  },
};

async function* throughput(at: Surroundings, server: LocalSqs, concurrency: number): AsyncIterable<Line> {
  const messages = at.quick ? 800 : 2000;
  const loop = await at.compiled("spawn-loop");
  const bare = (): Promise<number> => timed(() => at.run([loop, "/bin/true", String(messages), String(concurrency)]));
  const [spawns = [], consumer = [], ours = []] = await inTurn(at.quick ? 3 : 7, [
    bare,
    () => consume(at, server, messages, concurrency),
    () => work(at, server, messages, concurrency, ["/bin/true"]),
  ]);
  const row = `sqs: messages/s, ${concurrency} at once`;
  yield compared(`${row}, beside spawns`, messages, ours, spawns, { atLeast: 0.6 });
  yield compared(`${row}, beside sqs-consumer`, messages, ours, consumer, { atLeast: 1 });
}

/** With jobs that are shorter than the way to the server and back. */
async function* nearby(at: Surroundings, server: LocalSqs): AsyncIterable<Line> {
  const messages = at.quick ? 400 : 1000;
  const requests: Record<"ours" | "consumer", number> = { ours: 0, consumer: 0 };
  const rounds = at.quick ? 3 : 5;
  const [consumer = [], ours = []] = await inTurn(rounds, [
    async () => {
      const { ms, asked } = await counted(server, () => consume(at, server, messages, 4));
      requests.consumer += asked / messages / rounds;
      return ms;
    },
    async () => {
      const { ms, asked } = await counted(server, () => work(at, server, messages, 4, ["/bin/true"]));
      requests.ours += asked / messages / rounds;
      return ms;
    },
  ]);
  yield compared(`sqs: the same, ${NEAR_MS} ms away, 4 at once`, messages, ours, consumer, { atLeast: 1 });
  yield perMessage(
    `sqs: requests a message, ${NEAR_MS} ms away, 4 at once`,
    requests.ours,
    requests.consumer.toFixed(2),
    { atMost: 0.5 },
  );
}

/** Milliseconds are times, so the faster of two is above. */
function compared(
  row: string,
  messages: number,
  ours: readonly number[],
  yardstick: readonly number[],
  goal: Goal,
): Line {
  return {
    row,
    ours: perSecond((messages / median(ours)) * 1000),
    yardstick: perSecond((messages / median(yardstick)) * 1000),
    value: medianRatio(yardstick, ours),
    goal,
  };
}

function perMessage(row: string, value: number, yardstick: string, goal: Goal): Line {
  return { row, ours: value.toFixed(2), yardstick, value, goal };
}

/** Of 100 to 300 ms, no two that run together alike, with work waiting. */
async function requestsOfLongJobs(at: Surroundings, server: LocalSqs): Promise<Line> {
  const messages = at.quick ? 100 : 300;
  const { asked } = await counted(server, () => work(at, server, messages, 4, ["/bin/sleep", "{body.seconds}"]));
  return perMessage("sqs: requests a message, jobs of 200 ms", asked / messages, "", { atMost: 1.2 });
}

async function requestsWhenIdle(at: Surroundings, server: LocalSqs): Promise<Line> {
  const { options } = at.newStore("full");
  const queue = ["--queue", await server.newQueue(0)];
  const before = await server.polls();
  const worker = at.start([at.reeve, "work", "--quiet", ...queue, ...options, "--", "/bin/true"]);
  await eventually("it polls", async () => (await server.polls()) > before);
  await Bun.sleep(IDLE_MS);
  const polls = (await server.polls()) - before;
  worker.kill();
  await worker.exited;
  return perMessage(`sqs: polls of an idle worker in ${IDLE_MS / 1000} s`, polls, "", { atMost: 2 });
}

async function counted(server: LocalSqs, run: () => Promise<number>): Promise<{ ms: number; asked: number }> {
  const before = await server.requests();
  const ms = await run();
  return { ms, asked: (await server.requests()) - before };
}

/** Milliseconds in which `sqs-consumer` runs /bin/true for each message of a queue. */
async function consume(at: Surroundings, server: LocalSqs, messages: number, concurrency: number): Promise<number> {
  const consumer = await at.compiled("sqs-consumer");
  const queue = await server.newQueue(messages);
  return timed(() => at.run([consumer, "/bin/true", String(messages), String(concurrency), queue]));
}

/** Milliseconds in which a worker runs a command for each message of a queue. */
async function work(
  at: Surroundings,
  server: LocalSqs,
  messages: number,
  concurrency: number,
  command: readonly string[],
): Promise<number> {
  const { options } = at.newStore("full");
  const queue = ["--queue", await server.newQueue(messages), "--max-jobs", String(messages)];
  const slots = ["--concurrency", String(concurrency)];
  return timed(() => at.run([at.reeve, "work", "--quiet", ...queue, ...slots, ...options, "--", ...command]));
}
