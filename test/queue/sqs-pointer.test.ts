import { describe, expect, test } from "bun:test";
import { configuredEndpoint } from "../../src/queue/sqs/address.ts";
import type { Attributes } from "../../src/queue/sqs/message.ts";
import { objectUrl, type S3Place } from "../../src/queue/sqs/object-address.ts";
import { pointerProblem, readPointer } from "../../src/queue/sqs/pointer.ts";

const NONE: Attributes = new Map();
const sized = (name: string, text = "300000"): Attributes => new Map([[name, { dataType: "Number", text }]]);
const PARTS = '{"s3BucketName":"bodies","s3Key":"a/b"}';
const POINTER = `["software.amazon.payloadoffloading.PayloadS3Pointer",${PARTS}]`;
const OLDER = `["com.amazon.sqs.javamessaging.MessageS3Pointer",${PARTS}]`;

describe("a message with its body in S3", () => {
  test.each([
    ["as it is sent now", POINTER, sized("ExtendedPayloadSize"), 300_000],
    ["as it was sent once", OLDER, sized("SQSLargePayloadSize"), 300_000],
    ["of a fat jar", POINTER.replace("software", "awsv2.repackaged.software"), sized("ExtendedPayloadSize"), 300_000],
    ["without its attribute", POINTER, NONE, null],
    ["with a size that is none", POINTER, sized("ExtendedPayloadSize", "many"), null],
    ["with spaces", ` [ ${POINTER.slice(1, -1)} ]\n`, NONE, null],
  ])("is known: %s", (_, body, attributes, size) => {
    expect(readPointer({ body, attributes })).toEqual({ bucket: "bodies", key: "a/b", size });
  });

  test.each([
    ["", NONE],
    [PARTS, NONE],
    [`["another.Class",${PARTS}]`, NONE],
    [`["software.amazon.payloadoffloading.PayloadS3Pointer"`, NONE],
    [`["software.amazon.payloadoffloading.PayloadS3Pointer",${PARTS},1]`, NONE],
    [`["software.amazon.payloadoffloading.PayloadS3Pointer!",${PARTS}]`, NONE],
    ["[".repeat(100_000), NONE],
    ["text", sized("Other")],
  ])("is not %p", (body, attributes) => {
    expect(readPointer({ body, attributes })).toBeNull();
  });

  test.each([
    [
      "text",
      sized("ExtendedPayloadSize"),
      "it has the attribute ExtendedPayloadSize, and its body is no pointer to S3",
    ],
    [PARTS, sized("SQSLargePayloadSize"), "it has the attribute SQSLargePayloadSize, and its body is no pointer to S3"],
    [POINTER.replace("s3Key", "key"), NONE, "its body is a pointer to S3 without s3BucketName and s3Key"],
    [POINTER.replace('"a/b"', "7"), NONE, "its body is a pointer to S3 without s3BucketName and s3Key"],
    [POINTER.replace(PARTS, "null"), NONE, "its body is a pointer to S3 without s3BucketName and s3Key"],
  ])("is wrong: %p", (body, attributes, problem) => {
    expect(readPointer({ body, attributes })).toEqual({ problem });
  });
});

const problem = (bucket: string, key: string): string | null =>
  pointerProblem({ bucket, key, size: null }, ["bodies", "Old_bodies.1", "evil/../x"]);

describe("a pointer is followed", () => {
  test.each([
    ["bodies", "a"],
    ["Old_bodies.1", "..a/b.. /é"],
    ["bodies", "x".repeat(1024)],
  ])("to %p %p", (bucket, key) => expect(problem(bucket, key)).toBeNull());

  test.each([
    ["others", "a", "it points to the bucket others, which is not among pointer_buckets"],
    ["evil/../x", "a", 'it points to "evil/../x", which is no bucket\'s name'],
    ["a\u001b[2Jb", "a", 'it points to "a\\u001b[2Jb", which is no bucket\'s name'],
    ["", "a", 'it points to "", which is no bucket\'s name'],
    ["bodies", "", "it points to an object without a key"],
    ["bodies", "é".repeat(513), "which is longer than the 1024 bytes that S3 takes"],
    ["bodies", "a/../../b", 'it points to an object with the key "a/../../b", which cannot be asked for'],
    ["bodies", ".", "which cannot be asked for"],
    ["bodies", "\ud800", 'it points to an object with the key "\\ud800", which is no text in Unicode'],
  ])("not to %p %p", (bucket, key, text) => expect(problem(bucket, key)).toContain(text));

  test("to no bucket that nobody has allowed", () => {
    expect(pointerProblem({ bucket: "bodies", key: "a", size: null }, [])).toContain("not among pointer_buckets");
  });
});

describe("an object's URL", () => {
  const AWS: S3Place = { endpoint: null, region: "eu-west-1", isFips: false, isDualStack: false };

  test.each<[string, string, Partial<S3Place>, string]>([
    ["bodies", "a b/c+d", {}, "https://bodies.s3.eu-west-1.amazonaws.com/a%20b/c%2Bd"],
    ["bodies", "/a//b", {}, "https://bodies.s3.eu-west-1.amazonaws.com//a//b"],
    ["bodies", "ü%2e", { region: "cn-north-1" }, "https://bodies.s3.cn-north-1.amazonaws.com.cn/%C3%BC%252e"],
    ["bodies", "a", { isFips: true, isDualStack: true }, "https://bodies.s3-fips.dualstack.eu-west-1.amazonaws.com/a"],
    ["bo.dies", "a", {}, "https://s3.eu-west-1.amazonaws.com/bo.dies/a"],
    ["Bo_dies", "a", {}, "https://s3.eu-west-1.amazonaws.com/Bo_dies/a"],
    ["bodies", "a", { endpoint: "http://localhost:4566" }, "http://localhost:4566/bodies/a"],
    ["bodies", "a", { endpoint: "http://[::1]:9000/s3/" }, "http://[::1]:9000/s3/bodies/a"],
    ["bodies", "a", { endpoint: "https://minio.example.com" }, "https://minio.example.com/bodies/a"],
    [
      "bodies",
      "a",
      { endpoint: "https://bucket.vpce-1-2.s3.eu-west-1.vpce.amazonaws.com" },
      "https://bodies.bucket.vpce-1-2.s3.eu-west-1.vpce.amazonaws.com/a",
    ],
  ])("%s %s %p", (bucket, key, place, url) => {
    expect(objectUrl({ bucket, key }, { ...AWS, ...place }).href).toBe(url);
  });

  test("has its own setting, and the common one", () => {
    const both = { AWS_ENDPOINT_URL: "http://a", AWS_ENDPOINT_URL_S3: "http://b", AWS_ENDPOINT_URL_SQS: "http://c" };
    expect(configuredEndpoint("S3", both)).toBe("http://b");
    expect(configuredEndpoint("S3", { ...both, AWS_ENDPOINT_URL_S3: "" })).toBe("http://a");
    expect(configuredEndpoint("S3", { ...both, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "True" })).toBeNull();
    expect(() => configuredEndpoint("S3", { AWS_ENDPOINT_URL_S3: "b" })).toThrow('AWS_ENDPOINT_URL_S3 is "b"');
  });
});
