import type { WorkerEvent } from "../../../src/events.ts";
import { isFinal } from "../../../src/store/phases.ts";
import type { Life } from "../life.ts";
import type { VirtualProcess } from "../process-table.ts";
import type { WorkerLife } from "../watched.ts";
import type { World } from "../world.ts";
import type { Host, HostWatch } from "./host.ts";
import type { Network, NetworkWatch } from "./network.ts";
import type { Delivery, ServiceWatch, SimulatedQueue, StoredMessage } from "./service.ts";
import type { ConnectionWatch, Verb } from "./watched-connection.ts";

/** What a worker may believe too long: answers have been on their way, and timers are late. */
const BELIEF_MS = 2000;
/** A worker that was asleep looks once a second, and a kill takes a moment. */
const WAKING_MS = 2500;
/** A request that went wrong so long before a stop may still hold it up. */
const TROUBLE_MS = 30_000;
const TELL_SLACK_MS = 1000;

/** A job that was started for a message. */
interface Run {
  readonly host: Host;
  readonly life: Life;
  readonly job: string;
  readonly attempt: number;
  readonly receipt: string | null;
}

/** What one worker knows, and did, about one message. */
interface Knowledge {
  /** Until when it takes the message for its own. */
  until: number;
  /** The receipts that it has asked with, or that were given to it to run. */
  readonly receipts: Set<string>;
}

/** All that must hold while messages are worked on. */
export class SqsChecks implements ServiceWatch, NetworkWatch {
  readonly world: World;
  readonly #hosts: Host[] = [];
  readonly #hostOf = new Map<Life, Host>();
  /** By their ids, and by the bodies that no two have. */
  readonly #messages = new Map<string, StoredMessage>();
  readonly #bodies = new Map<string, StoredMessage>();
  readonly #runs = new Map<string, Run[]>();
  readonly #known = new Map<Life, Map<string, Knowledge>>();
  readonly #underway = new Map<string, Verb>();
  readonly #settled = new Set<string>();
  readonly #lost = new Set<string>();
  readonly #refused = new Set<string>();
  /** Attempts of which their worker has told that their lease is lost. */
  readonly #lostRuns = new Set<string>();
  readonly #decided = new Set<string>();
  /** Who knows of a copy among the dead letters, by host and message. */
  readonly #copies = new Map<string, { readonly by: Life; readonly at: number }>();
  network: Network | null = null;

  constructor(world: World) {
    this.world = world;
  }

  sent(message: StoredMessage): void {
    this.#messages.set(message.id, message);
    this.#bodies.set(message.body, message);
  }

  get messages(): readonly StoredMessage[] {
    return [...this.#messages.values()];
  }

  #check(holds: boolean, invariant: string, detail: () => string): void {
    this.world.check(holds, invariant, detail);
  }

  /** What is looked at on one host. */
  of(host: Host): HostWatch {
    this.#hosts.push(host);
    const connection: ConnectionWatch = {
      received: (life, message, visibilityMs) => this.#received(host, life, message, visibilityMs),
      copied: (life, message, begun) => this.#copied(host, life, message, begun),
      asking: (life, verb, receipt) => this.#asking(life, verb, receipt),
      asked: (life, verb, receipt, how, until) => this.#asked(life, verb, receipt, how, until),
    };
    return {
      ...connection,
      spawning: (life, { job, attempt, role }) => {
        if (role === "job") return this.#spawning(host, life, job, attempt);
        // What is owed is done when the message has come again.
        const isOwed = host.observer.attemptOf(job) > attempt;
        const isLost = !isOwed && this.#lostRuns.has(`${life.name} ${job} ${attempt}`);
        this.#check(!isLost, "no exit handler after a lost lease", () => `${life.name}: ${job}`);
      },
      spawned: () => {},
      treeGone: () => {},
      letGo: () => {},
      outlived: () => {},
      recovering: () => {},
      ended: () => {},
      signalling: () => {},
      told: (life, event) => this.#told(host, life, event),
      workerEnded: (ended) => this.#workerEnded(ended),
    };
  }

  #knows(life: Life, message: string): Knowledge {
    const ofLife = this.#known.get(life) ?? new Map<string, Knowledge>();
    this.#known.set(life, ofLife);
    const known = ofLife.get(message) ?? { until: Number.NEGATIVE_INFINITY, receipts: new Set<string>() };
    ofLife.set(message, known);
    return known;
  }

  /** What comes again while it is run is still the worker's for as long as it was. */
  #received(host: Host, life: Life, message: string, visibilityMs: number): void {
    this.#hostOf.set(life, host);
    const runs = this.#runs.get(message) ?? [];
    const isRun = runs.some((run) => run.life === life && this.#living(run).length > 0);
    if (!isRun) this.#knows(life, message).until = this.world.now + visibilityMs;
  }

  // Requests.

  #asking(life: Life, verb: Verb, receipt: string): void {
    const what = (): string => `${life.name}: ${verb} ${receipt}`;
    const name = `${life.name} ${receipt}`;
    life.say(`asks: ${verb} ${receipt}`);
    const other = this.#underway.get(name);
    const [one, another] = [
      "no two requests about one delivery are under way together",
      () => `${what()} and ${other}`,
    ];
    this.#check(other === undefined, one, another);
    this.#check(!this.#settled.has(name), "nothing is asked about a delivery that is settled", what);
    const delivery = this.#delivery(receipt);
    const isAnothers = this.#lost.has(name) || (delivery !== undefined && this.#isOver(life, delivery));
    this.#check(!isAnothers, "nothing is asked about a delivery whose lease is lost", what);
    this.#underway.set(name, verb);
    if (delivery) this.#knows(life, delivery.message.id).receipts.add(receipt);
    const isLast = delivery && isLastOf(delivery);
    const mayBePutBack = !isLast || this.#refused.has(name);
    this.#check(verb !== "release" || mayBePutBack, "nothing is put back on its last delivery", what);
  }

  /** Of what is run, its worker knows until when. */
  #isOver(life: Life, { message, receipt }: Delivery): boolean {
    const { until, receipts } = this.#knows(life, message.id);
    const isRun = receipts.has(receipt) && this.#runs.get(message.id)?.some((run) => run.life === life);
    return isRun === true && this.world.now > until;
  }

  #asked(life: Life, verb: Verb, receipt: string, how: string, until: number | null): void {
    const name = `${life.name} ${receipt}`;
    this.#underway.delete(name);
    if (how !== "ok") life.say(`is told of ${verb} ${receipt}: ${how}`);
    if (how === "lease lost") this.#lost.add(name);
    else if (how !== "ok") this.#refused.add(name);
    else if (verb !== "extend") this.#settled.add(name);
    const delivery = this.#delivery(receipt);
    if (until !== null && delivery) this.#knows(life, delivery.message.id).until = until;
  }

  #delivery(receipt: string): Delivery | undefined {
    for (const { deliveries } of this.#messages.values()) {
      const found = deliveries.find((one) => one.receipt === receipt);
      if (found) return found;
    }
    return undefined;
  }

  // Runs.

  #spawning(host: Host, life: Life, job: string, attempt: number): void {
    const id = host.observer.messageOf(job);
    const message = this.#messages.get(id);
    const what = (): string => `${life.name} starts ${job.slice(0, 8)} for ${id.slice(0, 8)}`;
    this.#check(message !== undefined, "what is run is a message", what);
    if (!message) return;
    const runs = this.#runs.get(id) ?? [];
    const others = runs.filter((run) => run.host === host && host.machine.table.of(run.job, "job").length > 0);
    this.#check(others.length === 0, "no message runs beside itself on one store", what);
    const isDecided = host.observer.jobsOf(id).some(({ phase, verdict }) => isFinal(phase) && isTold(verdict));
    const again = isDecided || this.#decided.has(`${host.name} ${id}`);
    this.#check(!again, "what was decided is not run again", what);
    const earlier = message.queue.left.filter(
      ({ group, sentAt }) => group === message.group && sentAt < message.sentAt,
    );
    const isInOrder = message.group === null || earlier.length === 0;
    this.#check(isInOrder, "a group is worked on in order", () => `${what()} before ${earlier[0]?.id.slice(0, 8)}`);
    const own = message.deliveries.findLast(({ by, arrivedAt }) => by === life && arrivedAt !== null);
    if (own) this.#knows(life, id).receipts.add(own.receipt);
    this.#runs.set(id, [...runs, { host, life, job, attempt, receipt: own?.receipt ?? null }]);
  }

  /** What could still do something, and was not told to end. */
  #living({ host, job, attempt }: Run): readonly VirtualProcess[] {
    return host.machine.table.ofTree({ job, attempt, role: "job" }).filter(({ isDoomed }) => !isDoomed);
  }

  /** What cleans up after it, or after an earlier attempt. */
  #tidying({ host, job }: Run): readonly VirtualProcess[] {
    return host.machine.table.of(job, "exit handler").filter(({ isDoomed }) => !isDoomed);
  }

  #told(host: Host, life: Life, event: WorkerEvent): void {
    if (life.isDead) return;
    life.say(`${event.type}${wordsOf(event)}`);
    if (event.type === "lease lost") this.#lostRuns.add(`${life.name} ${event.job} ${event.attempt}`);
    if (event.type === "job ended" && isTold(event.settlement.verdict.kind)) {
      this.#decided.add(`${host.name} ${host.observer.messageOf(event.job)}`);
    }
  }

  // The service.

  /** From now on another host could have it: nobody may still run it who could have known. */
  visible(message: StoredMessage): void {
    for (const run of this.#runs.get(message.id) ?? []) {
      const { life } = run;
      const { until } = this.#knows(life, message.id);
      const wasMisled = until > message.visibleAt + BELIEF_MS;
      const [last] = message.deliveries.slice(-1);
      const isFair = last !== undefined && life.wasUndisturbedSince(last.at) && !wasMisled;
      const tidying = life === last?.by ? this.#tidying(run) : [];
      const left = isFair ? [...this.#living(run), ...tidying] : [];
      const say = (): string => `${life.name}, ${run.job.slice(0, 8)}: ${left.map(({ pid }) => pid).join(" ")}`;
      this.#check(left.length === 0, "a lease is not outlived", say);
    }
  }

  deleted(message: StoredMessage, { by, receipt }: Delivery): void {
    const host = this.#hostOf.get(by);
    const jobs = host?.observer.jobsOf(message.id) ?? [];
    const isAcknowledged = jobs.some(({ verdict }) => verdict === "acknowledge");
    const { redrive } = message.queue;
    const isCopied = redrive?.target.messages.some(({ body }) => body === message.body) ?? false;
    const say = (): string => `${by.name} deletes ${receipt}: ${JSON.stringify(jobs)}`;
    this.#check(isAcknowledged || isCopied, "nothing is deleted without a verdict that says so", say);
  }

  /** Who has run its last delivery moves it with the reason, unless something kept it from that. */
  moved(message: StoredMessage): void {
    const last = message.deliveries.at(-1);
    if (!last || message.queue.redrive?.isDenied || message.disturbedAt >= last.at) return;
    const { by, at, receipt } = last;
    const runs = this.#runs.get(message.id) ?? [];
    const wasRun = runs.some((run) => run.life === by && run.receipt === receipt);
    const isWell = by.wasUndisturbedSince(at) && this.world.storeFailedAt < at;
    const isTrusted = this.network?.wasGoodSince(by, at) === true && !this.#lost.has(`${by.name} ${receipt}`);
    const couldDoBetter = wasRun && isWell && isTrusted;
    this.#check(!couldDoBetter, "nothing that was run is given up without a reason", () => `${by.name}: ${receipt}`);
  }

  buried(body: string, by: Life): void {
    this.#check(this.#bodies.has(body), "a dead letter is what its message was", () => `${by.name}: ${body}`);
  }

  #copied(host: Host, by: Life, message: string, begun: number): void {
    const name = `${host.name} ${message}`;
    const before = this.#copies.get(name);
    // Who died may have known it alone; and of a message that was delivered twice two may be made side by side.
    const isFirst = before === undefined || before.by.isDead || begun <= before.at;
    this.#check(isFirst, "a dead letter is copied once", () => `${by.name}, after ${before?.by.name}: ${message}`);
    this.#copies.set(name, { by, at: this.world.now });
  }

  // Stops and pauses.

  /** It was paused, or its machine slept, and goes on. */
  woke(life: Life): void {
    const at = this.world.now;
    this.world.after(WAKING_MS, null, () => {
      if (!life.wasUndisturbedSince(at + 1)) return;
      for (const [id, runs] of this.#runs) {
        const { until } = this.#knows(life, id);
        if (until >= at) continue;
        const left = runs.filter((run) => run.life === life).flatMap((run) => this.#living(run));
        const say = (): string => `${life.name}, ${id.slice(0, 8)}: ${left.map(({ pid }) => pid).join(" ")}`;
        this.#check(left.length === 0, "what was lost while nobody looked is ended at once", say);
      }
    });
  }

  #workerEnded({ life, stopAskedAt, nowAskedAt, stopBudgetMs }: WorkerLife): void {
    const { world } = this;
    const mine = [...this.#runs].flatMap(([id, runs]) => (runs.some((run) => run.life === life) ? [id] : []));
    const left = [...this.#runs.values()].flat().filter((run) => run.life === life && this.#living(run).length > 0);
    this.#check(left.length === 0, "no worker leaves its processes behind", () => life.name);
    if (stopAskedAt === null || !life.wasUndisturbedSince(stopAskedAt)) return;
    if (world.storeFailedAt >= stopAskedAt - TROUBLE_MS) return;
    const took = world.now - stopAskedAt;
    const inTime = took <= stopBudgetMs + TELL_SLACK_MS;
    this.#check(inTime, "a stop keeps to its budget", () => `${life.name}: ${took} ms of ${stopBudgetMs}`);
    const isKillable = this.#hosts.every(({ machine }) => machine.table.stuckUntil < stopAskedAt);
    const isFair =
      isKillable && nowAskedAt === null && this.network?.wasGoodSince(life, stopAskedAt - TROUBLE_MS) === true;
    if (isFair) for (const id of mine) this.#checkPutBack(life, id);
  }

  /** All that it had has been told of, unless it could not be. */
  #checkPutBack(life: Life, id: string): void {
    const last = this.#messages.get(id)?.deliveries.at(-1);
    if (!last || last.by !== life || last.message.fate !== null || last.arrivedAt === null) return;
    const name = `${life.name} ${last.receipt}`;
    if (this.#runs.get(id)?.some(({ job, attempt }) => this.#lostRuns.has(`${life.name} ${job} ${attempt}`))) return;
    if (this.#knows(life, id).until <= this.world.now) return;
    const isSeenTo = this.#settled.has(name) || this.#lost.has(name) || this.#refused.has(name);
    const isMine = this.#runs.get(id)?.some((run) => run.life === life && run.receipt === last.receipt) ?? false;
    this.#check(isSeenTo || !isMine, "a stop puts back what it had", () => name);
  }

  // The end.

  /** There is no place for dead letters, and it is recorded why it would be one. */
  isGivenUp({ id }: StoredMessage): boolean {
    const jobs = this.#hosts.flatMap(({ observer }) => observer.jobsOf(id));
    return jobs.some(({ phase, verdict }) => phase === "ERROR" && verdict === "bury");
  }

  checkEnd(queue: SimulatedQueue): void {
    for (const { id, body, fate } of this.#messages.values()) {
      if (fate?.kind !== "moved") continue;
      const isThere = queue.redrive?.target.messages.some((one) => one.body === body) ?? false;
      this.#check(isThere, "no message is lost", () => id);
    }
    for (const { name, observer, machine } of this.#hosts) {
      const open = observer.inPhase("EXECUTING", "SUSPENDED");
      this.#check(open.length === 0, "every job comes to rest", () => `${name}: ${JSON.stringify(open)}`);
      const { now } = this.world;
      const living = machine.table.all.filter(({ unkillableUntil }) => unkillableUntil < now);
      this.#check(living.length === 0, "no process is left", () => `${name}: ${living.map(({ pid }) => pid).join()}`);
      this.#check(observer.workers === 0, "no dead worker is left", () => `${name}: ${observer.workers}`);
    }
  }
}

const isTold = (verdict: string | null): boolean => verdict === "acknowledge" || verdict === "bury";

/** Put back, it would be moved by the policy. */
const isLastOf = ({ message, number }: Delivery): boolean =>
  message.queue.redrive !== null && number >= message.queue.redrive.most;

function wordsOf(event: WorkerEvent): string {
  switch (event.type) {
    case "lease lost":
    case "not told":
    case "worker stopping":
      return `: ${event.why}`;
    case "trouble":
    case "warning":
    case "queue trouble":
      return `: ${event.what}`;
    case "job ended":
      return `: ${event.job.slice(0, 8)} ${JSON.stringify(event.settlement)}`;
    default:
      return "";
  }
}
