import { existsSync } from "node:fs";
import { join } from "node:path";
import { type ControlGroup, read } from "./control-group.ts";
import type { GroupHome } from "./group-home.ts";

/** The groups that bound one job. */
export class LimitGroup {
  readonly #made = new Map<GroupHome, ControlGroup>();
  #unified: string | null = null;

  /** Its group below a home of version 1, made where there is none yet. */
  in(home: GroupHome): ControlGroup {
    const group = this.#made.get(home) ?? home.make();
    this.#made.set(home, group);
    return group;
  }

  /** Its group of version 2, which is another's to remove. */
  over(group: ControlGroup): string {
    return (this.#unified = group.path);
  }

  /** The files by which a process enters those groups in which it was not started. */
  get entrances(): string[] {
    return [...this.#made.values()].map(({ path }) => join(path, "cgroup.procs"));
  }

  get #paths(): string[] {
    const made = [...this.#made.values()].map(({ path }) => path);
    return this.#unified === null ? made : [...made, this.#unified];
  }

  /** How many of its processes the kernel has killed for want of the memory that they may have. */
  outOfMemoryKills(): number {
    const counts = this.#readAll(["memory.events", "memory.oom_control"]);
    return counts.reduce((sum, text) => sum + Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0), 0);
  }

  /** Bytes; null: nothing here counts them. */
  peakBytes(): number | null {
    const [peak] = this.#readAll(["memory.peak", "memory.max_usage_in_bytes"]);
    return peak === undefined ? null : Number(peak);
  }

  #readAll(names: readonly string[]): string[] {
    const files = this.#paths.flatMap((path) => names.map((name) => join(path, name)));
    return files.filter((file) => existsSync(file)).map(read);
  }

  remove(): void {
    for (const [home, group] of this.#made) home.remove(group);
    this.#made.clear();
    this.#unified = null;
  }
}
