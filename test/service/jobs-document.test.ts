import { expect, test } from "bun:test";
import { jobsDocument } from "../../src/service/jobs-document.ts";
import type { Filter } from "../../src/store/jobs.ts";
import { mustBeValid } from "../support/schema.ts";
import { newJob, temporaryStore } from "../support/temporary.ts";

/** More than are read at once, and not a whole number of pages. */
const JOBS = 1203;

test("a list that is longer than a page has every job once, in order, however it is cut", async () => {
  using at = temporaryStore();
  // All of them are made at one time, or at two: their order is that of their making all the same.
  const jobs = await at.submit(...Array.from({ length: JOBS }, () => newJob({ definition: "resize" })));
  const ids = jobs.map(({ id }) => id).toReversed();
  const all: Filter = { phases: [], after: null, owner: null, last: null, definition: "resize" };
  for (const filter of [all, { ...all, phases: ["QUEUED", "ERROR"] as const }]) {
    for (const last of [null, 1, 499, 500, 501, 1000, JOBS, JOBS + 1]) {
      const xml = await new Response(jobsDocument(at.store, { ...filter, last }, "http://h/resize")).text();
      mustBeValid(xml);
      const listed = [...xml.matchAll(/<uws:jobref id="([^"]*)"/g)].map(([, id = ""]) => id);
      expect(listed).toEqual(ids.slice(0, last ?? JOBS));
    }
  }
  const none = await new Response(jobsDocument(at.store, { ...all, definition: "other" }, "http://h/other")).text();
  mustBeValid(none);
  expect(none).not.toContain("jobref");
});
