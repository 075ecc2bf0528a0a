// The two meta pages. Each commit writes one of them, last of all; the valid one with the larger
// txid names the state. The checksum is FNV-1a 64 over the 56 bytes in front of it.
//
//   magic u32 │ version u32 │ pageSize u32 │ flags u32 │ root page u64 │ sequence u64
//   freelist page u64 │ high-water mark u64 │ txid u64 │ checksum u64

import { assert } from "../../base/assert.ts";
import {
  BoltError,
  PAGE_HEADER_BYTES,
  PAGE_SIZE_DEFAULT,
  PageFlag,
  type PageSource,
  readUint64,
  viewOf,
  writeHeader,
  writeUint64,
} from "./page.ts";

const MAGIC = 0xed0cdaed;
const VERSION = 2;
const META_BYTES = 64;
const CHECKSUM_OFFSET = 56;
const FREELIST_OFFSET = 32;
/** In the place of the freelist's page id: the list is not in the file. */
const FREELIST_ABSENT_WORD = 0xffffffff;
export const FREELIST_ABSENT = -1;
/** A meta ends here in its page. */
const META_END = PAGE_HEADER_BYTES + META_BYTES;

const PAGE_SIZE_MIN = 1024;
const PAGE_SIZE_MAX = 1024 << 14;

export interface Meta {
  readonly pageSize: number;
  readonly root: number;
  readonly sequence: number;
  /** Page of the freelist, or `FREELIST_ABSENT`. */
  readonly freelist: number;
  /** High-water mark: the first page that was never allocated. */
  readonly pageCount: number;
  readonly txid: number;
}

/** The meta in a page whose bytes begin at `at`; a text says what is wrong with it. */
export function decodeMeta(bytes: Uint8Array, at = 0): Meta | string {
  if (bytes.length < at + META_END) return "the file ends before it";
  const view = viewOf(bytes);
  const meta = at + PAGE_HEADER_BYTES;
  if (view.getUint32(meta, true) !== MAGIC) return "not a bbolt file (magic number)";
  const version = view.getUint32(meta + 4, true);
  if (version !== VERSION) return `version ${version} instead of ${VERSION}`;
  const sum = checksum(bytes, meta);
  const low = view.getUint32(meta + CHECKSUM_OFFSET, true);
  const high = view.getUint32(meta + CHECKSUM_OFFSET + 4, true);
  if (low !== sum.low || high !== sum.high) return "checksum mismatch";
  const absent =
    view.getUint32(meta + FREELIST_OFFSET, true) === FREELIST_ABSENT_WORD &&
    view.getUint32(meta + FREELIST_OFFSET + 4, true) === FREELIST_ABSENT_WORD;
  const decoded: Meta = {
    pageSize: view.getUint32(meta + 8, true),
    root: readUint64(view, meta + 16),
    sequence: readUint64(view, meta + 24),
    freelist: absent ? FREELIST_ABSENT : readUint64(view, meta + FREELIST_OFFSET),
    pageCount: readUint64(view, meta + 40),
    txid: readUint64(view, meta + 48),
  };
  return fieldsProblem(decoded, absent) ?? decoded;
}

function fieldsProblem(meta: Meta, freelistAbsent: boolean): string | null {
  const { pageSize, root, pageCount, txid, sequence } = meta;
  if (!isPageSize(pageSize)) return `page size ${pageSize}`;
  if (root < 2 || root >= pageCount) return `root page ${root} of ${pageCount}`;
  if (!freelistAbsent && (meta.freelist < 2 || meta.freelist >= pageCount)) {
    return `freelist page ${meta.freelist} of ${pageCount}`;
  }
  return txid < 0 || sequence < 0 ? "a counter beyond 2^53" : null;
}

export function isPageSize(size: number): boolean {
  return size >= PAGE_SIZE_MIN && size <= PAGE_SIZE_MAX && (size & (size - 1)) === 0;
}

/** The whole page `meta.txid % 2` (or `page`), the rest of it zero. */
export function encodeMetaPage(meta: Meta, page: number = meta.txid % 2): Uint8Array {
  assert(meta.root < meta.pageCount, "meta: the root is beyond the high-water mark");
  assert(meta.freelist < meta.pageCount, "meta: the freelist is beyond the high-water mark");
  const bytes = new Uint8Array(meta.pageSize);
  const view = viewOf(bytes);
  writeHeader(view, 0, { id: page, flags: PageFlag.meta, count: 0, overflow: 0 });
  const at = PAGE_HEADER_BYTES;
  view.setUint32(at, MAGIC, true);
  view.setUint32(at + 4, VERSION, true);
  view.setUint32(at + 8, meta.pageSize, true);
  writeUint64(view, at + 16, meta.root);
  writeUint64(view, at + 24, meta.sequence);
  if (meta.freelist === FREELIST_ABSENT) {
    view.setUint32(at + FREELIST_OFFSET, FREELIST_ABSENT_WORD, true);
    view.setUint32(at + FREELIST_OFFSET + 4, FREELIST_ABSENT_WORD, true);
  } else {
    writeUint64(view, at + FREELIST_OFFSET, meta.freelist);
  }
  writeUint64(view, at + 40, meta.pageCount);
  writeUint64(view, at + 48, meta.txid);
  const sum = checksum(bytes, at);
  view.setUint32(at + CHECKSUM_OFFSET, sum.low, true);
  view.setUint32(at + CHECKSUM_OFFSET + 4, sum.high, true);
  return bytes;
}

/** FNV-1a 64 in two 32-bit words: the prime is 2^40 + 435. */
export function checksum(bytes: Uint8Array, start: number): { low: number; high: number } {
  let low = 0x84222325;
  let high = 0xcbf29ce4;
  for (let i = start; i < start + CHECKSUM_OFFSET; i++) {
    low = (low ^ bytes[i]!) >>> 0;
    const product = low * 435;
    high = (high * 435 + Math.floor(product / 2 ** 32) + ((low << 8) >>> 0)) % 2 ** 32;
    low = product % 2 ** 32;
  }
  return { low, high };
}

/**
 * The meta to go by: the newer one if it is valid, else the other.
 * @throws BoltError when neither is.
 */
export function readMetas(source: PageSource): Meta {
  const pageSize = detectPageSize(source);
  const first = decodeMeta(readBytes(source, 0, META_END));
  const second = decodeMeta(readBytes(source, pageSize, META_END));
  if (typeof first !== "string" && typeof second !== "string") {
    return second.txid > first.txid ? second : first;
  }
  if (typeof first !== "string") return first;
  if (typeof second !== "string") return second;
  throw new BoltError(
    `both meta pages are damaged: page 0 (offset 0): ${first}; ` +
      `page 1 (offset ${pageSize}): ${second}`,
  );
}

/** Meta 0 says it; if that is damaged, meta 1 lies at one of the possible sizes. */
function detectPageSize(source: PageSource): number {
  const first = decodeMeta(readBytes(source, 0, META_END));
  if (typeof first !== "string") return first.pageSize;
  const fileSizeBytes = source.sizeBytes();
  for (let size = PAGE_SIZE_MIN; size <= PAGE_SIZE_MAX; size *= 2) {
    if (size >= fileSizeBytes - PAGE_SIZE_MIN) break;
    const second = decodeMeta(readBytes(source, size, META_END));
    if (typeof second !== "string" && second.pageSize === size) return size;
  }
  return PAGE_SIZE_DEFAULT;
}

function readBytes(source: PageSource, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, source.read(bytes, position));
}
