import { expect, test } from "bun:test";
import { isTrace, traceEnvironment } from "../../src/process/trace.ts";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793";

test.each([
  ["", false],
  [TRACE, true],
  [TRACE.toUpperCase(), false],
  [`${TRACE}-x`, false],
  [`${TRACE}\nLD_PRELOAD=x`, false],
  [`ff${TRACE.slice(2)}`, false],
  [`00-${"0".repeat(32)}-b7ad6b7169203331-01`, false],
  [`00-0af7651916cd43dd8448eb211c80319c-${"0".repeat(16)}-01`, false],
])("%j is a trace: %j", (text, is) => {
  expect(isTrace(text)).toBe(is);
});

test("a message's own trace counts for more than what its X-Ray header says; nonsense counts for nothing", () => {
  const header = `${ROOT};Parent=53995c3f42cd8ad8;Sampled=1`;
  const derived = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
  const both = { traceparent: TRACE, AWSTraceHeader: header };
  expect(traceEnvironment({})).toEqual({});
  expect(traceEnvironment({ traceparent: TRACE })).toEqual({ TRACEPARENT: TRACE });
  expect(traceEnvironment({ traceparent: "nonsense" })).toEqual({});
  expect(traceEnvironment(both)).toEqual({ TRACEPARENT: TRACE, _X_AMZN_TRACE_ID: header });
  expect(traceEnvironment({ ...both, traceparent: "" })).toEqual({ TRACEPARENT: derived, _X_AMZN_TRACE_ID: header });
  expect(traceEnvironment({ AWSTraceHeader: ROOT })).toEqual({ _X_AMZN_TRACE_ID: ROOT });
});
