import { expect, test } from "bun:test";
import { forEachForm } from "./forms.ts";
import { Place } from "./place.ts";

/** So often that a busy machine does not decide. */
const SUBMITS = 9;

forEachForm("a submit while the worker sleeps", (form) => {
  test("starts within 100 ms by the recorded times", async () => {
    await using place = new Place(form);
    await place.worker();
    const delays: number[] = [];
    for (let count = 0; count < SUBMITS; count += 1) {
      const id = await place.submit("--", "true");
      await place.ok("wait", id);
      const { creationTime, startTime } = await place.show(id);
      delays.push(Date.parse(startTime ?? "") - Date.parse(creationTime));
    }
    const [median = Number.NaN] = delays.toSorted((a, b) => a - b).slice(Math.floor(SUBMITS / 2));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(median).toBeLessThan(100);
    expect(Math.max(...delays)).toBeLessThan(1000);
  });

  test("so does one by another process's start, retry and batch", async () => {
    await using place = new Place(form);
    await place.worker();
    const held = await place.submit("--hold", "--", "true");
    await place.ok("start", held);
    await place.ok("wait", held);
    const again = (await place.ok("retry", held)).trim();
    await place.ok("wait", again);
    const ids = await place.submitBatch([{ command: ["true"] }, { command: ["true"] }]);
    await place.ok("wait", ...ids);
  });
});
