// Base64 as Go's protojson takes it: the standard or the URL alphabet, with or without padding,
// line ends ignored; and as it gives it: standard, padded.

export function encodeBase64(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("base64");
}

const STANDARD = /^[A-Za-z0-9+/]*$/;
const URL_SAFE = /^[A-Za-z0-9_-]*$/;

/** Undefined if `text` is not base64. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const isUrlSafe = /[-_]/.test(text);
  // Go decides by the length of the text as it is, line ends included, whether padding is due.
  const isPadded = text.length % 4 === 0;
  let digits = text.replace(/[\r\n]/g, "");
  if (isPadded) {
    if (digits.length % 4 !== 0) return undefined;
    digits = digits.replace(/={1,2}$/, "");
  }
  if (digits.length % 4 === 1) return undefined;
  if (!(isUrlSafe ? URL_SAFE : STANDARD).test(digits)) return undefined;
  return Buffer.from(digits, isUrlSafe ? "base64url" : "base64");
}
