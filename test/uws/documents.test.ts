import { describe, expect, test } from "bun:test";
import { readFacts } from "../../src/uws/document.ts";
import { jobrefXml, jobsFrame, jobXml, parametersXml, resultsXml } from "../../src/uws/job-xml.ts";
import { capabilitiesXml } from "../../src/uws/capabilities.ts";
import type { Job, Parameter } from "../../src/store/job.ts";
import { PHASES } from "../../src/store/phases.ts";
import { isXmlText } from "../../src/uws/xml.ts";
import { mustBeValid } from "../support/schema.ts";
import { newJob, only, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const URL = "http://127.0.0.1:8080/echo/abc";
const NASTY = [
  "",
  "a & b < c > d ]]> \"e\" 'f'",
  "line\r\nline\ttab",
  "\u0000\u0001\uffff",
  "\ud800",
  "𝄞é",
  "<!--",
  "]]>",
];

const documentOf = ({ store }: TemporaryStore, job: Job, listed: Parameters<typeof resultsXml>[0] = []): string =>
  jobXml({ ...readFacts(store, job), listed, url: URL });

const elementsOf = (xml: string): string[] =>
  [...xml.replace(/<uws:jobInfo[\s\S]*<\/uws:jobInfo>/, "<uws:jobInfo/>").matchAll(/<uws:(\w+)/g)].map(
    ([, name = ""]) => name,
  );

async function jobIn(
  at: TemporaryStore,
  fields: Parameters<typeof newJob>[0],
  changes: Readonly<Record<string, string | number>>,
) {
  const job = only(await at.submit(newJob(fields)));
  for (const [column, value] of Object.entries(changes)) {
    at.store.database.run(`UPDATE jobs SET ${column} = ? WHERE seq = ?`, value, job.seq);
  }
  return at.job(job);
}

describe("the document of a job", () => {
  test.each([...PHASES])("is valid in %s, with little known and with all", async (phase) => {
    using at = temporaryStore();
    mustBeValid(documentOf(at, await jobIn(at, {}, { phase })));
    const error = JSON.stringify({ message: "it failed", type: "transient", cause: "timeout", hint: "try again" });
    const times = { created_at: 1, started_at: 2, ended_at: 3, destruction: 4, available_at: 5, expires_at: 6 };
    const all = {
      phase,
      ...times,
      error,
      owner: "ada",
      run_id: "mine",
      progress: 0.5,
      progress_message: "half",
      queue: "q",
    };
    const parameters: Parameter[] = [{ name: "a", values: ["1", "2"], file: false, secret: false }];
    const xml = documentOf(at, await jobIn(at, { parameters, executionDuration: 9 }, all), [
      { id: "result", type: "image/png", size: 10 },
    ]);
    mustBeValid(xml);
    expect(elementsOf(xml).join(" ")).toBe(
      "job jobId runId ownerId phase quote creationTime startTime endTime executionDuration destruction parameters " +
        "parameter parameter results result errorSummary message jobInfo",
    );
    expect(xml).toContain("<uws:startTime>1970-01-01T00:00:00.002Z</uws:startTime>");
    expect(xml).toContain('<uws:errorSummary type="transient" hasDetail="true"><uws:message>it failed</uws:message>');
  });

  test("has nil where nothing is known, and never an empty element for it", async () => {
    using at = temporaryStore();
    const xml = documentOf(at, await jobIn(at, { hold: true }, { phase: "QUEUED" }));
    for (const name of ["ownerId", "quote", "startTime", "endTime"])
      expect(xml).toContain(`<uws:${name} xsi:nil="true"/>`);
    expect(xml).not.toContain("runId");
    expect(xml).not.toContain("errorSummary");
    expect(xml).toContain("<uws:results/>");
    expect(xml).toContain('version="1.1"');
  });

  test.each(NASTY.map((text) => [JSON.stringify(text), text] as const))("carries %s anywhere", async (_, text) => {
    using at = temporaryStore();
    const parameters = [{ name: "p", values: [text], file: false, secret: false }];
    const error = JSON.stringify({ message: text, type: "fatal" });
    const job = await jobIn(
      at,
      { parameters, runId: text.toWellFormed() },
      { error, owner: text.toWellFormed(), progress: 1, progress_message: text },
    );
    const results = [{ id: `r${text}`, type: text, size: 1 }];
    mustBeValid(documentOf(at, job, results));
    mustBeValid(resultsXml(results, URL));
    mustBeValid(parametersXml(parameters, URL));
    const frame = jobsFrame.start + jobrefXml(job, "http://h/jobs") + jobsFrame.end;
    mustBeValid(frame);
    const reference = `byReference="true">${URL}/parameters/p<`;
    expect(documentOf(at, job).includes(reference)).toBe(!isXmlText(text));
  });

  test("has a duration that a 32-bit integer holds", async () => {
    using at = temporaryStore();
    const xml = documentOf(at, await jobIn(at, { executionDuration: 2 ** 40 }, {}));
    mustBeValid(xml);
    expect(xml).toContain("<uws:executionDuration>2147483647<");
  });

  test("does not tell where and as what it runs", async () => {
    using at = temporaryStore();
    const xml = documentOf(at, await jobIn(at, { command: ["/opt/secret-program"] }, { worker: "host-1" }));
    expect(xml).not.toContain("secret-program");
    expect(xml).not.toContain("host-1");
  });

  test("has no element in its jobInfo that a client could take for one of the job itself", async () => {
    using at = temporaryStore();
    const job = await jobIn(at, {}, { phase: "ERROR", attempts: 1, progress: 0.5, progress_message: "half" });
    at.store.database.run(
      `INSERT INTO attempts(job, number, worker, directory, message_id, receive_count, started_at, ended_at, exit_code,
        cleanup, cleanup_tries) VALUES(?, 1, 'w', '/d', 'm', 1, 1000, 2000, 3, 'done', 1)`,
      job.seq,
    );
    const xml = documentOf(at, job);
    mustBeValid(xml);
    const info = xml.slice(xml.indexOf("<uws:jobInfo"));
    expect(info).toContain('<reeve:progress fraction="0.5" message="half"/>');
    expect(info).toMatch(/<reeve:attempt number="1"[^>]* startTime="1970-01-01T00:00:01.000Z"[^>]* exitCode="3"[^>]*>/);
    expect(info).toContain('<reeve:cleanUp outcome="done" tries="1"/>');
    const known = new Set(elementsOf(xml.slice(0, xml.indexOf("<uws:jobInfo"))));
    const names = [...info.matchAll(/<reeve:(\w+)/g)].map(([, name = ""]) => name);
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((name) => known.has(name))).toEqual([]);
  });

  test("is not taken for valid where it is not: the check can fail", () => {
    expect(() => mustBeValid("<a>")).toThrow();
  });
});

test("the capabilities name the standard and the list's address", () => {
  const xml = capabilitiesXml("http://h/echo");
  expect(xml).toContain('standardID="ivo://ivoa.net/std/UWS#rest-1.1"');
  expect(xml).toContain('<accessURL use="full">http://h/echo/capabilities</accessURL>');
});
