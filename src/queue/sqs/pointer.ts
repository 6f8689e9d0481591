import { readNumber, type ReceivedMessage } from "./message.ts";

// The format of Amazon's extended client, which puts a large body into S3 and sends a pointer in its place:
// https://github.com/awslabs/amazon-sqs-java-extended-client-lib
// ["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"a-bucket","s3Key":"a-key"}]

/** Where a message's real body is. */
export interface Pointer {
  readonly bucket: string;
  readonly key: string;
  /** Bytes, as the sender counted them; other libraries count characters, so nothing is made of it. */
  readonly size: number | null;
}

/** The Java class that the pointer was; the second is the one of versions before 1.1. In fat jars a prefix is common. */
const POINTER_CLASS =
  /^(?:\w+\.)*(?:software\.amazon\.payloadoffloading\.PayloadS3|com\.amazon\.sqs\.javamessaging\.MessageS3)Pointer$/;

/** Attributes by which the extended client knows its pointers, now and before 1.1. */
const SIZE_ATTRIBUTES = ["ExtendedPayloadSize", "SQSLargePayloadSize"];

/** All names of buckets there ever were; dots and upper case are of the first years. */
const BUCKET = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{1,253})[A-Za-z0-9]$/;

/** What S3 takes, in bytes. */
const LONGEST_KEY = 1024;

/**
 * The pointer that a message is. Its body tells, with or without the attribute, which tools for redriving may drop; with
 * the attribute a body that is none is a problem, told in a sentence. Null: it is no pointer.
 */
export function readPointer({
  body,
  attributes,
}: Pick<ReceivedMessage, "body" | "attributes">): Pointer | { readonly problem: string } | null {
  const named = SIZE_ATTRIBUTES.find((name) => attributes.has(name));
  const [className, value] = readPair(body);
  if (typeof className !== "string" || !POINTER_CLASS.test(className)) {
    return named === undefined ? null : { problem: `it has the attribute ${named}, and its body is no pointer to S3` };
  }
  const { s3BucketName: bucket, s3Key: key } = Object(value) as Readonly<Record<string, unknown>>;
  if (typeof bucket === "string" && typeof key === "string") return { bucket, key, size: readSize(attributes, named) };
  return { problem: "its body is a pointer to S3 without s3BucketName and s3Key" };
}

/** Not every body is parsed: few are pointers, and one may have a megabyte. */
function readPair(body: string): readonly unknown[] {
  if (!/^\s*\[\s*"[\w.]{1,200}"/.test(body)) return [];
  try {
    const value: unknown = JSON.parse(body);
    return Array.isArray(value) && value.length === 2 ? value : [];
  } catch {
    // It is some text that begins like one.
    return [];
  }
}

function readSize(attributes: ReceivedMessage["attributes"], name: string | undefined): number | null {
  const attribute = attributes.get(name ?? "");
  return attribute && "text" in attribute ? readNumber(attribute.text) : null;
}

/** Why this pointer is not followed, in a sentence; null: it may be. Whoever sends a message may name any bucket. */
export function pointerProblem(pointer: Pointer, allowedBuckets: readonly string[]): string | null {
  const { bucket, key } = pointer;
  if (!BUCKET.test(bucket)) return `it points to ${quote(bucket)}, which is no bucket's name`;
  if (!allowedBuckets.includes(bucket)) return `it points to the bucket ${bucket}, which is not among pointer_buckets`;
  return keyProblem(key);
}

function keyProblem(key: string): string | null {
  const what = `it points to an object with the key ${quote(key)}`;
  if (key === "") return "it points to an object without a key";
  if (!key.isWellFormed()) return `${what}, which is no text in Unicode`;
  if (Buffer.byteLength(key) > LONGEST_KEY)
    return `${what}, which is longer than the ${LONGEST_KEY} bytes that S3 takes`;
  // What `fetch` is given is a URL, and in a URL these mean another object, however they are written.
  const moves = key.split("/").some((part) => part === "." || part === "..");
  return moves ? `${what}, which cannot be asked for: "." and ".." mean another place in a URL` : null;
}

/** A text of a stranger's, for a sentence. */
const quote = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
