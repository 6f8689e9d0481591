/**
 * What is written around `sqs-consumer` to have a program run for each message: `sqs-consumer PROGRAM COUNT CONCURRENCY
 * QUEUE_URL`.
 *
 * One poller that asks for as many messages as may run at once and deletes them together: with a message for each poller,
 * or a delete for each message, it makes up to four times the requests and is slower at every concurrency.
 */
import { argv } from "node:process";
import { SQSClient, type Message } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

const [program = "/bin/true", count = "1", concurrency = "1", queueUrl = ""] = argv.slice(2);

async function handle(message: Message): Promise<Message> {
  const child = Bun.spawn([program], { stdin: "ignore", stdout: "ignore", stderr: "ignore", detached: true });
  const code = await child.exited;
  if (code !== 0) throw new Error(`${program} ended with ${code}`);
  return message;
}

const consumer = Consumer.create({
  queueUrl,
  sqs: new SQSClient({ endpoint: new URL(queueUrl).origin, region: "us-east-1" }),
  batchSize: Number(concurrency),
  messageAttributeNames: ["All"],
  messageSystemAttributeNames: ["All"],
  handleMessageBatch: (messages) => Promise.all(messages.map(handle)),
});

let left = Number(count);
consumer.on("message_processed", () => {
  left -= 1;
  if (left === 0) consumer.stop({ abort: true });
});
consumer.on("error", (error) => {
  throw error;
});
consumer.start();
