import { describe, expect, test } from "bun:test";
import type { Definition, ParameterDefinition } from "../../src/config/definition.ts";
import { DEFAULT_LIMITS } from "../../src/config/definition.ts";
import { STRETCH_MS, stretchesUntil, type Made } from "../../src/page/chart-frame.ts";
import { waitingAfterEach, waitingInEach } from "../../src/page/chart-queue.ts";
import { html } from "../../src/page/html.ts";
import { newJobForm } from "../../src/page/new-job.ts";
import type { JobTimes } from "../../src/store/overview.ts";

describe("markup", () => {
  test("has every value escaped, and only what is markup itself is not", () => {
    const text = `<script>"&'</script>\u0000\u202e\u001b`;
    expect(html`<p title="${text}">${text}${html`<b>${1}</b>`}${[null, false, ["<"]]}</p>`.html).toBe(
      `<p title="${ESCAPED}">${ESCAPED}<b>1</b>&lt;</p>`,
    );
  });
  const ESCAPED = "&lt;script&gt;&quot;&amp;&#39;&lt;/script&gt;\ufffd\ufffd\ufffd";
});

const parameter = (fields: Partial<ParameterDefinition>): ParameterDefinition => ({
  kind: "string",
  required: false,
  secret: false,
  allowLeadingDash: false,
  ...fields,
});

function formFor(parameters: Readonly<Record<string, Partial<ParameterDefinition>>>): string {
  const all = Object.entries(parameters).map(([name, fields]) => [name, parameter(fields)] as const);
  const definition: Definition = {
    name: "a",
    command: ["true"],
    parameters: new Map(all),
    limits: DEFAULT_LIMITS,
    environment: {},
    passEnvironment: [],
    cwd: "/",
  };
  // How the markup is laid out says nothing.
  return newJobForm(definition, "/a").html.replaceAll(/\s+/g, " ");
}

describe("a form for a job", () => {
  test("asks for what the definition takes", () => {
    const form = formFor({
      width: { kind: "integer", min: 1, max: 9, default: "8", description: "In <pixels>." },
      mode: { choices: ["fast", "good"], default: "good" },
      image: { required: true, maxLength: 7 },
      on: { kind: "boolean" },
      tags: { kind: "strings", default: ["a", "b"] },
    });
    expect(form).toContain('<input type="number" step="1" id="new-width" name="width"');
    expect(form).toContain('min="1" max="9" value="8"');
    expect(form).toContain("In &lt;pixels&gt;. · from 1 to 9");
    expect(form).toContain('<option value="good" selected>');
    expect(form).toMatch(/<input id="new-image" name="image" required[^>]* maxlength="7"/);
    expect(form).toMatch(/<option value="">–<\/option><option value="true" ?>/);
    expect(form.match(/name="tags"/g)?.length).toBe(4);
    expect(form).not.toContain("multipart");
  });

  test("shows no default of a secret, and uploads files", () => {
    const form = formFor({ key: { secret: true, default: "hush" }, data: { kind: "file", required: true } });
    expect(form).toContain('<input type="password" id="new-key"');
    expect(form).not.toContain("hush");
    expect(form).toContain('enctype="multipart/form-data"');
    expect(form).toContain('<input type="file" id="new-data" name="data" required');
  });
});

describe("the plot of the queue", () => {
  const now = 1_800_000_000_000;
  const stretches: readonly Made[] = stretchesUntil(now - 1).map((from) => ({ from, counts: [] }));
  const job = (fields: Partial<JobTimes>): JobTimes => ({
    id: "a",
    definition: "",
    phase: "QUEUED",
    createdAt: now,
    startedAt: null,
    endedAt: null,
    ...fields,
  });

  test("has the most that waited at once, in each quarter of an hour", () => {
    const found = waitingInEach(stretches, [
      job({ createdAt: now - 10 * STRETCH_MS, startedAt: now - 8.5 * STRETCH_MS }),
      job({ createdAt: now - 9.5 * STRETCH_MS, startedAt: now - 9.2 * STRETCH_MS }),
      job({ createdAt: now - 1.5 * STRETCH_MS }),
      job({ createdAt: now - 5 * STRETCH_MS, phase: "PENDING" }),
    ]);
    expect(found.slice(-11)).toEqual([0, 2, 1, 0, 0, 0, 0, 0, 0, 1, 1]);
  });

  test("is flat where nothing waited", () => {
    expect(new Set(waitingInEach(stretches, []))).toEqual(new Set([0]));
  });

  test("has those that waited at the end of each, where jobs are too many to be known one by one", () => {
    const made: Made[] = [
      { phase: "COMPLETED", waited: 0, jobs: 5 } as const,
      { phase: "ERROR", waited: 2, jobs: 3 } as const,
      { phase: "QUEUED", waited: null, jobs: 4 } as const,
      { phase: "HELD", waited: null, jobs: 9 } as const,
      { phase: "ABORTED", waited: 50, jobs: 1 } as const,
    ].map((counts, index) => ({ from: index * STRETCH_MS, counts: [counts] }));
    expect(waitingAfterEach(made, 10)).toEqual([10, 13, 17, 14, 15]);
  });
});
