import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/free-port.ts";
import { existing, openStore } from "../../support/temporary.ts";
import { answersPerSecond } from "../http-load.ts";
import { perSecond, type Line } from "../line.ts";
import { inTurn, median } from "../statistics.ts";
import type { Row, Surroundings } from "../surroundings.ts";
import { fill } from "./million.ts";

const JOBS = 100_000;
const DEFINITION = '[jobs.one]\ncommand = ["true"]\nparams.image = { type = "string" }\n';

/** Requests that the service answers, against a bare server that gives a text of the same size. */
export const service: Row = {
  name: "service",
  async *measure(at) {
    const { directory, options } = at.newStore("full", DEFINITION);
    const job = await filledStore(directory);
    const port = await freePort();
    const ours = at.start([at.reeve, "serve", "--quiet", "--listen", `127.0.0.1:${port}`, ...options]);
    await listens(port);
    for (const ask of asked(job)) yield await measureOne(at, port, ask);
    ours.kill("SIGTERM");
    await ours.exited;
  },
};

interface Asked {
  readonly row: string;
  readonly request: string;
  readonly answer: string;
  readonly atLeast: number;
}

const HOST = "HTTP/1.1\r\nHost: localhost\r\n";
const FORM = "PHASE=RUN&image=m31.fits";

const asked = (job: string): Asked[] => [
  {
    row: `GET of a job, ${JOBS / 1000} 000 jobs in the store`,
    request: `GET /one/${job} ${HOST}\r\n`,
    answer: "HTTP/1.1 200",
    atLeast: 0.5,
  },
  {
    row: `GET of a list of 100, ${JOBS / 1000} 000 jobs in the store`,
    request: `GET /one?LAST=100 ${HOST}\r\n`,
    answer: "HTTP/1.1 200",
    atLeast: 0.2,
  },
  {
    row: "POST of a job with PHASE=RUN, full",
    request: `POST /one ${HOST}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${FORM.length}\r\n\r\n${FORM}`,
    answer: "HTTP/1.1 303",
    atLeast: 0.1,
  },
];

async function measureOne(at: Surroundings, port: number, { row, request, answer, atLeast }: Asked): Promise<Line> {
  const bare = await startBare(at, await sizeOf(port, request));
  const forMs = at.quick ? 1000 : 3000;
  const [ours = [], yardstick = []] = await inTurn(at.quick ? 3 : 5, [
    () => answersPerSecond(port, request, answer, forMs),
    () => answersPerSecond(bare.port, request, "HTTP/1.1 200", forMs),
  ]);
  bare.process.kill();
  await bare.process.exited;
  return {
    row,
    ours: perSecond(median(ours)),
    yardstick: perSecond(median(yardstick)),
    value: median(ours) / median(yardstick),
    goal: { atLeast },
  };
}

/** Of what is answered, in characters: nothing in it is more than one byte. */
async function sizeOf(port: number, request: string): Promise<number> {
  const [method = "", path = ""] = request.split(" ");
  const body = request.slice(request.indexOf("\r\n\r\n") + 4);
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const url = `http://127.0.0.1:${port}${path}`;
  const reply = await fetch(url, { method, redirect: "manual", ...(body !== "" && { body, headers }) });
  return (await reply.text()).length;
}

async function startBare(at: Surroundings, size: number) {
  const file = join(at.newDirectory(), "text");
  writeFileSync(file, "x".repeat(size));
  const port = await freePort();
  const process = at.start([await at.compiled("http-server"), String(port), file]);
  await listens(port);
  return { port, process };
}

/** Gives the id of a job that has ended. */
async function filledStore(directory: string): Promise<string> {
  const store = openStore(directory, { durability: "normal" });
  await fill(store, JOBS, "one");
  const [job] = store.jobs.list({ phases: ["COMPLETED"], after: null, owner: null, last: 1 });
  store.close();
  return existing(job).id;
}

const listens = (port: number): Promise<true> =>
  eventually(`port ${port} is listened on`, () =>
    fetch(`http://127.0.0.1:${port}/`).then(
      () => true as const,
      () => null,
    ),
  );
