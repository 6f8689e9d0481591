import { runtime } from "../../../src/runtime/index.ts";
import type { Database } from "../../../src/runtime/port.ts";
import type { Phase } from "../../../src/store/phases.ts";

/** A job of a message, as it is on disk. */
export interface MessageJob {
  readonly id: string;
  readonly phase: Phase;
  readonly verdict: string | null;
  readonly worker: string | null;
}

const JOBS = `SELECT id, phase, verdict, worker FROM jobs WHERE message_id = ?1
  UNION ALL SELECT id, phase, verdict, NULL FROM tombstones WHERE message_id = ?1`;

/** Looks at one host's store through a connection of its own: what it sees is committed. */
export class HostObserver {
  readonly #database: Database;
  readonly #messages = new Map<string, string>();

  constructor(path: string) {
    this.#database = runtime.openDatabase(path, { create: false });
    this.#database.exec("PRAGMA query_only = ON");
  }

  /** The message that a job came as. */
  messageOf(job: string): string {
    const known = this.#messages.get(job);
    if (known !== undefined) return known;
    const query = "SELECT message_id AS id FROM jobs WHERE id = ?";
    const id = this.#database.prepare<{ id: string | null }>(query).get(job)?.id ?? "";
    if (id !== "") this.#messages.set(job, id);
    return id;
  }

  /** The number of its newest attempt. */
  attemptOf(job: string): number {
    const query = "SELECT attempts FROM jobs WHERE id = ?";
    return this.#database.prepare<{ attempts: number }>(query).get(job)?.attempts ?? 0;
  }

  /** All that were ever made of a message, forgotten ones with them. */
  jobsOf(message: string): MessageJob[] {
    return this.#database.prepare<MessageJob>(JOBS).all(message);
  }

  /** Jobs in these phases. */
  inPhase(...phases: readonly Phase[]): MessageJob[] {
    const query = "SELECT id, phase, verdict, worker FROM jobs WHERE phase IN (SELECT value FROM json_each(?))";
    return this.#database.prepare<MessageJob>(query).all(JSON.stringify(phases));
  }

  get workers(): number {
    return this.#database.prepare("SELECT 1 FROM workers").all().length;
  }

  close(): void {
    this.#database.close();
  }
}
