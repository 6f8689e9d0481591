import type { Failure } from "./outcome.ts";

// Names from https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html and the pages of the
// actions, their older forms (`AWS.SimpleQueueService.NonExistentQueue`), and those of ElasticMQ, LocalStack, moto and
// GoAWS. They are compared without prefix, punctuation, case and a final "Exception".

const LEASE_LOST = names("ReceiptHandleIsInvalid InvalidReceiptHandle MessageNotInflight");

const DENIED = names(`AccessDenied AuthorizationError NotAuthorized UnauthorizedOperation KmsAccessDenied`);

const NO_QUEUE = names("QueueDoesNotExist NonExistentQueue QueueNotFound NoSuchQueue QueueDeletedRecently");

const NO_BUCKET = names("NoSuchBucket InvalidBucketName");

const NO_CREDENTIALS = names(`CredentialsProviderError ProviderError TokenProviderError CredentialsError ExpiredToken
  TokenRefreshRequired InvalidToken InvalidClientTokenId UnrecognizedClient InvalidAccessKeyId MissingAuthenticationToken
  IncompleteSignature InvalidSignature SignatureDoesNotMatch AuthFailure InvalidIdentityToken OptInRequired`);

const FATAL = names(`InvalidAddress InvalidSecurity UnsupportedOperation InvalidAction UnknownOperation
  AccountProblem AllAccessDisabled PermanentRedirect AuthorizationHeaderMalformed KmsDisabled KmsInvalidKeyUsage KmsInvalidState KmsNotFound KmsOptInRequired`);

const TRANSIENT = names(`Throttling Throttled RequestThrottled TooManyRequests RequestLimitExceeded SlowDown OverLimit
  BandwidthLimitExceeded LimitExceeded PriorRequestNotComplete ProvisionedThroughputExceeded KmsThrottled
  ServiceUnavailable InternalError InternalFailure InternalServerError InternalService ServiceFailure RequestTimeout
  TimeoutError RequestExpired RequestInTheFuture RequestTimeTooSkewed IDPCommunicationError`);

/** SQS says so in the text only, under the name InvalidParameterValue: https://github.com/aws/aws-sdk-js/issues/1279 */
const LEASE_LOST_TEXT =
  /not available for visibility timeout change|receipt handle has expired|Total VisibilityTimeout for the message is beyond/i;

const isIn = (set: ReadonlySet<string>, found: readonly string[]): boolean =>
  found.some((name) => set.has(plain(name)));

/** What the names of one error, and its text, say of it; null: nothing that is known. */
export function kindByName(found: readonly string[], text: string): Failure["kind"] | null {
  if (isIn(LEASE_LOST, found) || LEASE_LOST_TEXT.test(text)) return "lease lost";
  if ([DENIED, NO_QUEUE, NO_BUCKET, NO_CREDENTIALS, FATAL].some((set) => isIn(set, found))) return "fatal";
  return isIn(TRANSIENT, found) ? "transient" : null;
}

/** Whether the credentials are good and the permission is missing. */
export const isDenied = ({ name }: Failure): boolean => isIn(DENIED, [name]);

/** Whether it is the credentials that are not good. */
export const isUnknownCaller = ({ name }: Pick<Failure, "name">): boolean => isIn(NO_CREDENTIALS, [name]);

export const isMissingQueue = ({ name }: Failure): boolean => isIn(NO_QUEUE, [name]);

/** What to do about an error of these names, where that is known. */
export function hintByName(found: readonly string[], action: string): string | null {
  if (isIn(NO_QUEUE, found)) return "are the queue's URL and region right?";
  if (isIn(NO_BUCKET, found)) return "is AWS_ENDPOINT_URL_S3 right, and the bucket still there?";
  if (isIn(names("NoSuchKey"), found)) return "does a lifecycle rule delete objects sooner than messages are received?";
  if (isIn(DENIED, found)) {
    const permission = `${action.endsWith("Object") ? "s3" : "sqs"}:${action.replace(/Batch$/, "")}`;
    return `the policy has to allow ${permission}; \`aws sts get-caller-identity\` tells who asks`;
  }
  if (isIn(NO_CREDENTIALS, found)) return "AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret; see `aws configure`";
  return null;
}

function names(list: string): ReadonlySet<string> {
  return new Set(list.split(/\s+/).map(plain));
}

/** `com.amazonaws.sqs#QueueDoesNotExist`, `AWS.SimpleQueueService.QueueDoesNotExist`: the name alone. */
function plain(name: string): string {
  const bare = name.replace(/^.*#/, "").replace(/^AWS\.SimpleQueueService\./i, "");
  return bare
    .replace(/[:;].*$/, "")
    .replaceAll(/[^A-Za-z0-9]/g, "")
    .replace(/Exception$/, "")
    .toLowerCase();
}
