// Pages of a bbolt file: what lies where, and reading it without copying.
//
//   offset 0        8       10       12         16
//          │ id u64 │ flags │ count  │ overflow │ element 0 │ element 1 │ … │ data …
//
//   branch element   pos u32 │ ksize u32 │ page id u64
//   leaf element     flags u32 │ pos u32 │ ksize u32 │ vsize u32
//
// All numbers are little-endian. `pos` counts from the start of its element; a value follows its
// key directly. A page of `overflow` n is followed by n pages without a header: the data runs
// straight through. A `Page` is a window on a larger buffer, because one object and two views for
// each 4 KiB would cost more than the reading.

/** Thrown for a file that is not what bbolt writes; the text names page and offset. */
export class BoltError extends Error {
  override name = "BoltError";
}

export const PAGE_HEADER_BYTES = 16;
export const ELEMENT_BYTES = 16;
export const PAGE_SIZE_DEFAULT = 4096;

export const PageFlag = { branch: 0x01, leaf: 0x02, meta: 0x04, freelist: 0x10 } as const;
/** Leaf element flag: the value is a bucket header. */
export const BUCKET_ELEMENT = 0x01;
/** A bucket header: root page u64 (0 = the leaf page follows inline), sequence u64. */
export const BUCKET_HEADER_BYTES = 16;
/** bbolt refuses to write a page with more elements. */
export const ELEMENT_COUNT_MAX = 0xfffe;

const HIGH_WORD = 2 ** 32;
const HIGH_WORD_MAX = 2 ** 21;

/** A u64 that has to be a safe integer; -1 for anything else, which no caller takes for valid. */
export function readUint64(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  if (high >= HIGH_WORD_MAX) return -1;
  return high * HIGH_WORD + view.getUint32(at, true);
}

export function writeUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / HIGH_WORD), true);
}

/** Where the pages come from: a file, whole or as it is being written. */
export interface PageSource {
  /** Fills `target` from the byte `position` on; returns the bytes read, fewer only at the end. */
  read(target: Uint8Array, position: number): number;
  sizeBytes(): number;
}

/** A branch or leaf page, checked when it was made: element data never reaches beyond it. */
export class Page {
  /** 0 for the page of an inline bucket. */
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where in `bytes` the page begins. */
  readonly at: number;
  readonly count: number;
  readonly overflow: number;
  readonly isLeaf: boolean;
  /** What a search made of the keys, to be faster the next time. */
  searchIndex: Float64Array | undefined = undefined;
  /** In an element, the position of `pos`; `ksize` follows. */
  readonly #posOffset: number;

  constructor(bytes: Uint8Array, view: DataView, at: number, header: PageHeader) {
    this.id = header.id;
    this.bytes = bytes;
    this.view = view;
    this.at = at;
    this.count = header.count;
    this.overflow = header.overflow;
    this.isLeaf = header.flags === PageFlag.leaf;
    this.#posOffset = this.isLeaf ? 4 : 0;
  }

  keyStart(index: number): number {
    const element = this.at + PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
    return element + this.view.getUint32(element + this.#posOffset, true);
  }

  keySize(index: number): number {
    const element = this.at + PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
    return this.view.getUint32(element + this.#posOffset + 4, true);
  }

  /** Leaf pages only. The value begins where the key ends. */
  valueSize(index: number): number {
    return this.view.getUint32(this.at + PAGE_HEADER_BYTES + index * ELEMENT_BYTES + 12, true);
  }

  /** Leaf pages only. */
  elementFlags(index: number): number {
    return this.view.getUint32(this.at + PAGE_HEADER_BYTES + index * ELEMENT_BYTES, true);
  }

  /** Branch pages only. */
  child(index: number): number {
    return readUint64(this.view, this.at + PAGE_HEADER_BYTES + index * ELEMENT_BYTES + 8);
  }

  /** The first element whose key is not below `key`; `count` when all are. */
  lowerBound(key: Uint8Array): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.compareKey(middle, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** In a branch, the child that would hold `key`: the last not above it, or the first. */
  childFor(key: Uint8Array): number {
    const index = this.lowerBound(key);
    if (index < this.count && this.compareKey(index, key) === 0) return index;
    return index === 0 ? 0 : index - 1;
  }

  /** Negative when the key of the element is below `key`. */
  compareKey(index: number, key: Uint8Array): number {
    const start = this.keyStart(index);
    return compareBytes(this.bytes, start, start + this.keySize(index), key, 0, key.length);
  }
}

export interface PageHeader {
  readonly id: number;
  readonly flags: number;
  readonly count: number;
  readonly overflow: number;
}

export function readHeader(view: DataView, at: number): PageHeader {
  return {
    id: readUint64(view, at),
    flags: view.getUint16(at + 8, true),
    count: view.getUint16(at + 10, true),
    overflow: view.getUint32(at + 12, true),
  };
}

export function writeHeader(view: DataView, at: number, header: PageHeader): void {
  writeUint64(view, at, header.id);
  view.setUint16(at + 8, header.flags, true);
  view.setUint16(at + 10, header.count, true);
  view.setUint32(at + 12, header.overflow, true);
}

/** What is wrong with the header of the branch or leaf page `id`, or null. */
export function headerProblem(header: PageHeader, id: number): string | null {
  if (header.id !== id) return `its header says it is page ${header.id}`;
  if (header.flags !== PageFlag.branch && header.flags !== PageFlag.leaf) {
    return `a branch or leaf page is expected, its flags are 0x${header.flags.toString(16)}`;
  }
  if (header.flags === PageFlag.branch && header.count === 0) return "a branch page without keys";
  return null;
}

/** What is wrong with the elements of the page at `at` in `length` bytes, or null. */
export function elementsProblem(
  view: DataView,
  at: number,
  length: number,
  header: PageHeader,
): string | null {
  const isLeaf = header.flags === PageFlag.leaf;
  const posOffset = isLeaf ? 4 : 0;
  const elementsEnd = PAGE_HEADER_BYTES + header.count * ELEMENT_BYTES;
  if (elementsEnd > length) return `${header.count} elements do not fit`;
  const end = at + length;
  for (let i = 0, element = at + PAGE_HEADER_BYTES; i < header.count; i++) {
    const pos = view.getUint32(element + posOffset, true);
    const keySize = view.getUint32(element + posOffset + 4, true);
    const valueSize = isLeaf ? view.getUint32(element + 12, true) : 0;
    if (keySize === 0) return `element ${i} has no key`;
    if (element + pos < at + elementsEnd) return `the data of element ${i} begins too early`;
    if (element + pos + keySize + valueSize > end) return `element ${i} reaches beyond the page`;
    element += ELEMENT_BYTES;
  }
  return null;
}

/** @throws BoltError unless `length` bytes at `at` are a sound branch or leaf page. */
export function parsePage(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  length: number,
  id: number,
): Page {
  const header = readHeader(view, at);
  const problem = headerProblem(header, id) ?? elementsProblem(view, at, length, header);
  if (problem !== null) throw new BoltError(id === 0 ? `an inline bucket: ${problem}` : problem);
  return new Page(bytes, view, at, header);
}

export function compareBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const aLength = aEnd - aStart;
  const bLength = bEnd - bStart;
  const common = Math.min(aLength, bLength);
  for (let i = 0; i < common; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/**
 * Memory that is not cleared first. No Buffer: its `slice` is a window, and whoever takes one for
 * a copy would see it overwritten.
 */
export function rawMemory(length: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** "page 12 (offset 49152): …": where an operator finds it with a hex viewer. */
export function pageError(id: number, pageSize: number, problem: string): BoltError {
  return new BoltError(`page ${id} (offset ${id * pageSize}): ${problem}`);
}
