/** How far a long batch has come. */
export interface SendingProgress {
  show(sent: number): void;
  end(): void;
}

const CLEARED_LINE = "\r\u001b[K";

/** One line on stderr, over and over, where somebody watches it, and where no ids run through it. */
export function sendingProgress(total: number, isWanted: boolean): SendingProgress {
  if (!isWanted || !process.stderr.isTTY || process.stdout.isTTY) return { show() {}, end() {} };
  return {
    show: (sent) => void process.stderr.write(`${CLEARED_LINE}${sent} of ${total} sent`),
    end: () => void process.stderr.write(CLEARED_LINE),
  };
}
