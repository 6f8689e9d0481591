import { codeOf } from "../errors.ts";

type Bytes = string | Uint8Array;

/** Writes data, and waits until it has gone, so that much of it does not pile up in memory. */
export function print(data: Bytes): Promise<void> {
  return write(process.stdout, data);
}

/** The same on stderr. */
export function printError(data: Bytes): Promise<void> {
  return write(process.stderr, data);
}

function write(stream: NodeJS.WriteStream, data: Bytes): Promise<void> {
  // A failure is told to the stream's listener for errors as well, which ends the program.
  return new Promise((resolve) => stream.write(data, () => resolve()));
}

export const printLine = (line: string): Promise<void> => print(`${line}\n`);

/** A remark for the person at the terminal; data goes to stdout. */
export function remark(line: string): void {
  process.stderr.write(`reeve: ${line}\n`);
}

/** From now on what was begun is gone through with, also where nobody reads any more what is told of it (`| head`). */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners("error");
    stream.on("error", (error) => {
      if (codeOf(error) !== "EPIPE") throw error;
    });
  }
}
