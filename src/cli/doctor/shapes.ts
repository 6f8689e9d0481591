import type { Marked } from "./marked.ts";

/** What holds the processes of a tree together, so that all of them can be ended. */
export const RUNGS = ["cgroup", "pid namespace", "marks"] as const;

export type Rung = (typeof RUNGS)[number];

/** What a shape needs beside a POSIX shell: to begin a session, or a process group, of its own. */
export const TOOLS = ["session", "group"] as const;

export type Tool = (typeof TOOLS)[number];

/** One way in which processes may slip away from whoever has to end them. */
export interface Shape {
  readonly name: string;
  /**
   * A POSIX shell script. `$1` is the mark, which all its processes have among their arguments, so that they are found
   * whatever else they have left behind. `session` and `group` are functions that go on as a command in one of its own.
   */
  readonly script: string;
  /** It has taken its form when so many of its processes are nothing but a `sleep` for the mark's time. */
  readonly sleepers: number;
  /** One of it stands still, too. */
  readonly isStopped?: true;
  readonly needs?: Tool;
  /** The rungs on which it does not die with its job, and what becomes of it. */
  readonly escapes?: Readonly<Partial<Record<Rung, string>>>;
}

/** What becomes of a process that nothing tells from those of other jobs. */
const STRAY = "dies when no job runs beside it, or its worker stops";

/** A shell that starts the next and ends, again and again, but not for ever: nobody sees one of them twice. */
const HOPPING = `HOP='[ "$2" -gt 0 ] && { sh -c "$0" "$0" "$1" $(($2 - 1)) & }'`;

/** A shell that leaves its control group for the one above, where it may: root may, and whoever a group was given to. */
const MOVING = `at=$(sed -n 's/^\\([^ ]* \\)\\{4\\}\\([^ ]*\\) .* - cgroup2 .*/\\2/p' /proc/self/mountinfo | head -n 1)
own=$(sed -n 's/^0:://p' /proc/self/cgroup); { echo 0 >"$at\${own%/*}/cgroup.procs"; } 2>/dev/null`;

/** The shapes that a tree may take: README lists them, and what `reeve doctor --prove` starts. */
export const SHAPES: readonly Shape[] = [
  {
    name: "children of a shell",
    script: `sh -c 'sleep "$1" & sleep "$1" & wait' sh "$1" &`,
    sleepers: 2,
  },
  {
    name: "an orphan, whose parents have ended",
    script: `( ( sleep "$1" & ) & )`,
    sleepers: 1,
  },
  {
    name: "a process group of its own",
    script: `group sleep "$1" &`,
    sleepers: 1,
    needs: "group",
  },
  {
    name: "a session of its own (setsid)",
    script: `session sleep "$1" &`,
    sleepers: 1,
    needs: "session",
  },
  {
    name: "a daemon (fork, setsid, fork)",
    script: `( session sh -c '( sleep "$1" & )' sh "$1" & )`,
    sleepers: 1,
    needs: "session",
  },
  {
    name: "TERM, HUP, INT and QUIT ignored, by the main process too",
    script: `trap "" TERM HUP INT QUIT; sleep "$1" &`,
    sleepers: 1,
  },
  {
    name: "stopped by itself",
    script: `sh -c 'kill -STOP $$; sleep "$1"' sh "$1" &`,
    sleepers: 0,
    isStopped: true,
  },
  {
    name: "a stopped group that starts more when it is woken",
    script: `group sh -c 'trap "sleep $1 & sleep $1 & exec sleep $1" HUP CONT TERM; sleep "$1" & kill -STOP $$; wait' sh "$1" &`,
    sleepers: 1,
    isStopped: true,
    needs: "group",
  },
  {
    name: "short processes, eight at a time, started as fast as can be",
    script: `( trap "" TERM; n=0; while [ "$n" -lt 400 ]; do
  for i in 1 2 3 4 5 6 7 8; do sh -c 'sleep 0.01; :' sh "$1" & done; wait; n=$((n + 1)); done ) &`,
    sleepers: 0,
  },
  {
    name: "a process that starts the next and ends, in a session of its own",
    script: `${HOPPING}; trap "" TERM; session sh -c "$HOP" "$HOP" "$1" 10000 & sleep 0.1`,
    sleepers: 0,
    needs: "session",
  },
  {
    name: "no environment, a session of its own (setsid env -i)",
    script: `( session env -i sleep "$1" & )`,
    sleepers: 1,
    needs: "session",
  },
  {
    name: "no descriptors, a session of its own",
    script: `( session sleep "$1" <&- >&- 2>&- 3>&- & )`,
    sleepers: 1,
    needs: "session",
  },
  {
    name: "no environment, no descriptors, a session of its own",
    script: `( session env -i sleep "$1" <&- >&- 2>&- 3>&- & )`,
    sleepers: 1,
    needs: "session",
    escapes: { marks: STRAY },
  },
  {
    name: "a session of its own, outside of its control group",
    script: `( ${MOVING}; session sleep "$1" & )`,
    sleepers: 1,
    needs: "session",
  },
  {
    name: "no environment, no descriptors, a session of its own, outside of its control group",
    script: `( ${MOVING}; session env -i sleep "$1" <&- >&- 2>&- 3>&- & )`,
    sleepers: 1,
    needs: "session",
    escapes: { cgroup: STRAY, marks: STRAY },
  },
  {
    name: "another name and another environment",
    script: `( session env -i A=b sh -c 'printf "x) R 1 1" >/proc/$$/comm; sleep "$1" & wait' sh "$1" & )`,
    sleepers: 1,
    needs: "session",
  },
  {
    name: "children that have ended and are not asked for (zombies)",
    script: `for i in 1 2 3 4 5; do ( exit 0 ) & done; sleep "$1" &`,
    sleepers: 1,
  },
  {
    name: "a tree of 50",
    script: `for i in 1 2 3 4 5 6 7; do sh -c 'for i in 1 2 3 4 5 6; do sleep "$1" & done; wait' sh "$1" & done`,
    sleepers: 42,
  },
  {
    name: "TERM answered by a new daemon",
    script: `( trap '( session sleep "$1" & ); exit 0' TERM; sleep "$1" & wait ) &`,
    sleepers: 1,
    needs: "session",
  },
  {
    name: "a daemon that begins when the main process has ended",
    script: `( trap "" TERM HUP; while kill -0 $$ 2>/dev/null; do sleep 0.02; done; ( session sleep "$1" & ) ) &`,
    sleepers: 0,
    needs: "session",
  },
];

/** Whether a tree has taken its form, by the processes with its mark; `end` is a sleeper where the main process is one. */
export function hasTakenForm({ sleepers, isStopped }: Shape, found: readonly Marked[], end: 0 | 1): boolean {
  const count = found.filter((one) => one.isSleeper).length;
  return count >= sleepers + end && (isStopped !== true || found.some((one) => one.isStopped));
}
