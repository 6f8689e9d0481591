import { writeFileSync } from "node:fs";

const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
const LOADED_AT = 0x40_0000;
const EXECUTABLE = 2;
const LOAD = 1;
const READ_AND_EXECUTE = 5;

/** exit(0), and nothing else. */
const CODE = {
  // xor edi, edi; mov eax, 60; syscall
  x64: { machine: 62, bytes: [0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05] },
  // mov x0, #0; mov x8, #93; svc #0
  arm64: { machine: 183, bytes: [0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4] },
} as const;

/** Writes the smallest program there is: static, it exits with 0. Gives its path. */
export function writeNoop(path: string): string {
  const { arch } = process;
  if (arch !== "x64" && arch !== "arm64") throw new Error(`no smallest program is known for ${arch}`);
  writeFileSync(path, elf(CODE[arch].machine, CODE[arch].bytes), { mode: 0o755 });
  return path;
}

/** ELF64 header, one PT_LOAD, the code: elf(5). */
function elf(machine: number, code: readonly number[]): Uint8Array {
  const size = HEADER_BYTES + SEGMENT_BYTES + code.length;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const short = (offset: number, value: number): void => view.setUint16(offset, value, true);
  const word = (offset: number, value: number): void => view.setUint32(offset, value, true);
  const long = (offset: number, value: number): void => view.setBigUint64(offset, BigInt(value), true);

  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  short(16, EXECUTABLE);
  short(18, machine);
  word(20, 1);
  long(24, LOADED_AT + HEADER_BYTES + SEGMENT_BYTES);
  long(32, HEADER_BYTES);
  short(52, HEADER_BYTES);
  short(54, SEGMENT_BYTES);
  short(56, 1);

  word(HEADER_BYTES, LOAD);
  word(HEADER_BYTES + 4, READ_AND_EXECUTE);
  long(HEADER_BYTES + 16, LOADED_AT);
  long(HEADER_BYTES + 24, LOADED_AT);
  long(HEADER_BYTES + 32, size);
  long(HEADER_BYTES + 40, size);
  long(HEADER_BYTES + 48, 0x1000);

  bytes.set(code, HEADER_BYTES + SEGMENT_BYTES);
  return bytes;
}
