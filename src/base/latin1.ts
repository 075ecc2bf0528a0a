// Keys as latin1 strings: one character per byte, so that the order of strings is the order of
// bytes, comparison is a memcmp inside the engine, and a key costs a byte per byte.

interface Latin1Methods {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  latin1Write(this: Uint8Array, text: string, offset: number, length: number): number;
}

/** The methods behind `toString("latin1")`, without the Buffer that `toString` wants. */
const methods = Buffer.prototype as unknown as Latin1Methods;
const slice = methods.latin1Slice;
const write = methods.latin1Write;

/** Up to here a loop is faster than the call into the engine. */
const LOOP_LENGTH_MAX = 12;

export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return slice.call(bytes, start, end);
}

/** Writes one byte per character and returns the offset behind the last. */
export function writeLatin1(text: string, target: Uint8Array, at: number): number {
  const length = text.length;
  if (length > LOOP_LENGTH_MAX) {
    write.call(target, text, at, length);
  } else {
    for (let i = 0; i < length; i++) target[at + i] = text.charCodeAt(i);
  }
  return at + length;
}

export function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  writeLatin1(text, bytes, 0);
  return bytes;
}
