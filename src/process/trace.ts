/** The attribute of a message in which its sender's trace goes on, named like the header: https://www.w3.org/TR/trace-context/ */
export const TRACE_ATTRIBUTE = "traceparent";

const TRACE = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-.*)?$/;

/** Whether a text is a trace; what is none is to be ignored. */
export const isTrace = (text: string | undefined): text is string => text !== undefined && TRACE.test(text);
