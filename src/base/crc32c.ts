// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), eight bytes a step: table t tells what a
// byte does to the remainder when t more bytes follow it.

const POLYNOMIAL = 0x82f63b78;

/** Eight tables of 256 words, one after the other; signed words stay small integers. */
const tables = makeTables();

/**
 * The checksum of `bytes[start, end)`. With the checksum of what came before as `previous` it is
 * that of the whole, so a running checksum goes through any number of pieces.
 */
export function crc32c(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
  previous = 0,
): number {
  const t = tables;
  let crc = ~previous;
  let at = start;
  for (const whole = end - 7; at < whole; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      t[1792 | (crc & 255)]! ^
      t[1536 | ((crc >>> 8) & 255)]! ^
      t[1280 | ((crc >>> 16) & 255)]! ^
      t[1024 | (crc >>> 24)]! ^
      t[768 | bytes[at + 4]!]! ^
      t[512 | bytes[at + 5]!]! ^
      t[256 | bytes[at + 6]!]! ^
      t[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = t[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

function makeTables(): Int32Array {
  const words = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? POLYNOMIAL : 0);
    words[byte] = crc;
  }
  for (let at = 256; at < words.length; at++) {
    const before = words[at - 256]!;
    words[at] = (before >>> 8) ^ words[before & 255]!;
  }
  return words;
}
