import { readFileSync, rmSync } from "node:fs";
import { messageOf } from "../errors.ts";
import type { RouteAnswer } from "../config/message-route.ts";
import type { Content } from "../store/job.ts";
import type { Store } from "../store/store.ts";
import { SqsKeeping, type KeepingOptions } from "./sqs-keeping.ts";
import type { ReceivedMessage } from "./sqs/message.ts";
import type { Settled } from "./sqs/outcome.ts";
import { pointerProblem, readPointer, type Pointer } from "./sqs/pointer.ts";

export interface BodiesOptions extends KeepingOptions {
  readonly store: {
    readonly deliveries: Pick<Store["deliveries"], "bodyOf">;
    readonly jobs: Pick<Store["jobs"], "hasBody">;
    readonly location: Pick<Store["location"], "body">;
  };
  readonly worker: string;
  readonly newId: () => string;
  readonly warn: (what: string) => void;
  /** Asks modules whose a message is; null: none is to be asked about it. Absent: there is none. */
  readonly ask?: (message: ReceivedMessage, body: Content) => Promise<RouteAnswer> | null;
}

/** What a message has for its job. */
export type Body =
  | { readonly kind: "body"; readonly content: Content }
  /** It will never be had. */
  | { readonly kind: "rejected"; readonly reason: string }
  /** It cannot be had now. */
  | { readonly kind: "later"; readonly why: string }
  /** The message is another's by now. */
  | { readonly kind: "lost" };

/** A message whose body has been looked for. */
export interface Arrived {
  readonly message: ReceivedMessage;
  readonly body: Body;
  /** What modules have said of it; null: none was asked. */
  readonly routed: RouteAnswer | null;
  /** It is ours until then, by the clock that runs while the machine sleeps. */
  readonly leasedUntil: number;
}

/** What a queue itself can carry is in the job's row, however it came; what is larger stays a file. In bytes. */
const MOST_IN_ROW = 1024 * 1024;

/** What the deletion of an object may take. Nobody waits for it. */
const REMOVE_LIMIT_MS = 10_000;

/** Between two looks whether anything can still be started. */
const LOOK_EVERY_MS = 250;

/** Finds messages' bodies: in them, or in S3, where senders put what is too large for a queue. */
export class SqsBodies {
  readonly #options: BodiesOptions;

  constructor(options: BodiesOptions) {
    this.#options = options;
  }

  /**
   * While any body is fetched, or a module asked, all messages are kept from others. A body may take as long as a message
   * is ours.
   *
   * @param isWanted false: none of them could be started any more; what is still being waited for is given up
   */
  async of(messages: readonly ReceivedMessage[], isWanted: () => boolean): Promise<Arrived[]> {
    const keeping = new SqsKeeping(messages, this.#options);
    const found = messages.map((message) => this.#find(message, isWanted));
    await Promise.allSettled(found);
    await keeping.end();
    return (await Promise.all(found)).map(({ message, body, routed }) => {
      const isLost = keeping.hasLost(message);
      if (isLost) this.#discard(body);
      return { message, body: isLost ? { kind: "lost" } : body, routed, leasedUntil: keeping.untilOf(message) };
    });
  }

  async #find(message: ReceivedMessage, isWanted: () => boolean): Promise<Omit<Arrived, "leasedUntil">> {
    const body = await this.#bodyOf(message, isWanted);
    const asking = body.kind === "body" ? (this.#options.ask?.(message, body.content) ?? null) : null;
    const routed = asking && ((await this.#whileWanted(asking, isWanted)) ?? UNANSWERED);
    return { message, body, routed };
  }

  /** To be called when what arrived has been recorded, or could not be: removes the files that no job has. */
  discard(arrived: readonly Arrived[]): void {
    for (const { body } of arrived) this.#discard(body);
  }

  #discard(body: Body): void {
    if (body.kind !== "body" || body.content.kind !== "file") return;
    const { path } = body.content;
    try {
      if (!this.#options.store.jobs.hasBody(path)) rmSync(path, { force: true });
    } catch (error) {
      this.#options.warn(`${path} was not removed, and is until this worker has ended: ${messageOf(error)}`);
    }
  }

  /** Deletes the object that a message named which is deleted itself; null: there is none to be deleted. */
  remove(message: ReceivedMessage): Promise<Settled> | null {
    const { connection, definition } = this.#options;
    const pointer = definition.pointerPayloads === "delete" ? this.#pointerOf(message) : null;
    if (pointer === null || "problem" in pointer) return null;
    return connection.payloads.remove(pointer, REMOVE_LIMIT_MS);
  }

  /** With no bucket to point to there are no pointers: what looks like one is a body as any other. */
  #pointerOf(message: ReceivedMessage): Pointer | { readonly problem: string } | null {
    const { pointerBuckets } = this.#options.definition;
    const pointer = pointerBuckets.length === 0 ? null : readPointer(message);
    if (pointer === null || "problem" in pointer) return pointer;
    const problem = pointerProblem(pointer, pointerBuckets);
    return problem === null ? pointer : { problem };
  }

  async #bodyOf(message: ReceivedMessage, isWanted: () => boolean): Promise<Body> {
    const bytes = Buffer.from(message.body);
    const pointer = this.#pointerOf(message);
    if (pointer === null) return inRow(bytes);
    if ("problem" in pointer) return { kind: "rejected", reason: pointer.problem };
    const { store, definition } = this.#options;
    const known = store.deliveries.bodyOf(definition.url, message.id);
    // What was run may be deleted by now; what was rejected has no other body than the pointer.
    const isPointer = known?.kind === "inline" && bytes.equals(known.bytes);
    if (known && !isPointer) return { kind: "body", content: known };
    const fetching = this.#fetch(pointer);
    const body = await this.#whileWanted(fetching, isWanted);
    if (body === null) void fetching.then((late) => this.#discard(late));
    return body ?? GIVEN_UP;
  }

  /** A stop is not kept waiting. What is given up, which is null, ends with the connection, or the process asked. */
  async #whileWanted<T>(work: Promise<T>, isWanted: () => boolean): Promise<T | null> {
    const { clock } = this.#options;
    const unwanted = Promise.withResolvers<null>();
    const look = (): void => {
      if (isWanted()) cancel = clock.after(LOOK_EVERY_MS, look);
      else unwanted.resolve(null);
    };
    let cancel = clock.after(LOOK_EVERY_MS, look);
    try {
      return await Promise.race([work, unwanted.promise]);
    } finally {
      cancel();
    }
  }

  async #fetch(pointer: Pointer): Promise<Body> {
    const { connection, definition, store, worker, newId } = this.#options;
    const file = store.location.body(worker, newId());
    const answer = await connection.payloads.fetch(pointer, file, definition.visibilityMs);
    switch (answer.kind) {
      case "ok":
        return answer.value.bytes > MOST_IN_ROW ? inFile(file, answer.value.bytes) : taken(file);
      case "refused":
        return { kind: "rejected", reason: `its body cannot be had: ${answer.message}` };
      case "transient":
      case "fatal":
      case "lease lost":
        return { kind: "later", why: `its body cannot be had now: ${answer.message}` };
      default:
        return answer satisfies never;
    }
  }
}

const GIVEN_UP: Body = { kind: "later", why: "its job could not be started any more" };

const UNANSWERED: RouteAnswer = { kind: "undecided", why: "its job could not be started any more" };

const inRow = (bytes: Uint8Array): Body => ({ kind: "body", content: { kind: "inline", bytes } });

const inFile = (path: string, size: number): Body => ({ kind: "body", content: { kind: "file", path, size } });

/** What cannot be read for want of something may be read another time. */
function taken(file: string): Body {
  try {
    return inRow(readFileSync(file));
  } catch (error) {
    return { kind: "later", why: `its body cannot be read: ${messageOf(error)}` };
  } finally {
    rmSync(file, { force: true });
  }
}
