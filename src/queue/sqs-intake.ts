import { existsSync } from "node:fs";
import type { Clock } from "../clock.ts";
import { COMMAND_LINE, type Definition } from "../config/definition.ts";
import { inlineBody } from "../config/message-body.ts";
import type { SqsQueueDefinition } from "../config/queue-definition.ts";
import type { MessageRoutes } from "../config/message-route.ts";
import type { Incoming, Routed, Router } from "../config/routing.ts";
import type { Arrival, Disposition } from "../store/deliveries.ts";
import type { Job } from "../store/job.ts";
import { isFinal } from "../store/phases.ts";
import type { Store } from "../store/store.ts";
import { SUSPECT_FROM, wasLast, type Message, type Request } from "./port.ts";
import type { Arrived, Body } from "./sqs-bodies.ts";
import { incomingOf, jobIdOf, jobMaker } from "./sqs-job.ts";
import type { QueuePolicy } from "./sqs-policy.ts";
import type { ReceivedMessage } from "./sqs/message.ts";

export interface IntakeOptions {
  readonly store: Store;
  readonly router: Router;
  /** What modules of jobs are asked by; absent: none is. */
  readonly routes?: MessageRoutes;
  /** By their names; of `work -- COMMAND`, which has none, by {@link COMMAND_LINE}. */
  readonly definitions: ReadonlyMap<string, Definition>;
  readonly worker: string;
  readonly clock: Clock;
  readonly newId: () => string;
  /** Told what is wrong and no single job's. */
  readonly warn: (what: string) => void;
}

/** Why a message is not run. */
export type NotRun =
  | Exclude<Disposition, { kind: "run" }>
  /** More came than can be started now. */
  | { readonly kind: "too many" }
  /** It is nobody's, and is to stay in the queue. */
  | { readonly kind: "left"; readonly why: string }
  /** Its body is to be had another time, or whose it is to be known then. */
  | { readonly kind: "later"; readonly why: string; readonly delayMs: number }
  /** It is another's. */
  | { readonly kind: "lost" };

/** Before a body is looked for again: as long as before a failed job is run again. */
const BODY_BACKOFF = { baseMs: 5000, capMs: 900_000 };

/** What became of messages that came together. */
export interface Taken<T> {
  readonly run: readonly { readonly message: ReceivedMessage; readonly job: number; readonly admitted: T }[];
  readonly notRun: readonly { readonly message: ReceivedMessage; readonly what: NotRun }[];
}

type Later = Extract<NotRun, { kind: "later" }>;
type RunOrNot = { readonly kind: "run"; readonly message: Message } | NotRun;

/** Decides what messages are: new jobs, jobs that are tried again, or nothing to run. */
export class SqsIntake {
  readonly #settings: SqsQueueDefinition;
  readonly #policy: QueuePolicy;
  readonly #options: IntakeOptions;

  constructor(settings: SqsQueueDefinition, policy: QueuePolicy, options: IntakeOptions) {
    this.#settings = settings;
    this.#policy = policy;
    this.#options = options;
  }

  /** Within a transaction, which may be repeated. */
  take<T>(arrived: readonly Arrived[], request: Request, admit: (message: Message, index: number) => T): Taken<T> {
    const run: { message: ReceivedMessage; job: number; admitted: T }[] = [];
    const notRun: { message: ReceivedMessage; what: NotRun }[] = [];
    let hasSuspect = false;
    for (const one of arrived) {
      const { message } = one;
      const fits: boolean = run.length < request.max && !(hasSuspect && this.#mustNotWait(message));
      const what: RunOrNot = fits ? this.#takeOne(one, request) : { kind: "too many" };
      if (what.kind !== "run") notRun.push({ message, what });
      else run.push({ message, job: what.message.job.seq, admitted: admit(what.message, run.length) });
      hasSuspect ||= what.kind === "run" && what.message.job.lost >= SUSPECT_FROM;
    }
    return { run, notRun };
  }

  /** What waits for a suspect to end is lost with it, and is blamed for that: one suspect must not wait for another. */
  #mustNotWait(message: ReceivedMessage): boolean {
    const job = this.#options.store.deliveries.byMessage({ queue: this.#settings.url, messageId: message.id });
    return (job?.lost ?? 0) >= SUSPECT_FROM && !this.#policy.isLast(message);
  }

  #takeOne(arrived: Arrived, { without }: Request): RunOrNot {
    const { message: received } = arrived;
    const body = this.#lastWord({ ...arrived, body: this.#ifThere(arrived.body) });
    if (body.kind === "lost") return body;
    if (body.kind === "later") return { ...body, delayMs: bodyDelayMs(received) };
    const incoming = incomingOf(received, body.kind === "body" ? body.content : inlineBody(Buffer.from(received.body)));
    const routed: Routed | Later =
      body.kind === "rejected" ? { ...body, definition: null } : this.#routedOf(arrived, incoming);
    if (routed.kind === "later") return routed;
    if (routed.kind === "unroutable" && this.#settings.onUnroutable === "leave") {
      return { kind: "left", why: routed.reason };
    }
    const name = routed.kind === "unroutable" ? null : routed.definition;
    if (name !== null && without.includes(name) && !this.#policy.isLast(received)) {
      return { kind: "keep back", id: received.id, why: `${name} is paused here` };
    }
    const { store, worker, clock, newId } = this.#options;
    const make = jobMaker(incoming, routed, this.#definitionOf(routed));
    const what = store.deliveries.take(this.#arrivalOf(received), make, {
      worker,
      now: clock.now(),
      newId,
    });
    if (what.kind === "running") store.wakeWorkers();
    if (what.kind !== "run") return what;
    const rejected = routed.kind === "job" ? null : routed.reason;
    return { kind: "run", message: this.#messageOf(arrived, what.job, rejected) };
  }

  /** Whose it is, by what modules say and then by what is set. A message that is not run now needs no answer. */
  #routedOf({ message, routed: answer }: Arrived, incoming: Incoming): Routed | Later {
    if (answer?.kind === "rejected") return { ...answer, definition: null };
    if (answer?.kind !== "put back" && answer?.kind !== "undecided") {
      return this.#options.router.route(incoming, answer);
    }
    const { why } = answer;
    if (this.#policy.isLast(message)) return { kind: "rejected", definition: null, reason: wasLast(why, message) };
    if (!this.#mayRun(message)) return { kind: "rejected", definition: null, reason: why };
    return { kind: "later", why, delayMs: answer.kind === "put back" ? answer.delayMs : bodyDelayMs(message) };
  }

  /** Whether it is new, or waits to be tried again: neither is it being run nor has it been. */
  #mayRun({ id }: ReceivedMessage): boolean {
    const job = this.#options.store.deliveries.byMessage({ queue: this.#settings.url, messageId: id });
    return !job || job.phase === "QUEUED" || (isFinal(job.phase) && job.verdict === null);
  }

  /** What an earlier job of the message has may have been removed with it since. */
  #ifThere(body: Body): Body {
    if (body.kind !== "body" || body.content.kind !== "file") return body;
    const { path } = body.content;
    if (existsSync(path) && !this.#options.store.forgetting.isToBeRemoved(path)) return body;
    return { kind: "later", why: "the file of its body was removed" };
  }

  /** What cannot be had now is not had at all where the queue would give the message up without a reason. */
  #lastWord({ message, body }: Arrived): Body {
    if (body.kind !== "later" || !this.#policy.isLast(message)) return body;
    return { kind: "rejected", reason: wasLast(body.why, message) };
  }

  #messageOf({ message: received, leasedUntil }: Arrived, job: Job, rejected: string | null): Message {
    return {
      id: received.id,
      receipt: received.receipt,
      receiveCount: received.receiveCount ?? 0,
      job,
      rejected,
      isLast: this.#policy.isLast(received),
      leasedUntil,
      ifGivenUp: this.#policy.ifGivenUp,
    };
  }

  #arrivalOf(message: ReceivedMessage): Arrival {
    return {
      queue: this.#settings.url,
      messageId: message.id,
      receipt: message.receipt,
      jobId: jobIdOf(message),
      receiveCount: message.receiveCount ?? 0,
      isLast: this.#policy.isLast(message),
    };
  }

  #definitionOf(routed: Routed): Definition | null {
    if (routed.kind === "unroutable") return null;
    return this.#options.definitions.get(routed.definition ?? COMMAND_LINE) ?? null;
  }
}

const bodyDelayMs = ({ receiveCount }: ReceivedMessage): number =>
  Math.min(BODY_BACKOFF.capMs, BODY_BACKOFF.baseMs * 2 ** ((receiveCount ?? 1) - 1));
