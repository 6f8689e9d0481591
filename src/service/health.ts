import { isoTime } from "../uws/document.ts";
import { textAnswer } from "./answers.ts";
import { METRICS_TYPE, metricsText } from "./metrics.ts";
import { hasList } from "./owners.ts";
import type { Exchange, ServicePorts } from "./ports.ts";
import { notFound } from "./refusal.ts";

/** What Prometheus reads; not for those who are nobody in particular, who would see how much others do. */
export function answerMetrics({ store, isAlive, clock, caller }: Exchange): Response {
  if (!hasList(caller)) throw notFound();
  return textAnswer(metricsText({ store, isAlive, now: clock.now() }), 200, { "Content-Type": METRICS_TYPE });
}

/** Milliseconds for which those who are nobody in particular are told the same: a look is a write to the disk. */
const KEPT_MS = 1000;

/** What is well and what is not. */
interface Report {
  readonly status: "well" | "ill";
  readonly canWrite: boolean;
  readonly canClaim: boolean;
  readonly lastPoll: string | null;
  readonly workers: { readonly well: number; readonly ill: number };
  readonly problems: readonly string[];
}

/** Whether jobs can be made, and are run. */
export class Health {
  readonly #ports: Pick<ServicePorts, "store" | "isAlive" | "clock" | "onFault">;
  #kept: { readonly report: Promise<Report>; readonly until: number } | null = null;

  constructor(ports: Pick<ServicePorts, "store" | "isAlive" | "clock" | "onFault">) {
    this.#ports = ports;
  }

  async now(): Promise<Report> {
    const { store, isAlive } = this.#ports;
    const workers = store.workers.all().filter((worker) => worker.concurrency > 0 && isAlive(worker));
    const well = workers.filter(({ trouble }) => trouble === null);
    const canWrite = await this.#tryToWrite();
    const canClaim = well.length > 0;
    const polls = workers.flatMap(({ polledAt }) => polledAt ?? []);
    const problems = [
      ...(canWrite ? [] : ["the store cannot be written"]),
      ...(canClaim ? [] : [workers.length === 0 ? "no worker is running" : "every worker is kept from its queue"]),
    ];
    return {
      status: problems.length === 0 ? "well" : "ill",
      canWrite,
      canClaim,
      // A worker of the store's own queue does not poll: it is woken.
      lastPoll: isoTime(polls.length === 0 ? null : Math.max(...polls)),
      workers: { well: well.length, ill: workers.length - well.length },
      problems,
    };
  }

  /** As it was a moment ago, however many ask. */
  lately(): Promise<Report> {
    const now = this.#ports.clock.monotonic();
    if (!this.#kept || this.#kept.until <= now) this.#kept = { report: this.now(), until: now + KEPT_MS };
    return this.#kept.report;
  }

  /** By writing: whether a disk has room left shows only then. */
  async #tryToWrite(): Promise<boolean> {
    const { store, clock, onFault } = this.#ports;
    try {
      await store.write(() => store.tallies.leaveMark(clock.now()));
      return true;
    } catch (error) {
      const trouble = store.database.trouble(error);
      if (trouble !== "busy" && trouble !== "full") onFault(error);
      return false;
    }
  }
}

/** 200, or 503 with what is wrong. A load balancer has no credentials, and needs to know no more than which of these. */
export async function answerHealth({ health, caller }: Exchange): Promise<Response> {
  const report = hasList(caller) ? await health.now() : await health.lately();
  const told = hasList(caller) ? report : { status: report.status };
  const headers = { "Content-Type": "application/json" };
  return textAnswer(`${JSON.stringify(told)}\n`, report.status === "well" ? 200 : 503, headers);
}
