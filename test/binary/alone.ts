/**
 * The beginning of a job's script that fails loudly where another run of the same job still goes on: the kernel's lock
 * on its mark is held by all that came of that one, in whatever namespace, and freed by the death of the last.
 */
export const ALONE = `exec 9>"mark.$REEVE_JOB_ID"
flock --nonblock 9 || { echo "$REEVE_JOB_ID" >> twice; exit 99; }`;
