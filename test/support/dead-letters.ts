import { ENVIRONMENT, type SqsServer } from "./sqs-server.ts";

const text = (StringValue: string) => ({ DataType: "String", StringValue });

/** What a producer of one's own may add to a message. */
export const EXTRAS = {
  kind: text("resize"),
  size: { DataType: "Number.int", StringValue: "12" },
  icon: { DataType: "Binary.png", BinaryValue: "AP8=" },
} as const;

/** A dead letter of Reeve: the job's id, its definition, and why it was given up. Gives the message's id. */
export function sendLetter(
  server: SqsServer,
  dead: string,
  { job, definition = "resize", reason = "exit code 3", fields = {} }: LetterFields,
): Promise<string> {
  const MessageAttributes = { ...EXTRAS, "reeve.job": text(job), "reeve.reason": text(reason) };
  return server.send(dead, JSON.stringify({ job: definition, params: { job } }), { MessageAttributes, ...fields });
}

interface LetterFields {
  readonly job: string;
  readonly definition?: string;
  readonly reason?: string;
  readonly fields?: object;
}

/** Sends so many, of jobs `job-of-letter-1` and so on; gives these ids. */
export async function sendLetters(server: SqsServer, dead: string, count: number): Promise<string[]> {
  const jobs = Array.from({ length: count }, (_, index) => `job-of-letter-${index + 1}`);
  for (const job of jobs) await sendLetter(server, dead, { job });
  return jobs;
}

/** How the program is told where a queue is. */
export const urlOf = (server: SqsServer, name: string): string => `${server.proxy.origin}/000000000000/${name}`;

/** What the program needs of the environment to ask the server. */
export const ASKING = { environment: ENVIRONMENT } as const;

/** The ids of the jobs whose messages wait in a queue, in the order of the alphabet. */
export async function jobsIn(server: SqsServer, name: string): Promise<string[]> {
  const waiting = await server.waiting(name);
  return waiting.map(({ messageAttributes }) => String(messageAttributes["reeve.job"]?.["StringValue"])).toSorted();
}
