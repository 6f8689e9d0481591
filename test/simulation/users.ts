import type { Limits } from "../../src/config/definition.ts";
import { Crashed, Life } from "./life.ts";
import type { Random } from "./random.ts";
import { EXIT_HANDLER_NAMES, PROGRAM_NAMES } from "./programs.ts";
import type { NewJob } from "../../src/store/submission.ts";
import { isHeldByWorker, type Phase } from "../../src/store/phases.ts";
import type { Store } from "../../src/store/store.ts";
import type { Job } from "../../src/store/job.ts";
import { removeFiles } from "../../src/worker/reaper.ts";
import { DEFINITIONS, LIMITS, type Workplace } from "./workplace.ts";

const BY = "user";

/** People and programs that ask things of the store from outside, as the command line's verbs do. */
export class Users {
  readonly #place: Workplace;
  readonly #random: Random;
  #life: Life | null = null;
  #store: Store | null = null;
  #lives = 0;
  #isOver = false;

  constructor(place: Workplace) {
    this.#place = place;
    this.#random = place.world.random;
  }

  /** Each verb is a process; one that was killed is followed by another. */
  #open(): { life: Life; store: Store } {
    if (!this.#life || !this.#store || this.#life.isDead) {
      this.#lives += 1;
      const points = this.#random.chance(0.5) ? this.#random.between(0, 60) : Number.POSITIVE_INFINITY;
      this.#life = new Life(`u${this.#lives}`, this.#place.world, points);
      this.#store = this.#place.openStore(this.#life, "fail");
    }
    return { life: this.#life, store: this.#store };
  }

  act(): void {
    const { ledger } = this.#place;
    const dice = this.#random.next();
    if (ledger.jobs.size === 0 || dice < 0.4) return this.submit();
    if (dice < 0.5) this.#abort(this.#pick(["EXECUTING", "SUSPENDED", "UNKNOWN"]));
    else if (dice < 0.56) this.#start(this.#pick(["PENDING", "HELD"]));
    else if (dice < 0.59) this.#hold(this.#pick(["QUEUED"]));
    else if (dice < 0.73) this.#suspend(this.#pick(["EXECUTING"]));
    else if (dice < 0.81) this.#resume(this.#pick(["SUSPENDED"]));
    else if (dice < 0.92) this.#retry(this.#pick(["ERROR", "ABORTED"]));
    else this.#delete(this.#random.chance(0.3) ? this.#newest() : this.#pick([]));
  }

  /** Nobody asks for anything any more, but that what was suspended goes on. */
  end(): void {
    this.#isOver = true;
    this.#life?.die("its user has gone");
  }

  resumeAll(): void {
    this.#open().life.survive();
    for (const [id, { row, gone }] of this.#place.ledger.jobs) if (row?.suspendBy === BY && !gone) this.#resume(id);
  }

  /** Mostly a job in one of these phases, where there is one. */
  #pick(phases: readonly Phase[]): string {
    const { jobs } = this.#place.ledger;
    const fitting = [...jobs].filter(([, { row, gone }]) => row && !gone && phases.includes(row.phase));
    const [id] = this.#random.pick(fitting.length > 0 && this.#random.chance(0.8) ? fitting : [...jobs]);
    return id;
  }

  /** What follows it must not be taken for it. */
  #newest(): string {
    return [...this.#place.ledger.jobs.keys()].at(-1) ?? "";
  }

  submit(): void {
    const { ledger, world } = this.#place;
    const { life, store } = this.#open();
    const specs = Array.from({ length: this.#random.between(1, 4) }, () => newJob(this.#place));
    const records = specs.map((spec) => ledger.asked(spec, limitsOf(spec)));
    life.say(`submits ${specs.map(({ id, command, definition }) => `${id.slice(0, 6)} ${command ?? definition}`)}`);
    const written = store.write(() => {
      store.wakeWorkers();
      return store.submission.submit(specs, world.wall());
    });
    written.then(
      (ids) => records.forEach((record, index) => (record.answer = ids[index] === record.spec.id ? "told" : "refused")),
      (error: unknown) => this.#refused(life, error, () => records.forEach((record) => (record.answer = "refused"))),
    );
  }

  #refused(life: Life, error: unknown, note: () => void): void {
    if (life.isDead || error instanceof Crashed) return;
    life.say(`is refused: ${String(error)}`);
    note();
  }

  /** One verb on one job, with a wake for the workers. */
  #steer(id: string, verb: string, work: (store: Store, job: Job, at: number) => void, told = (): void => {}): void {
    const { life, store } = this.#open();
    life.say(`${verb} ${id.slice(0, 6)}`);
    const written = store.write(() => {
      store.wakeWorkers();
      const job = store.jobs.byId(id);
      if (job) work(store, job, this.#place.world.wall());
    });
    written.then(told, (error: unknown) => this.#refused(life, error, () => {}));
  }

  #abort(id: string): void {
    let isNoted = false;
    this.#steer(
      id,
      "abort",
      (store, job, at) => {
        isNoted = isHeldByWorker(store.steering.abort(job.seq, at, BY).phase);
      },
      () => {
        const record = this.#place.ledger.get(id);
        if (record && isNoted) record.abortTold = true;
      },
    );
  }

  #start(id: string): void {
    this.#steer(id, "start", (store, job, at) => {
      const record = this.#place.ledger.get(id);
      if (record && (job.phase === "PENDING" || job.phase === "HELD")) record.startedByHand = true;
      store.steering.start(job.seq, at, BY);
    });
  }

  #hold(id: string): void {
    this.#steer(id, "hold", (store, job, at) => {
      if (job.phase === "QUEUED" || job.phase === "PENDING") store.steering.hold(job.seq, at, BY);
    });
  }

  /** Some are resumed soon, or at once; some never. */
  #suspend(id: string): void {
    this.#steer(id, "suspend", (store, job, at) => {
      if (job.phase === "EXECUTING" && job.abortBy === null) store.suspension.ask(job.seq, at, BY);
    });
    if (this.#random.chance(0.7)) {
      const afterMs = this.#random.between(0, this.#random.pick([20, 500, 20_000]));
      this.#place.world.after(afterMs, null, () => this.#isOver || this.#resume(id));
    }
  }

  #resume(id: string): void {
    this.#steer(id, "resume", (store, job, at) => {
      if (job.suspendBy !== null) store.suspension.lift(job.seq, at, BY);
    });
  }

  #retry(id: string): void {
    const old = this.#place.ledger.get(id);
    if (!old?.row || old.gone || (old.row.phase !== "ERROR" && old.row.phase !== "ABORTED")) return;
    const spec: NewJob = {
      ...old.spec,
      id: this.#random.hex(32),
      after: [],
      availableAt: null,
      expiresAt: null,
      dedupeKey: null,
      hold: false,
      destruction: null,
      retryOf: id,
    };
    const record = this.#place.ledger.asked(spec, old.limits);
    this.#steer(id, `retry as ${spec.id.slice(0, 6)}`, (store, job, at) => {
      store.submission.submit([spec], at);
      store.steering.retried(job, spec.id, at, BY);
    });
    record.answer = "none";
  }

  #delete(id: string): void {
    const record = this.#place.ledger.get(id);
    if (record) record.mayGo = true;
    this.#steer(id, "delete", (store, job, at) => {
      store.steering.destroy(job.seq, at, BY);
      store.forgetting.forget(job.seq, at);
    });
    const { store, life } = this.#open();
    removeFiles({ store, emit: () => {} }).catch((error: unknown) => this.#refused(life, error, () => {}));
  }
}

function limitsOf(spec: NewJob): Limits {
  if (spec.context.kind === "command") return spec.context.limits;
  return DEFINITIONS.get(spec.definition ?? "")?.limits ?? LIMITS;
}

function newJob({ world, ledger }: Workplace): NewJob {
  const { random } = world;
  const definition = random.chance(0.2) ? random.pick([...DEFINITIONS.keys()]) : null;
  const now = world.wall();
  const after = random.chance(0.35) ? [...ledger.jobs.keys()].slice(-8).filter(() => random.chance(0.3)) : [];
  const there = after.filter((id) => ledger.get(id)?.row && !ledger.get(id)?.gone);
  return {
    id: random.hex(32),
    definition,
    context: definition === null ? commandContext(random) : { kind: "definition" },
    command: definition === null ? [random.pick(PROGRAM_NAMES)] : null,
    parameters: [],
    attributes: {},
    body: null,
    runId: null,
    owner: null,
    priority: random.between(-1, 1),
    executionDuration: random.chance(0.2) ? random.between(1, 20) : 0,
    availableAt: random.chance(0.15) ? now + random.between(0, 60_000) : null,
    expiresAt: random.chance(0.15) ? now + random.between(0, 60_000) : null,
    destruction: random.chance(0.1) ? now + random.between(0, 90_000) : null,
    hold: random.chance(0.08),
    after: there,
    dedupeKey: random.chance(0.1) ? `key ${random.between(1, 3)}` : null,
    retryOf: null,
  };
}

function commandContext(random: Random): NewJob["context"] {
  const exitHandler = random.chance(0.6) ? [random.pick(EXIT_HANDLER_NAMES)] : null;
  const limits: Limits = {
    ...LIMITS,
    timeoutMs: random.chance(0.3) ? random.between(200, 15_000) : null,
    graceMs: random.pick([0, 500, 5000, 10_000, 40_000]),
    maxAttempts: random.between(1, 4),
    maxLost: random.between(1, 4),
    onLost: random.chance(0.8) ? "release" : "fail",
    onSignal: random.chance(0.5) ? "release" : "fail",
    releaseDelayMs: random.between(0, 2000),
    backoffBaseMs: random.between(0, 5000),
    backoffCapMs: 20_000,
    finishMs: random.chance(0.3) ? random.between(100, 30_000) : 0,
    termExitZero: random.chance(0.8) ? "release" : "completed",
    exitHandlerMs: random.pick([500, 5000, 30_000]),
    outlive: random.chance(0.3),
  };
  return { kind: "command", cwd: "/", environment: {}, secrets: [], limits, ...(exitHandler && { exitHandler }) };
}
