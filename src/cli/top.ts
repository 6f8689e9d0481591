import { EXIT } from "../errors.ts";
import { dieBy, exitCodeOf, StopSignals } from "../process/stop-signals.ts";
import type { Store } from "../store/store.ts";
import { withExistingStore } from "./context.ts";
import type { Invocation, Options } from "./invocation.ts";
import { printJson } from "./render/json.ts";
import { screenOf } from "./render/table.ts";
import { print } from "./streams.ts";
import { Pace } from "./top/pace.ts";
import { screenful } from "./top/screenful.ts";
import { LivePicture } from "./top/picture.ts";
import { snapshotDocument, takeSnapshot } from "./top/snapshot.ts";
import { surroundings } from "./top/surroundings.ts";

/** `reeve top`: what runs, as it changes; once, where nobody looks at a terminal. */
export async function run({ options }: Invocation): Promise<number> {
  const isLive = process.stdout.isTTY && !options.flag("once") && !options.flag("json");
  if (isLive) return watchLive(options);
  return withExistingStore(options, async ({ store }) => {
    const shot = takeSnapshot(store, surroundings());
    const pace = new Pace();
    pace.add(shot);
    if (options.flag("json")) await printJson(snapshotDocument(store, shot));
    else await print(screenful(store, shot, pace, screenOf(options), null).join("\n") + "\n");
    return EXIT.done;
  });
}

async function watchLive(options: Options): Promise<number> {
  const signals = new StopSignals();
  try {
    await withExistingStore(options, ({ store }) => watch(store, options, signals));
    return signals.stoppedBy === null ? EXIT.done : exitCodeOf(signals.stoppedBy);
  } finally {
    signals.remove();
    if (signals.stoppedBy) dieBy(signals.stoppedBy);
  }
}

/** Until a key or a signal says that it is enough. */
async function watch(store: Store, options: Options, signals: StopSignals): Promise<void> {
  const enough = Promise.withResolvers<void>();
  const end = (): void => enough.resolve();
  const picture = new LivePicture(store, () => screenOf(options), enough);
  signals.direct({ stop: end, finish: end, standStill: (wanted) => void (wanted || picture.drawSoon()) });
  try {
    await enough.promise;
  } finally {
    picture.close();
  }
}
