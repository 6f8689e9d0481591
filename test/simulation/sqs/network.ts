import * as sdk from "@aws-sdk/client-sqs";
import type { ServiceInputTypes, ServiceOutputTypes } from "@aws-sdk/client-sqs";
import { Unanswered } from "../../../src/queue/sqs/failures.ts";
import { unreachable } from "../../../src/errors.ts";
import { Crashed, type Life } from "../life.ts";
import type { Random } from "../random.ts";
import type { World } from "../world.ts";
import type { Delivery, SimulatedQueue } from "./service.ts";

/** What may go wrong with one request. */
type Fault =
  /** Nothing comes of it, and nobody says so. */
  | "swallowed"
  /** The connection is reset before the service has it. */
  | "reset"
  /** The service did it, and the answer is lost. */
  | "answer lost"
  /** The service did it, and the answer takes long. */
  | "answer late"
  /** The service gets it long after it was sent, perhaps when nobody waits any more. */
  | "request late"
  | "throttled"
  | "internal error"
  /** The answer is 200, and says of some entries that they failed. */
  | "entries fail";

const FAULTS: readonly Fault[] = [
  "swallowed",
  "reset",
  "answer lost",
  "answer lost",
  "answer late",
  "request late",
  "throttled",
  "internal error",
  "entries fail",
  "entries fail",
];

/** Milliseconds on the way to the service, and back. */
const WAY_MS = 25;
const SLOW_WAY_MS = 1500;

/** How one request is dealt with. */
interface Dealing {
  readonly fault: Fault | null;
  /** Milliseconds before the service has it, and from its answer until that is there. */
  readonly outMs: number;
  readonly backMs: number;
}

const noop = (): void => {};

const METADATA = { $metadata: { httpStatusCode: 200 } };

const serverError = (name: string, message: string, status: number): Error =>
  new sdk.SQSServiceException({ name, message, $fault: "server", $metadata: { httpStatusCode: status } });

const invalidReceipt = (): Error =>
  new sdk.ReceiptHandleIsInvalid({
    message: "The input receipt handle is invalid.",
    $metadata: { httpStatusCode: 400 },
  });

const notInFlight = (): Error =>
  new sdk.MessageNotInflight({ message: "it is not in flight", $metadata: { httpStatusCode: 400 } });

const denied = (): Error =>
  new sdk.SQSServiceException({
    name: "AccessDeniedException",
    message: "not authorized to perform: sqs:SendMessage",
    $fault: "client",
    $metadata: { httpStatusCode: 403 },
  });

/** What is told of what passes here. */
export interface NetworkWatch {
  /** Somebody sent a dead letter, and the service has it. */
  buried(body: string, by: Life): void;
}

/** Between workers and the service: requests are the SDK's own, answers come late, twice acted on, or never. */
export class Network {
  readonly #world: World;
  readonly #queues: ReadonlyMap<string, SimulatedQueue>;
  readonly #watch: NetworkWatch;
  /** How probable it is that a request goes wrong. */
  faultRate = 0;
  /** Nothing gets through. */
  isDown = false;
  /** When a request of each life last went wrong. */
  readonly #failedAt = new Map<Life, number>();

  constructor(world: World, queues: readonly SimulatedQueue[], watch: NetworkWatch) {
    this.#world = world;
    this.#queues = new Map(queues.map((queue) => [queue.url, queue]));
    this.#watch = watch;
  }

  /** Whether all that it has asked since then went as it should. */
  wasGoodSince(life: Life, at: number): boolean {
    return (this.#failedAt.get(life) ?? Number.NEGATIVE_INFINITY) < at;
  }

  clientOf(life: Life): sdk.SQSClient {
    const credentials = { accessKeyId: "simulated", secretAccessKey: "simulated" };
    const client = new sdk.SQSClient({ region: "eu-west-1", credentials, md5: false });
    client.middlewareStack.add(
      () =>
        async ({ input }) => ({ output: await this.#ask(life, input), response: {} }),
      { step: "initialize", priority: "high", name: "simulated" },
    );
    return client;
  }

  /** A process that died of its asking hears nothing any more. */
  #ask(life: Life, input: ServiceInputTypes): Promise<ServiceOutputTypes> {
    const answer = Promise.withResolvers<ServiceOutputTypes>();
    try {
      life.reach("before a request");
      this.#send(life, input, answer);
      life.reach("after a request");
    } catch (error) {
      if (!(error instanceof Crashed)) throw error;
    }
    return answer.promise;
  }

  #deal(): Dealing {
    const { random } = this.#world;
    const fault = this.isDown
      ? random.pick<Fault>(["swallowed", "reset"])
      : random.chance(this.faultRate)
        ? random.pick(FAULTS)
        : null;
    const way = (): number => random.between(1, random.chance(this.faultRate) ? SLOW_WAY_MS : WAY_MS);
    const longMs = random.between(2000, 12_000);
    return {
      fault,
      outMs: fault === "request late" ? longMs : way(),
      backMs: fault === "answer late" ? longMs : way(),
    };
  }

  #send(life: Life, input: ServiceInputTypes, { resolve, reject }: PromiseWithResolvers<ServiceOutputTypes>): void {
    const dealing = this.#deal();
    const { fault, outMs, backMs } = dealing;
    if (fault !== null) {
      this.#failedAt.set(life, this.#world.now);
      life.say(`a request goes wrong: ${fault}`);
    }
    const fail = (error: Error, afterMs: number): void => void this.#world.after(afterMs, life, () => reject(error));
    if (fault === "swallowed") return;
    if (fault === "reset") return fail(new Unanswered("ECONNRESET", "the connection was reset"), outMs);
    if (fault === "throttled") return fail(throttled(), outMs);
    if (fault === "internal error") return fail(serverError("InternalFailure", "try again", 500), outMs);
    const answered = (output: ServiceOutputTypes, arrived: () => void): void => {
      if (fault === "answer lost") return this.#loseAnswer(fail, backMs);
      this.#world.after(backMs, life, () => {
        arrived();
        resolve(output);
      });
    };
    this.#world.after(outMs, null, () => {
      try {
        this.#act(life, input, dealing, answered);
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)), backMs);
      }
    });
  }

  /** With a reset, or in silence. */
  #loseAnswer(fail: (error: Error, afterMs: number) => void, backMs: number): void {
    if (this.#world.random.chance(0.5)) fail(new Unanswered("ECONNRESET", "the connection was reset"), backMs);
  }

  #act(
    life: Life,
    input: ServiceInputTypes,
    dealing: Dealing,
    answered: (output: ServiceOutputTypes, arrived: () => void) => void,
  ): void {
    if ("QueueName" in input) return answered({ ...METADATA, QueueUrl: this.#named(input.QueueName).url }, noop);
    const queue = this.#queues.get("QueueUrl" in input ? (input.QueueUrl ?? "") : "");
    if (!queue) throw serverError("QueueDoesNotExist", "there is no such queue", 400);
    if ("WaitTimeSeconds" in input) return this.#poll(life, queue, input, answered);
    if ("AttributeNames" in input) return answered({ ...METADATA, Attributes: attributesOf(queue) }, noop);
    if ("ReceiptHandle" in input && "VisibilityTimeout" in input) {
      const isLate = dealing.fault === "request late";
      return this.#change(queue, input, isLate, () => answered(METADATA, noop));
    }
    if (!("Entries" in input)) throw serverError("InvalidAction", "that is not simulated", 400);
    return this.#batch(life, queue, input.Entries ?? [], dealing, answered);
  }

  #named(name: string | undefined): SimulatedQueue {
    const queue = [...this.#queues.values()].find((one) => one.name === name);
    if (!queue) throw serverError("QueueDoesNotExist", "there is no such queue", 400);
    return queue;
  }

  #change(
    queue: SimulatedQueue,
    { ReceiptHandle: receipt = "", VisibilityTimeout: seconds = 0 }: sdk.ChangeMessageVisibilityCommandInput,
    isLate: boolean,
    answered: () => void,
  ): void {
    const done = queue.change(receipt, seconds, isLate);
    switch (done) {
      case "done":
        return answered();
      case "invalid":
        throw invalidReceipt();
      case "not in flight":
        throw notInFlight();
      default:
        return unreachable(done);
    }
  }

  /** Waits for a first message, whether or not anybody still waits for the answer. */
  #poll(
    life: Life,
    queue: SimulatedQueue,
    { MaxNumberOfMessages: most = 1, WaitTimeSeconds: seconds = 0, VisibilityTimeout: visibility = 30 }: Poll,
    answered: (output: ServiceOutputTypes, arrived: () => void) => void,
  ): void {
    const end = this.#world.now + seconds * 1000;
    let unwait = noop;
    let cancel = noop;
    const look = (): void => {
      unwait();
      cancel();
      const given = queue.receive(most, visibility * 1000, life);
      if (given.length > 0 || this.#world.now >= end) return this.#brings(given, answered);
      unwait = queue.wait(look);
      cancel = this.#world.after(end - this.#world.now, null, look);
    };
    look();
  }

  #brings(given: readonly Delivery[], answered: (output: ServiceOutputTypes, arrived: () => void) => void): void {
    for (const { receipt, by } of given) this.#world.say("sqs", `gives ${receipt} to ${by.name}`);
    answered({ ...METADATA, Messages: given.map((one) => this.#messageOf(one)) }, () => {
      for (const one of given) one.arrivedAt = this.#world.now;
    });
  }

  #messageOf({ message, receipt, number }: Delivery): sdk.Message {
    const { id, body, attributes, group } = message;
    return {
      MessageId: id,
      ReceiptHandle: receipt,
      Body: body,
      MessageAttributes: attributes,
      Attributes: { ApproximateReceiveCount: String(number), ...(group !== null && { MessageGroupId: group }) },
    };
  }

  #batch(
    life: Life,
    queue: SimulatedQueue,
    entries: readonly Entry[],
    { fault }: Dealing,
    answered: (output: ServiceOutputTypes, arrived: () => void) => void,
  ): void {
    const Successful: { Id: string; MessageId: string; MD5OfMessageBody: string }[] = [];
    const Failed: sdk.BatchResultErrorEntry[] = [];
    for (const entry of entries) {
      const { Id = "" } = entry;
      const failure = this.#failureOf(fault, this.#world.random) ?? this.#entry(life, queue, entry);
      if (failure) Failed.push({ Id, Code: failure.name, Message: failure.message, SenderFault: failure.isOurs });
      else Successful.push({ Id, MessageId: `copy of ${Id}`, MD5OfMessageBody: "" });
    }
    answered({ ...METADATA, Successful, Failed }, noop);
  }

  #failureOf(fault: Fault | null, random: Random): EntryFailure | null {
    if (fault !== "entries fail" || random.chance(0.4)) return null;
    return { name: "InternalError", message: "try again", isOurs: false };
  }

  #entry(life: Life, queue: SimulatedQueue, entry: Entry): EntryFailure | null {
    if ("MessageBody" in entry) {
      if (this.#isDenied(queue)) throw denied();
      this.#watch.buried(entry.MessageBody ?? "", life);
      queue.send({
        body: entry.MessageBody ?? "",
        attributes: entry.MessageAttributes ?? {},
        group: entry.MessageGroupId ?? null,
        deduplicationId: entry.MessageDeduplicationId ?? null,
      });
      return null;
    }
    const isDone = queue.remove("ReceiptHandle" in entry ? (entry.ReceiptHandle ?? "") : "") === "done";
    return isDone ? null : { name: "ReceiptHandleIsInvalid", message: "The receipt handle has expired", isOurs: true };
  }

  #isDenied(target: SimulatedQueue): boolean {
    return [...this.#queues.values()].some(({ redrive }) => redrive?.target === target && redrive.isDenied);
  }
}

interface EntryFailure {
  readonly name: string;
  readonly message: string;
  readonly isOurs: boolean;
}

type Poll = Pick<sdk.ReceiveMessageCommandInput, "MaxNumberOfMessages" | "WaitTimeSeconds" | "VisibilityTimeout">;

type Entry =
  sdk.DeleteMessageBatchRequestEntry | sdk.SendMessageBatchRequestEntry | sdk.ChangeMessageVisibilityBatchRequestEntry;

const throttled = (): Error => new sdk.RequestThrottled({ message: "slow down", $metadata: { httpStatusCode: 400 } });

function attributesOf({ arn, redrive }: SimulatedQueue): Record<string, string> {
  const policy = redrive && { deadLetterTargetArn: redrive.target.arn, maxReceiveCount: redrive.most };
  return {
    QueueArn: arn,
    VisibilityTimeout: "30",
    ReceiveMessageWaitTimeSeconds: "0",
    ...(policy && { RedrivePolicy: JSON.stringify(policy) }),
  };
}
