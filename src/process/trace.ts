/** The attribute in which a message's sender hands its trace on: https://www.w3.org/TR/trace-context/#traceparent-header */
export const TRACE_ATTRIBUTE = "traceparent";

const TRACE = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;

/** Whether a text is a trace; what is none is to be ignored. */
export const isTrace = (text: string | undefined): text is string => text !== undefined && TRACE.test(text);

/** https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader */
const XRAY = /Root=1-([0-9a-f]{8})-([0-9a-f]{24});.*?Parent=([0-9a-f]{16})(?:;.*?Sampled=([01]))?/i;

/** The trace that the message belongs to, under the names by which tracers look for it. */
export function traceEnvironment(attributes: Readonly<Record<string, string>>): Record<string, string> {
  const header = attributes["AWSTraceHeader"];
  const xray = header === undefined ? null : XRAY.exec(header);
  const [, time = "", rest = "", span = "", sampled = "0"] = xray ?? [];
  const derived = xray ? `00-${time}${rest}-${span}-0${sampled}`.toLowerCase() : "";
  const parent = [attributes[TRACE_ATTRIBUTE], derived].find(isTrace);
  return {
    ...(parent !== undefined && { TRACEPARENT: parent }),
    ...(header !== undefined && { _X_AMZN_TRACE_ID: header }),
  };
}
