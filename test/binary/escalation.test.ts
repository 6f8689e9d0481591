import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { isLiving } from "../support/processes.ts";
import { forEachForm } from "./forms.ts";
import { Place, sh } from "./place.ts";

/** Notes each signal that it gets, with the time in milliseconds, and ends by none. */
const NOTES = `for name in TERM HUP INT QUIT USR1 USR2; do
  trap "echo $1 $name \\$(date +%s%3N) >> signals" "$name"
done
echo "$1 $$" >> pids
while :; do sleep 0.05; done`;

/** A main process, its child, and a daemon, which all do that. */
const NOTING = sh('sh -c "$1" sh child & setsid sh -c "$1" sh daemon & exec sh -c "$1" sh main', NOTES);

interface Noted {
  readonly who: string;
  readonly signal: string;
  readonly at: number;
}

const noted = (place: Place): Noted[] =>
  place.lines("signals").map((line) => {
    const [who = "", signal = "", at] = line.split(" ");
    return { who, signal, at: Number(at) };
  });

async function threeOf(place: Place): Promise<number[]> {
  return eventually("all three note", () => {
    const pids = place.lines("pids").map((line) => Number(line.split(" ")[1]));
    return pids.length === 3 && pids;
  });
}

forEachForm("from TERM to KILL", (form) => {
  test("each process gets TERM once, however often and by whom the end is asked for, and KILL after the grace", async () => {
    await using place = new Place(form);
    const id = await place.submit("--grace", "1s", "--timeout", "2s", ...NOTING);
    const worker = await place.worker();
    const pids = await threeOf(place);
    const first = place.reeve("abort", id);
    await eventually("it was asked", () => noted(place).length > 0);
    const others = [place.reeve("abort", id), place.reeve("delete", id)];
    worker.signal("SIGTERM");
    expect((await first).code).toBe(0);
    const ended = Date.now();
    await Promise.all([...others, worker.ended]);
    expect(pids.filter(isLiving)).toEqual([]);
    expect(
      noted(place)
        .map(({ who, signal }) => `${who} ${signal}`)
        .toSorted(),
    ).toEqual(["child TERM", "daemon TERM", "main TERM"]);
    expect(ended - Math.min(...noted(place).map(({ at }) => at))).toBeGreaterThanOrEqual(990);
  });

  test("a tree that obeys is over when its last process has ended, however long the grace is", async () => {
    await using place = new Place(form);
    const slow = `trap 'sleep 0.3; echo slow >> ended; exit' TERM; echo $$ >> pids; while :; do sleep 0.05; done`;
    const main = `setsid sh -c "$1" & trap 'echo main >> ended; exit 5' TERM; echo $$ >> pids; while :; do sleep 0.05; done`;
    const id = await place.submit("--grace", "60s", ...sh(main, slow));
    await place.worker();
    const pids = await eventually("both are there", () => place.lines("pids").length === 2 && place.lines("pids"));
    const asked = performance.now();
    expect(await place.reeve("abort", id)).toMatchObject({ code: 0 });
    expect(performance.now() - asked).toBeWithin(300, 20_000);
    expect(place.lines("ended")).toEqual(["main", "slow"]);
    expect(pids.map(Number).filter(isLiving)).toEqual([]);
    expect(await place.show(id)).toMatchObject({ phase: "ABORTED", jobInfo: { exitCode: 5, signal: null } });
  });
});
