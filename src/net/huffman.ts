// The Huffman code of HPACK (RFC 7541, appendix B). The code is canonical: symbols of the same
// length get consecutive codes in order of their value, so the lengths alone define it.
//
// Decoding walks a tree of 256-way nodes, eight bits a step; the longest code (30 bits) takes
// four steps, everything that headers are made of takes one.
//
//   entry ≥ 0   leaf: symbol << 4 | bits used of this step
//   entry < 0   ~entry is the offset of the next node

/** Bits of the code for each symbol, 0 to 255 and then EOS. */
// biome-ignore format: a table of sixteen columns
const CODE_LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];
const EOS = 256;
const CODE_LENGTH_MAX = 30;
const NODE_SIZE = 256;
/** How many inner nodes the code above needs (checked when the tree is built). */
const NODE_COUNT_MAX = 16;

const codes = canonicalCodes();
const tree = buildTree();

/**
 * Decodes `bytes[start, end)` into `target`, which must have room for 8/5 of that length.
 * Returns the decoded length, or -1 for a broken code or wrong padding.
 */
export function huffmanDecode(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
): number {
  let node = 0;
  let pending = 0;
  let pendingBits = 0;
  let written = 0;
  for (let at = start; at < end; at++) {
    pending = (pending << 8) | bytes[at]!;
    pendingBits += 8;
    while (pendingBits >= 8) {
      const entry = tree[node + ((pending >>> (pendingBits - 8)) & 0xff)]!;
      if (entry < 0) {
        node = ~entry;
        pendingBits -= 8;
        continue;
      }
      if (entry >>> 4 === EOS) return -1;
      target[written++] = entry >>> 4;
      pendingBits -= entry & 15;
      node = 0;
    }
  }
  while (pendingBits > 0) {
    const entry = tree[node + ((pending << (8 - pendingBits)) & 0xff)]!;
    if (entry < 0 || (entry & 15) > pendingBits) break;
    target[written++] = entry >>> 4;
    pendingBits -= entry & 15;
    node = 0;
  }
  // What is left must be the first bits of EOS (all ones), and shorter than a byte.
  const ones = (1 << pendingBits) - 1;
  return node === 0 && (pending & ones) === ones ? written : -1;
}

/** Bytes that `huffmanEncode` will write for these characters (each ≤ 0xff). */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let at = 0; at < text.length; at++) bits += CODE_LENGTHS[text.charCodeAt(at)]!;
  return (bits + 7) >>> 3;
}

/** Encodes the characters of `text` (each ≤ 0xff) at `at`; returns the new offset. */
export function huffmanEncode(text: string, target: Uint8Array, at: number): number {
  let pending = 0;
  let pendingBits = 0;
  let offset = at;
  for (let index = 0; index < text.length; index++) {
    const symbol = text.charCodeAt(index);
    let bits = CODE_LENGTHS[symbol]!;
    // In two halves, so that `pending` never holds more than 7 + 16 bits.
    if (bits > 16) {
      pending = (pending << (bits - 16)) | (codes[symbol]! >>> 16);
      pendingBits += bits - 16;
      bits = 16;
      while (pendingBits >= 8) target[offset++] = pending >>> (pendingBits -= 8);
    }
    pending = (pending << bits) | (codes[symbol]! & ((1 << bits) - 1));
    pendingBits += bits;
    while (pendingBits >= 8) target[offset++] = pending >>> (pendingBits -= 8);
    pending &= 0xff;
  }
  if (pendingBits > 0) {
    target[offset++] = (pending << (8 - pendingBits)) | (0xff >>> pendingBits);
  }
  return offset;
}

function canonicalCodes(): Uint32Array {
  const result = new Uint32Array(CODE_LENGTHS.length);
  let code = 0;
  for (let length = 1; length <= CODE_LENGTH_MAX; length++) {
    for (let symbol = 0; symbol < CODE_LENGTHS.length; symbol++) {
      if (CODE_LENGTHS[symbol] === length) result[symbol] = code++;
    }
    code *= 2;
  }
  return result;
}

function buildTree(): Int16Array {
  const nodes = new Int16Array(NODE_COUNT_MAX * NODE_SIZE);
  let used = NODE_SIZE;
  for (let symbol = 0; symbol < CODE_LENGTHS.length; symbol++) {
    const code = codes[symbol]!;
    let left = CODE_LENGTHS[symbol]!;
    let node = 0;
    while (left > 8) {
      left -= 8;
      const slot = node + ((code >>> left) & 0xff);
      if (nodes[slot] === 0) {
        nodes[slot] = ~used;
        used += NODE_SIZE;
      }
      node = ~nodes[slot]!;
    }
    const first = node + ((code << (8 - left)) & 0xff);
    nodes.fill((symbol << 4) | left, first, first + (1 << (8 - left)));
  }
  return nodes.subarray(0, used);
}
