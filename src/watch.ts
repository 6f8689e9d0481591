import { watch, type FSWatcher } from "node:fs";

/** How often to look where the kernel has no watches left, in milliseconds. */
const FALLBACK_MS = 1000;

/** Calls back after each change of a file, or in a directory; null where the kernel has no watches left (inotify(7)). */
export function tryToWatch(path: string, callback: () => void): (() => void) | null {
  try {
    const watcher = watch(path, callback);
    // What was removed under the watch may go on growing.
    watcher.on("error", () => watcher.close());
    return () => watcher.close();
  } catch {
    return null;
  }
}

/** Calls back after each change in a directory, at most once an event of the kernel. Gives back the way to stop. */
export function watchDirectory(directory: string, callback: () => void): () => void {
  try {
    return watchByKernel(directory, callback);
  } catch {
    // inotify gives 128 instances a user; without one, look now and then.
    const timer = setInterval(callback, FALLBACK_MS);
    return () => clearInterval(timer);
  }
}

function watchByKernel(directory: string, callback: () => void): () => void {
  const watcher: FSWatcher = watch(directory, callback);
  let fallback: NodeJS.Timeout | undefined;
  // A directory that goes away under the watch: keep looking by the clock.
  watcher.on("error", () => (fallback ??= setInterval(callback, FALLBACK_MS)));
  return () => {
    watcher.close();
    clearInterval(fallback);
  };
}
