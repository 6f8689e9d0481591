import { DEFAULT_SQS_QUEUE, type SqsQueueDefinition } from "../../../src/config/queue-definition.ts";
import { isHeldByWorker } from "../../../src/store/phases.ts";
import type { Store } from "../../../src/store/store.ts";
import { Crashed, Life } from "../life.ts";
import { LONG, PROGRAM_NAMES } from "../programs.ts";
import type { WorkerLife } from "../watched.ts";
import { World } from "../world.ts";
import type { HistoryEnd, HistoryOptions } from "../history.ts";
import { breakWorker, rewriting, type SqsMutation } from "./mutations.ts";
import { SqsChecks } from "./checks.ts";
import { Host } from "./host.ts";
import { Network } from "./network.ts";
import { SimulatedQueue, type StoredMessage } from "./service.ts";

/** Longer than all that was put back can take to come again. */
const LONGEST_REST_MS = 1_800_000;
/** What cannot be buried waits for longer between two tries, and keeps its group waiting. */
const LONGEST_UNBURIED_MS = 24 * LONGEST_REST_MS;
const LONGEST_STOP_MS = 600_000;
const LOOK_EVERY_MS = 5000;
const HOUR_MS = 3_600_000;
/** What no definition is for. */
const GARBAGE = 0.08;

/** One history: messages, hosts, faults, and the good weather after them. */
class SqsHistory {
  readonly world: World;
  readonly checks: SqsChecks;
  readonly hosts: readonly Host[];
  readonly queue: SimulatedQueue;
  readonly #network: Network;
  readonly #definition: SqsQueueDefinition;
  readonly #isDense: boolean;
  readonly #mutation: SqsMutation | null;
  #isOver = false;
  #users = 0;

  constructor(world: World, isDense: boolean, mutation: SqsMutation | null) {
    const { random } = world;
    this.world = world;
    this.#isDense = isDense;
    this.#mutation = mutation;
    this.checks = new SqsChecks(world);
    const suffix = random.chance(0.3) ? ".fifo" : "";
    const target = new SimulatedQueue(world, NOBODY, `dead${suffix}`, null);
    const most = random.pick(isDense ? [1, 1, 2, 3] : [1, 2, 3, 3, 5]);
    const redrive = random.chance(0.8) ? { most, target, isDenied: random.chance(0.1) } : null;
    this.queue = new SimulatedQueue(world, this.checks, `jobs${suffix}`, redrive);
    this.#network = new Network(world, [this.queue, target], this.checks);
    this.checks.network = this.#network;
    this.#definition = {
      ...DEFAULT_SQS_QUEUE,
      url: this.queue.url,
      visibilityMs: random.pick([15_000, 20_000, 30_000, 60_000]),
      waitSeconds: random.pick([null, null, 3]),
      onUnroutable: random.chance(0.8) ? "bury" : "leave",
      onExhausted: random.chance(0.5) ? "leave" : "delete",
    };
    this.hosts = Array.from({ length: random.between(1, 3) }, (_, index) => this.#host("abc"[index] ?? "z"));
  }

  #host(name: string): Host {
    return new Host({
      world: this.world,
      name,
      network: this.#network,
      definition: this.#definition,
      watch: (host) => this.checks.of(host),
      rewrite: rewriting(this.#mutation),
    });
  }

  async tell(): Promise<void> {
    const { world } = this;
    const { random } = world;
    const lengthMs = random.between(30_000, random.pick([90_000, 300_000]));
    this.#network.faultRate = random.pick(this.#isDense ? [0, 0.05, 0.2] : [0, 0.05, 0.05, 0.05]);
    if (this.#isDense) this.queue.twice = 0.2;
    for (let count = random.between(3, 25); count > 0; count -= 1) {
      world.after(random.between(0, lengthMs), null, () => this.#send());
    }
    const faults = this.#isDense ? 40 : random.chance(0.1) ? 0 : random.between(1, 20);
    for (let count = faults; count > 0; count -= 1) {
      world.after(random.between(0, lengthMs), null, () => this.#fault());
    }
    this.#keepStaffed();
    await world.run(() => false, lengthMs);
    await this.#comeToRest();
  }

  #send(): void {
    const { random } = this.world;
    const number = this.checks.messages.length + 1;
    const program = random.chance(0.3) ? random.pick(LONG) : random.pick(PROGRAM_NAMES);
    const isGarbage = random.chance(GARBAGE);
    const body = isGarbage ? `what is this? ${number}` : JSON.stringify({ job: program, params: {}, number });
    const id = random.chance(0.3) ? random.hex(32) : null;
    const message = this.queue.send({
      body,
      attributes: !isGarbage && id !== null ? { "reeve.job": { DataType: "String", StringValue: id } } : {},
      group: `group ${random.between(1, 3)}`,
      deduplicationId: String(number),
    });
    this.world.say("", `${isGarbage ? "garbage" : program} is sent as ${message.id.slice(0, 8)}`);
    this.checks.sent(message);
  }

  /** Somebody always starts another worker. */
  #keepStaffed(): void {
    if (this.#isOver) return;
    const { random } = this.world;
    for (const host of this.hosts) if (host.living.length < random.between(1, 2)) host.startWorker(false);
    this.world.after(random.between(1000, 15_000), null, () => this.#keepStaffed());
  }

  #fault(): void {
    const { world, hosts } = this;
    const { random } = world;
    const host = random.pick(hosts);
    const { living } = host;
    if (this.#isOver || living.length === 0) return;
    const one = random.pick(living);
    const dice = random.next();
    if (dice < 0.08) return one.life.die("killed");
    if (dice < 0.18) return this.#pause(one.life);
    if (dice < 0.38) return this.#sleep(host);
    if (dice < 0.52) return this.#stop(one);
    if (dice < 0.56) return void world.after(0, one.life, () => one.worker.finish("SIGUSR1"));
    if (dice < 0.6) return this.#standStill(one);
    if (dice < 0.7) return this.#steer(host);
    if (dice < 0.75) return this.#signalSomething(host);
    if (dice < 0.79) return world.jump(random.between(-2 * HOUR_MS, 2 * HOUR_MS) >> random.between(0, 12));
    if (dice < 0.83) return this.#forAWhile("the disk is full", (is) => this.#fill(host, is));
    if (dice < 0.87) return this.#forAWhile("the store is busy", (is) => (host.machine.disk.busy = is ? 0.7 : 0));
    if (dice < 0.9) return this.#forAWhile("rings are lost", (is) => (host.bells.lost = is ? 0.5 : 0));
    if (dice < 0.92) return this.#forAWhile("resources are scarce", (is) => (host.machine.scarcity = is ? 0.7 : 0));
    if (dice < 0.95) return this.#forAWhile("the service is out of reach", (is) => (this.#network.isDown = is), 8);
    if (dice < 0.98) return this.#redrive();
    return host.reboot();
  }

  #fill({ machine }: Host, isFull: boolean): void {
    machine.disk.isFull = isFull;
    // What is not the store's waits for room as well.
    this.world.storeFailedAt = this.world.now;
  }

  /** Somebody sends a dead letter back: it is another message, with the same job. */
  #redrive(): void {
    const { target } = this.queue.redrive ?? {};
    const [letter] = target?.receive(1, 0, new Life("redrive", this.world, 0)) ?? [];
    if (!target || !letter) return;
    target.remove(letter.receipt);
    const { id, body, attributes, group } = letter.message;
    const again = this.queue.send({ body, attributes, group, deduplicationId: id });
    this.world.say("", `dead letter ${id.slice(0, 8)} is sent back as ${again.id.slice(0, 8)}`);
    this.checks.sent(again);
  }

  #pause(life: Life): void {
    life.pause();
    this.world.after(this.world.random.between(10, 90_000), null, () => {
      life.resume();
      this.checks.woke(life);
    });
  }

  /** All that is on it stands still, and time goes on. */
  #sleep({ living, machine: { table } }: Host): void {
    const { random } = this.world;
    const moving = table.all.filter(({ isStopped }) => !isStopped);
    for (const { life } of living) life.sleep();
    for (const one of moving) one.standStill();
    this.world.after(random.between(100, random.pick([20_000, 90_000, HOUR_MS])), null, () => {
      for (const one of moving) if (table.isAlive(one)) one.goOn();
      for (const { life } of living) {
        life.wake();
        this.checks.woke(life);
      }
    });
  }

  #stop(one: WorkerLife): void {
    const { world } = this;
    for (const delay of world.random.pick([[0], [0], [0, 100], [0, 2500]])) {
      world.after(delay, one.life, () => {
        one.life.say("is asked to stop");
        if (one.stopAskedAt !== null && world.now - one.stopAskedAt >= 2000) one.nowAskedAt ??= world.now;
        one.stopAskedAt ??= world.now;
        one.worker.stop("a signal");
      });
    }
  }

  #standStill({ life, worker }: WorkerLife): void {
    this.world.after(0, life, () => worker.standStill(true));
    this.world.after(this.world.random.between(1, 60_000), life, () => worker.standStill(false));
  }

  #signalSomething({ machine: { table } }: Host): void {
    if (table.all.length === 0) return;
    const { pid } = this.world.random.pick(table.all);
    table.signal([pid], this.world.random.pick(["SIGKILL", "SIGTERM"]), "outside");
  }

  #forAWhile(what: string, set: (is: boolean) => void, times = 1): void {
    const { world } = this;
    world.say("", what);
    set(true);
    world.after(world.random.between(10, 8000) * times, null, () => set(false));
  }

  /** Somebody asks something of a job of one host. */
  #steer(host: Host): void {
    const { random } = this.world;
    const jobs = host.observer.inPhase("EXECUTING", "SUSPENDED", "QUEUED", "UNKNOWN", "COMPLETED", "ERROR");
    if (jobs.length === 0) return;
    const { id } = random.pick(jobs);
    const verb = random.pick(["abort", "suspend", "suspend", "delete", "hold"] as const);
    this.#ask(host, id, verb);
    if (verb === "suspend") this.world.after(random.between(0, 60_000), null, () => this.#ask(host, id, "resume"));
    if (verb === "hold") this.world.after(random.between(0, 60_000), null, () => this.#ask(host, id, "start"));
  }

  #ask(host: Host, id: string, verb: "abort" | "suspend" | "resume" | "delete" | "hold" | "start"): void {
    const at = this.world.wall();
    this.#users += 1;
    const life = new Life(`u${this.#users}`, this.world, Number.POSITIVE_INFINITY);
    const store = host.openStore(life, "fail");
    const written = store.write(() => {
      store.wakeWorkers();
      steer(store, id, verb, at);
    });
    life.say(`${verb} ${id.slice(0, 8)}`);
    written.then(
      () => life.die("done"),
      (error: unknown) => life.die(`refused: ${String(error)}`),
    );
  }

  /** From here on all goes well. */
  async #comeToRest(): Promise<void> {
    const { world, hosts } = this;
    world.say("", "from here on all goes well");
    this.#isOver = true;
    world.setClock();
    Object.assign(this.#network, { faultRate: 0, isDown: false });
    this.queue.twice = 0;
    for (const { machine, bells, living } of hosts) {
      Object.assign(machine.disk, { isFull: false, busy: 0 });
      Object.assign(machine, { scarcity: 0, isTame: true });
      bells.lost = 0;
      for (const { life } of living) this.#goOn(life);
    }
    for (const host of hosts) this.#wakeJobs(host);
    for (const { living } of hosts) for (const one of living) this.#stop(one);
    for (const host of hosts) host.startWorker(true);
    this.#lookAfter();
    const longestMs = this.queue.redrive?.isDenied ? LONGEST_UNBURIED_MS : LONGEST_REST_MS;
    const isOver = await world.run(() => this.#left().length === 0, longestMs);
    const left = (): string =>
      this.#left()
        .map(({ id, visibleAt }) => `${id} ${visibleAt}`)
        .join(", ");
    world.check(isOver, "every message comes to rest", left);
    await this.#stopAll();
    if (world.violation === null) this.checks.checkEnd(this.queue);
  }

  #goOn(life: Life): void {
    life.resume();
    life.wake();
    life.survive();
    this.checks.woke(life);
  }

  /** Nobody keeps anything standing for ever. */
  #wakeJobs(host: Host): void {
    for (const { id } of host.observer.inPhase("SUSPENDED")) this.#ask(host, id, "resume");
    for (const { id } of host.observer.inPhase("HELD")) this.#ask(host, id, "start");
  }

  /** What a job of the bad days brought down is started again. */
  #lookAfter(): void {
    for (const host of this.hosts) {
      this.#wakeJobs(host);
      if (host.living.every(({ stopAskedAt }) => stopAskedAt !== null)) host.startWorker(true);
    }
    this.world.after(LOOK_EVERY_MS * 12, null, () => this.#isStopping || this.#lookAfter());
  }

  #isStopping = false;

  #left(): StoredMessage[] {
    const { messages } = this.checks;
    return messages.filter((message) => message.fate === null && !this.#isKept(message));
  }

  /** Where there are no dead letters, what nobody is for stays, and what was given up keeps its group waiting. */
  readonly #isKept = (message: StoredMessage): boolean => {
    const { queue, group } = message;
    if (queue.redrive !== null) return false;
    const first = queue.left.find((one) => one.group === group);
    const head = group === null ? message : (first ?? message);
    return this.checks.isGivenUp(head) || (this.#definition.onUnroutable === "leave" && !head.body.startsWith("{"));
  };

  async #stopAll(): Promise<void> {
    const { world, hosts } = this;
    this.#isStopping = true;
    // What another one left is seen to first.
    await world.run(() => false, 20_000);
    const all = hosts.flatMap(({ workers }) => workers);
    for (const one of all) if (!one.life.isDead) this.#stop(one);
    const isOver = await world.run(() => all.every(({ life }) => life.isDead), LONGEST_STOP_MS);
    const names = all.filter(({ life }) => !life.isDead).map(({ life }) => life.name);
    world.check(isOver, "a stop keeps to its budget", () => names.join(" "));
    await world.run(() => false, 60_000);
  }

  close(): void {
    for (const host of this.hosts) host.close();
  }
}

const NOBODY = { visible: () => {}, deleted: () => {}, moved: () => {} };

function steer(store: Store, id: string, verb: string, at: number): void {
  const job = store.jobs.byId(id);
  if (!job) return;
  const by = "user";
  if (verb === "abort") store.steering.abort(job.seq, at, by);
  else if (verb === "suspend" && job.phase === "EXECUTING") store.suspension.ask(job.seq, at, by);
  else if (verb === "resume" && job.suspendBy !== null) store.suspension.lift(job.seq, at, by);
  else if (verb === "hold" && job.phase === "QUEUED") store.steering.hold(job.seq, at, by);
  else if (verb === "start" && job.phase === "HELD") store.steering.start(job.seq, at, by);
  else if (verb === "delete" && !isHeldByWorker(job.phase)) store.forgetting.forget(job.seq, at);
}

export interface SqsHistoryOptions extends Omit<HistoryOptions, "mutation"> {
  readonly mutation?: SqsMutation;
}

/** From an empty queue, through faults, to one where each message has come to rest. */
export async function runSqsHistory({ seed, isDense, show, mutation }: SqsHistoryOptions): Promise<HistoryEnd> {
  const world = new World(seed, show ?? false);
  const history = new SqsHistory(world, isDense ?? false, mutation ?? null);
  const unheard = (error: unknown): void => {
    if (error instanceof Crashed) return;
    world.violate("no promise is broken that nobody hears of", String(error instanceof Error ? error.stack : error));
  };
  process.on("unhandledRejection", unheard);
  const repair = breakWorker(mutation ?? null);
  try {
    await history.tell();
  } finally {
    repair();
    process.off("unhandledRejection", unheard);
    history.close();
  }
  return {
    seed,
    violation: world.violation,
    hash: world.trace.hash(),
    tail: world.trace.tail(),
    events: world.events,
    jobs: history.checks.messages.length,
    workers: history.hosts.reduce((sum, { workers }) => sum + workers.length, 0),
  };
}
