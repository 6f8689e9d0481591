const OTHERS_NOTHING = 0o177;

/** Makes a socket's file with mode 0600: it is there as soon as it is bound, so a chmod(2) would come too late. */
export function forThisUserOnly<T>(bind: () => T): T {
  const before = process.umask(OTHERS_NOTHING);
  try {
    return bind();
  } finally {
    process.umask(before);
  }
}
