import { expect, test } from "bun:test";
import { html } from "../../src/page/html.ts";
import { reasons, type Circumstances } from "../../src/page/reasons.ts";
import type { Job } from "../../src/store/job.ts";
import { newJob, only, temporaryStore } from "../support/temporary.ts";

const NOW = 1_800_000_000_000;
const AROUND: Circumstances = {
  waitsFor: [],
  isWorked: true,
  isOrphan: false,
  trouble: null,
  ahead: null,
  suspendedAt: null,
  now: NOW,
};

/** The sentences without their markup. */
async function said(job: Partial<Job>, around: Partial<Circumstances> = {}): Promise<string> {
  using at = temporaryStore();
  const made = only(await at.submit(newJob()));
  const sentences = reasons({ ...made, ...job }, { ...AROUND, ...around });
  return html`${sentences.map((one) => html`${one} `)}`.html
    .replaceAll(/<[^>]*>/g, "")
    .replaceAll(/\s+/g, " ")
    .trim();
}

const failed = { id: "abcdefghijkl", phase: "ERROR", path: "/a/abcdefghijkl" } as const;

test.each<[Partial<Job>, Partial<Circumstances>, string]>([
  [{ phase: "COMPLETED" }, {}, ""],
  [{ phase: "PENDING" }, {}, "It has not been started: Run does that."],
  [{ phase: "HELD", heldBy: "ada" }, {}, "ada holds it until it is run by hand."],
  [
    { phase: "HELD", waiting: 1 },
    { waitsFor: [failed] },
    "It waits for job abcdefgh, which is ERROR. It is held until it is run by hand.",
  ],
  [{ phase: "HELD", waiting: 1 }, {}, "It waits for a job that has been deleted. It is held until it is run by hand."],
  [{ phase: "QUEUED" }, {}, "It waits for a free place on a worker."],
  [{ phase: "QUEUED" }, { ahead: 0 }, "It waits for a free place on a worker; it is the next."],
  [{ phase: "QUEUED" }, { ahead: 1 }, "It waits for a free place on a worker; 1 job comes before it."],
  [{ phase: "QUEUED" }, { isWorked: false }, "No worker is running: nothing that waits is run."],
  [
    { phase: "QUEUED", availableAt: NOW + 60_000, error: "{}" },
    {},
    "Its last attempt failed; it is run again. It is due at 2027-01-15 08:01:00 UTC (in 1m00s).",
  ],
  [
    { phase: "QUEUED", queue: "https://q", waiting: 1 },
    {},
    "It is run again when its queue delivers its message again, here or to another host.",
  ],
  [{ phase: "EXECUTING" }, {}, ""],
  [
    { phase: "EXECUTING", abortBy: "ben" },
    { isOrphan: true },
    "ben has asked for its abort. Its worker is gone; the next one puts the job in order.",
  ],
  [{ phase: "EXECUTING" }, { trouble: "no <network>" }, "Its worker is ill: no &lt;network&gt;"],
  [
    { phase: "SUSPENDED", suspendBy: "ada" },
    { suspendedAt: NOW - 5000 },
    "It stands still since 2027-01-15 07:59:55 UTC (5s ago). ada wants it to stand still.",
  ],
  [{ phase: "UNKNOWN" }, {}, "What became of it is not known."],
])("%j, %j", async (job, around, sentences) => {
  expect(await said(job, around)).toBe(sentences);
});
