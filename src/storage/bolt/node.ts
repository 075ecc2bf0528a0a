// A page taken apart to be changed, and put together again as one or several.
//
// An `Inode` is an element by reference: its key, and the value right behind it, stay in the
// buffer they came from (a page that was read, a batch of new records) until they are copied into
// the new page. Neighbours that lie side by side there are copied in one piece: a leaf of new
// records is one memcpy.

import { assert } from "../../base/assert.ts";
import {
  compareBytes,
  ELEMENT_BYTES,
  ELEMENT_COUNT_MAX,
  PAGE_HEADER_BYTES,
  type Page,
  PageFlag,
  writeHeader,
  writeUint64,
} from "./page.ts";

export interface Inode {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly keySize: number;
  /** 0 in a branch. */
  readonly valueSize: number;
  readonly flags: number;
  /** In a branch, the page of the child. */
  readonly page: number;
  /** In a branch, the child itself once it is to be changed; `page` is then out of date. */
  child: Node | undefined;
}

export interface Node {
  readonly isLeaf: boolean;
  inodes: Inode[];
  /** Where it came from, 0 for a new or inline one, and how many pages that takes. */
  page: number;
  pageCount: number;
  /** Something was deleted in it or below it. */
  unbalanced: boolean;
}

export function newLeaf(): Node {
  return { isLeaf: true, inodes: [], page: 0, pageCount: 0, unbalanced: false };
}

export function newBranch(inodes: Inode[]): Node {
  return { isLeaf: false, inodes, page: 0, pageCount: 0, unbalanced: false };
}

/** Elements that no longer are where they were read count as new. */
export function nodeOf(page: Page): Node {
  const inodes: Inode[] = [];
  for (let i = 0; i < page.count; i++) {
    inodes.push({
      bytes: page.bytes,
      at: page.keyStart(i),
      keySize: page.keySize(i),
      valueSize: page.isLeaf ? page.valueSize(i) : 0,
      flags: page.isLeaf ? page.elementFlags(i) : 0,
      page: page.isLeaf ? 0 : page.child(i),
      child: undefined,
    });
  }
  const pageCount = page.id === 0 ? 0 : 1 + page.overflow;
  return { isLeaf: page.isLeaf, inodes, page: page.id, pageCount, unbalanced: false };
}

/** The first inode whose key is not below the given one. */
export function lowerBound(
  inodes: readonly Inode[],
  bytes: Uint8Array,
  at: number,
  size: number,
): number {
  let low = 0;
  let high = inodes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareInode(inodes[middle]!, bytes, at, size) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function compareInode(inode: Inode, bytes: Uint8Array, at: number, size: number): number {
  return compareBytes(inode.bytes, inode.at, inode.at + inode.keySize, bytes, at, at + size);
}

export function inodeBytes(inode: Inode): number {
  return ELEMENT_BYTES + inode.keySize + inode.valueSize;
}

/** What the inodes take as one page, header included. */
export function sizeOf(inodes: readonly Inode[], from = 0, to: number = inodes.length): number {
  let size = PAGE_HEADER_BYTES;
  for (let i = from; i < to; i++) size += inodeBytes(inodes[i]!);
  return size;
}

/** A branch with one child would be a level for nothing. */
const BRANCH_COUNT_MIN = 2;

/**
 * Where the page that begins at `from` ends when the inodes are distributed over pages filled to
 * `fillBytes`. A value larger than a page has a run of pages for itself, so that changing its
 * neighbour does not mean writing it again, unless those before it fit into its last page.
 */
export function pieceEnd(node: Node, from: number, pageSize: number, fillBytes: number): number {
  const { inodes } = node;
  const countMin = node.isLeaf ? 1 : BRANCH_COUNT_MIN;
  let size = PAGE_HEADER_BYTES;
  let end = from;
  let fit = from;
  for (; end < inodes.length && size < pageSize; end++) {
    const added = inodeBytes(inodes[end]!);
    if (size + added <= fillBytes || end - from < countMin) fit = end + 1;
    else if (fit === end && added > pageSize && sharesLastPage(size, added, pageSize)) fit++;
    size += added;
  }
  if (end === inodes.length && size < pageSize) return end;
  return node.isLeaf ? fit : lastWithRest(from, fit, inodes.length);
}

function sharesLastPage(size: number, added: number, pageSize: number): boolean {
  const alone = Math.ceil((PAGE_HEADER_BYTES + added) / pageSize);
  return Math.ceil((size + added) / pageSize) === alone;
}

/** The end of a branch's piece, so that what is left is nothing or enough for another. */
function lastWithRest(from: number, fit: number, count: number): number {
  if (count - fit === 0 || count - fit >= BRANCH_COUNT_MIN) return fit;
  return fit - from > BRANCH_COUNT_MIN ? fit - 1 : count;
}

/** Writes the inodes [from, to) as a page at `at`; all `length` bytes of it are written. */
export function writeNode(
  node: Node,
  from: number,
  to: number,
  target: { bytes: Uint8Array; view: DataView; at: number; page: number; length: number },
  overflow: number,
): void {
  const { bytes, view, at } = target;
  const { inodes, isLeaf } = node;
  assert(to - from <= ELEMENT_COUNT_MAX, "too many elements for a page");
  const flags = isLeaf ? PageFlag.leaf : PageFlag.branch;
  writeHeader(view, at, { id: target.page, flags, count: to - from, overflow });
  let element = at + PAGE_HEADER_BYTES;
  let data = element + (to - from) * ELEMENT_BYTES;
  let source: Uint8Array = bytes;
  let sourceStart = 0;
  let sourceEnd = 0;
  let dataStart = data;
  for (let i = from; i < to; i++) {
    const inode = inodes[i]!;
    if (isLeaf) {
      view.setUint32(element, inode.flags, true);
      view.setUint32(element + 4, data - element, true);
      view.setUint32(element + 8, inode.keySize, true);
      view.setUint32(element + 12, inode.valueSize, true);
    } else {
      view.setUint32(element, data - element, true);
      view.setUint32(element + 4, inode.keySize, true);
      writeUint64(view, element + 8, inode.page);
    }
    if (inode.bytes !== source || inode.at !== sourceEnd) {
      copy(source, sourceStart, sourceEnd, bytes, dataStart);
      source = inode.bytes;
      sourceStart = sourceEnd = inode.at;
      dataStart = data;
    }
    const size = inode.keySize + inode.valueSize;
    sourceEnd += size;
    data += size;
    element += ELEMENT_BYTES;
  }
  copy(source, sourceStart, sourceEnd, bytes, dataStart);
  assert(data <= at + target.length, "a page overflows its place");
  bytes.fill(0, data, at + target.length);
}

/** Below this a loop is faster than making the view that `set` needs. */
const LOOP_BYTES_MAX = 48;

function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  const length = end - start;
  if (length > LOOP_BYTES_MAX) {
    to.set(from.subarray(start, end), at);
  } else {
    for (let i = 0; i < length; i++) to[at + i] = from[start + i]!;
  }
}
