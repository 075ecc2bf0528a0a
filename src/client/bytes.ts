// Between texts and the bytes that keys and values are.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The UTF-8 bytes of a key or value. */
export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of a key or value that is UTF-8. */
export function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
