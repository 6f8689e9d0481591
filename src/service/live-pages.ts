import type { Clock } from "../clock.ts";
import type { Store } from "../store/store.ts";

/** Changes that come close together are shown at once. */
const GATHER_MS = 20;
/** Between two looks at a busy store; however long a look takes, at most a tenth of the time is theirs. */
const LOOK_EVERY_MS = 100;
const TURN_FACTOR = 10;
/** How often what a job writes while it runs is looked at. */
const TICK_MS = 1000;
/** Ticks between two signs of life, and looks without a change: proxies take a silent connection for a dead one. */
const SLOW_TICKS = 15;

/** The changing part of a page. */
export interface Shown {
  /** Each an element. */
  readonly parts: readonly string[];
  /** It changes without a ring of the store's bell. */
  readonly moves: boolean;
}

/** How it is now; null: there is no such page any more. */
export type Look = () => Shown | null;

interface Listener {
  readonly owner: string | null;
  /** False: it does not keep up, and is to be given the next one. */
  send(event: string): boolean;
  close(): void;
}

interface Channel {
  readonly look: Look;
  readonly listeners: Set<Listener>;
  /** Of these the last has not been taken. */
  readonly behind: Set<Listener>;
  shown: Shown | null;
}

export interface LivePagesOptions {
  readonly store: Pick<Store, "watch">;
  readonly clock: Pick<Clock, "after" | "monotonic">;
  /** How many may look at once. */
  readonly most: number;
  readonly onFault: (error: unknown) => void;
}

/**
 * Pages that are being looked at. One watch of the store's bell is for all of them; a page is made once for all who look
 * at the same; of it only those parts are sent that are others than before.
 */
export class LivePages {
  readonly #options: LivePagesOptions;
  readonly #channels = new Map<string, Channel>();
  #count = 0;
  #ticks = 0;
  /** When the next look may be, by the monotonic clock. */
  #mayLookAt = 0;
  #unwatch: (() => void) | null = null;
  #cancelLook: (() => void) | null = null;
  #cancelTick: (() => void) | null = null;
  #ended = false;

  constructor(options: LivePagesOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.#ended || this.#count >= this.#options.most;
  }

  /** How many pages an owner looks at. */
  countOf(owner: string): number {
    const all = [...this.#channels.values()].flatMap(({ listeners }) => [...listeners]);
    return all.filter((listener) => listener.owner === owner).length;
  }

  /** The events of a page; who has the same `key` sees the same. It ends with `signal`, and with the page. */
  open(key: string, look: Look, signal: AbortSignal, owner: string | null = null): ReadableStream<Uint8Array> {
    let leave: (() => void) | null = null;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          leave = this.#join(key, look, listenerOf(controller, owner));
          signal.addEventListener("abort", () => leave?.());
          if (signal.aborted) leave();
        },
        cancel: () => leave?.(),
      },
      { highWaterMark: 4 },
    );
  }

  /** Nobody is told anything any more. */
  end(): void {
    this.#ended = true;
    for (const [key, channel] of this.#channels) this.#close(key, channel);
  }

  #join(key: string, look: Look, listener: Listener): () => void {
    const channel = this.#channels.get(key) ?? { look, listeners: new Set(), behind: new Set(), shown: look() };
    this.#channels.set(key, channel);
    channel.listeners.add(listener);
    this.#count += 1;
    listener.send("retry: 3000\n\n");
    // What changed since the page was read rang no bell for us.
    if (channel.shown) listener.send(pageEvent(channel.shown.parts));
    this.#unwatch ??= this.#options.store.watch("jobs", () => this.#lookSoon());
    this.#lookSoon();
    this.#tickLater();
    return () => this.#leave(key, channel, listener);
  }

  #leave(key: string, channel: Channel, listener: Listener): void {
    if (!channel.listeners.delete(listener)) return;
    channel.behind.delete(listener);
    this.#count -= 1;
    listener.close();
    if (channel.listeners.size === 0) this.#channels.delete(key);
    if (this.#count > 0) return;
    this.#unwatch?.();
    this.#cancelLook?.();
    this.#cancelTick?.();
    this.#unwatch = this.#cancelLook = this.#cancelTick = null;
  }

  #close(key: string, channel: Channel): void {
    for (const listener of channel.listeners) this.#leave(key, channel, listener);
  }

  #lookSoon(): void {
    const { clock } = this.#options;
    const waitMs = Math.max(GATHER_MS, this.#mayLookAt - clock.monotonic());
    this.#cancelLook ??= clock.after(waitMs, () => {
      this.#cancelLook = null;
      const begun = clock.monotonic();
      for (const [key, channel] of this.#channels) this.#update(key, channel);
      const tookMs = clock.monotonic() - begun;
      this.#mayLookAt = begun + Math.max(LOOK_EVERY_MS, tookMs * TURN_FACTOR);
    });
  }

  #tickLater(): void {
    this.#cancelTick ??= this.#options.clock.after(TICK_MS, () => {
      this.#cancelTick = null;
      this.#ticks = (this.#ticks + 1) % SLOW_TICKS;
      this.#tick(this.#ticks === 0);
      if (this.#count > 0) this.#tickLater();
    });
  }

  #tick(isSlow: boolean): void {
    for (const [key, channel] of this.#channels) {
      if (isSlow) for (const listener of channel.listeners) listener.send(":\n\n");
      if (isSlow || channel.shown?.moves || channel.behind.size > 0) this.#update(key, channel);
    }
  }

  #update(key: string, channel: Channel): void {
    try {
      const shown = channel.look();
      if (!shown) return this.#bury(key, channel);
      const news = newParts(shown.parts, channel.shown?.parts ?? []);
      const others = news === null ? channel.behind : channel.listeners;
      channel.shown = shown;
      for (const listener of others) {
        // Who has missed something gets all of it.
        const parts = news === null || channel.behind.has(listener) ? shown.parts : news;
        if (listener.send(pageEvent(parts))) channel.behind.delete(listener);
        else channel.behind.add(listener);
      }
    } catch (error) {
      this.#options.onFault(error);
    }
  }

  #bury(key: string, channel: Channel): void {
    for (const listener of channel.listeners) listener.send("event: gone\ndata:\n\n");
    this.#close(key, channel);
  }
}

/** What stands for a part that has not changed. */
const SAME = "<template></template>";

/** The parts, those that are as they were left out; null: all are. */
function newParts(parts: readonly string[], before: readonly string[]): readonly string[] | null {
  if (parts.length !== before.length) return parts;
  const news = parts.map((part, index) => (isSame(part, before[index] ?? "") ? SAME : part));
  return news.every((part) => part === SAME) ? null : news;
}

const isSame = (one: string, other: string): boolean => one === other || withoutTimes(one) === withoutTimes(other);

/** The page's own clock keeps the times true. */
const withoutTimes = (text: string): string => text.replaceAll(/(<time[^>]*>)[^<]*/g, "$1");

const pageEvent = (parts: readonly string[]): string =>
  `event: page\ndata: ${parts
    .join("\n")
    .split(/\r\n?|\n/)
    .join("\ndata: ")}\n\n`;

const encoder = new TextEncoder();

function listenerOf(controller: ReadableStreamDefaultController<Uint8Array>, owner: string | null): Listener {
  let isOpen = true;
  return {
    owner,
    send(event) {
      if (!isOpen || (controller.desiredSize ?? 0) <= 0) return false;
      controller.enqueue(encoder.encode(event));
      return true;
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      try {
        controller.close();
      } catch {
        // The client was faster.
      }
    },
  };
}
