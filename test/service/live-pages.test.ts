import { expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { LivePages, type Look } from "../../src/service/live-pages.ts";
import { eventually, within } from "../support/eventually.ts";
import { newJob, only, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const never = new AbortController().signal;

function pagesOf({ store }: TemporaryStore, most = 10): LivePages {
  return new LivePages({
    store,
    clock: systemClock,
    most,
    onFault(error) {
      throw error;
    },
  });
}

/** The text of a stream, as far as it has come. */
function reading(stream: ReadableStream<Uint8Array>) {
  const reader = stream.getReader();
  const seen = { text: "", hasEnded: false, cancel: () => reader.cancel() };
  const decoder = new TextDecoder();
  const read = async (): Promise<void> => {
    for (let next = await reader.read(); !next.done; next = await reader.read())
      seen.text += decoder.decode(next.value);
    seen.hasEnded = true;
  };
  void read();
  return seen;
}

const saying =
  (words: () => string): Look =>
  () => ({ parts: [words()], moves: false });

test("who looks at the same page is told of a change by another process, which is made into a page once", async () => {
  using at = temporaryStore();
  const job = only(await at.submit(newJob()));
  const other = at.another();
  let looks = 0;
  const look = saying(() => {
    looks += 1;
    return `<p>${at.job(job).phase}</p>\r\n<i>\n</i>`;
  });
  const pages = pagesOf(at);
  const seen = [1, 2, 3].map(() => reading(pages.open("same", look, never)));
  await eventually("all have the page", () =>
    seen.every(({ text }) => text.includes("data: <p>QUEUED</p>\ndata: <i>")),
  );
  const before = looks;
  await other.write(() => other.steering.hold(job.seq, Date.now(), "a test"));
  await eventually("all are told", () => seen.every(({ text }) => text.includes("data: <p>HELD</p>")));
  expect(looks - before).toBeLessThanOrEqual(3);
  // Nothing else is told, since nothing else has changed.
  for (const { text } of seen) expect(text.split("event: page").length).toBe(3);
  pages.end();
  await eventually("all have ended", () => seen.every(({ hasEnded }) => hasEnded));
});

test("what only its times tell from the page before is not sent", async () => {
  using at = temporaryStore();
  let count = 0;
  const pages = pagesOf(at);
  const seen = reading(
    pages.open("moving", () => ({ parts: [`<time data-age>${(count += 1)}</time>${count > 3}`], moves: true }), never),
  );
  await eventually("it has changed", () => seen.text.includes("true"));
  expect(seen.text.split("event: page").length).toBe(3);
  pages.end();
});

test("of a page only the parts are sent that have changed, and all of it to who comes later", async () => {
  using at = temporaryStore();
  const job = only(await at.submit(newJob()));
  const pages = pagesOf(at);
  const look: Look = () => ({ parts: [`<p>${at.job(job).phase}</p>`, "<i>large</i>"], moves: false });
  const first = reading(pages.open("page", look, never));
  await eventually("it has the page", () => first.text.includes("data: <p>QUEUED</p>\ndata: <i>large</i>\n\n"));
  await at.store.write(() => at.store.steering.hold(job.seq, Date.now(), "a test"));
  await eventually("it is told what is new", () =>
    first.text.includes("data: <p>HELD</p>\ndata: <template></template>\n\n"),
  );
  const second = reading(pages.open("page", look, never));
  await eventually("all of it comes", () => second.text.includes("data: <p>HELD</p>\ndata: <i>large</i>\n\n"));
  pages.end();
});

test("there are only so many; who has gone makes room, and a page that is gone says so", async () => {
  using at = temporaryStore();
  const pages = pagesOf(at, 2);
  const one = reading(
    pages.open(
      "one",
      saying(() => "one"),
      never,
    ),
  );
  const hangUp = new AbortController();
  const two = reading(
    pages.open(
      "two",
      saying(() => "two"),
      hangUp.signal,
    ),
  );
  expect(pages.isFull).toBe(true);
  await one.cancel();
  expect(pages.isFull).toBe(false);
  hangUp.abort();
  await eventually("it has ended", () => two.hasEnded);
  let isThere = true;
  const gone = reading(pages.open("gone", () => (isThere ? { parts: ["here"], moves: true } : null), never));
  isThere = false;
  await within(
    "it ends",
    eventually("it says so", () => gone.hasEnded && gone.text.includes("event: gone")),
  );
  expect(pages.isFull).toBe(false);
});
