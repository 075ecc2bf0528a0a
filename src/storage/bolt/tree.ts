// The B+tree of one bucket while a write transaction changes it.
//
// Changing a key takes its leaf and the branches above it apart (`Node`s that hang below each
// other by `Inode.child`); the rest stays pages. When all changes are made, `rebalance` merges
// what deletions left too small, and `spill` writes every node to fresh pages from the leaves up,
// each node answering with the branch elements that replace it in its parent:
//
//          [ a  f  n ]          f's leaf has grown        [ a  f  h  k  n ]
//            │  │  │                  ───►                  │  │  │  │  │
//            ∙ [f…m] ∙                                      ∙ [f] [h] [k] ∙
//
// No page that belongs to the last state is touched. The hot case, records appended at the right
// end, skips the search, and `flushFull` writes the leaves that are full while others are still
// being appended, so that no step is long.

import { assert } from "../../base/assert.ts";
import {
  compareInode,
  type Inode,
  inodeBytes,
  lowerBound,
  type Node,
  newBranch,
  newLeaf,
  nodeOf,
  pieceEnd,
  sizeOf,
  writeNode,
} from "./node.ts";
import type { Output } from "./output.ts";
import { PAGE_HEADER_BYTES, type Page } from "./page.ts";

/** What a tree needs of its transaction. */
export interface TreeStore {
  readonly pageSize: number;
  readonly output: Output;
  readPage(id: number): Page;
  free(page: number, count: number): void;
  /** Written by this transaction, and so perhaps not in the file yet. */
  isFresh(page: number): boolean;
  /** How many nodes were made or written: what a step costs. */
  work: number;
}

/** Between writing two nodes the output reserves pages for as many as may follow, up to this. */
const EXPECTED_PAGES_MAX = 256;

export class Tree {
  readonly #store: TreeStore;
  readonly #fillBytes: number;
  /** A page smaller than this is merged with a neighbour. */
  readonly #mergeBytes: number;
  /** Set as soon as something is changed. */
  root: Node | undefined;
  #rootPage: number;
  /** The leaf of the last change, and the key at which the next one begins. */
  #finger: Node | undefined;
  #fingerEnd: Inode | undefined;
  #fingerPath: Node[] = [];
  /** The right end, while only `append` is used. */
  #lastLeaf: Node | undefined;
  #lastParent: Node | undefined;
  #lastLeafBytes = 0;

  /** @param root a page id, or the node of an inline bucket */
  constructor(store: TreeStore, root: number | Node, fill: number) {
    this.#store = store;
    this.#fillBytes = Math.floor(store.pageSize * fill);
    this.#mergeBytes = this.#fillBytes / 2;
    this.#rootPage = typeof root === "number" ? root : 0;
    this.root = typeof root === "number" ? undefined : root;
  }

  /** The key is `keySize` bytes at `at`, the value `valueSize` bytes right behind it. */
  put(bytes: Uint8Array, at: number, keySize: number, valueSize: number, flags = 0): void {
    assert(keySize > 0, "a key is empty");
    const leaf = this.#leafFor(bytes, at, keySize);
    const index = lowerBound(leaf.inodes, bytes, at, keySize);
    const inode = { bytes, at, keySize, valueSize, flags, page: 0, child: undefined };
    const old = leaf.inodes[index];
    if (old !== undefined && compareInode(old, bytes, at, keySize) === 0) {
      assert(old.flags === flags, "a bucket and a key have the same name");
      leaf.inodes[index] = inode;
      if (inode.valueSize < old.valueSize) this.#markUnbalanced();
    } else if (index === leaf.inodes.length) {
      leaf.inodes.push(inode);
    } else {
      leaf.inodes.splice(index, 0, inode);
    }
  }

  /** False when there is no such key. */
  delete(bytes: Uint8Array, at: number, keySize: number): boolean {
    const leaf = this.#leafFor(bytes, at, keySize);
    const index = lowerBound(leaf.inodes, bytes, at, keySize);
    const inode = leaf.inodes[index];
    if (inode === undefined || compareInode(inode, bytes, at, keySize) !== 0) return false;
    leaf.inodes.splice(index, 1);
    this.#markUnbalanced();
    return true;
  }

  /** As `put` of a key above all others. */
  append(bytes: Uint8Array, at: number, keySize: number, valueSize: number): void {
    const leaf = this.#lastLeaf ?? this.#findLastLeaf();
    const last = leaf.inodes[leaf.inodes.length - 1];
    assert(
      last === undefined || compareInode(last, bytes, at, keySize) < 0,
      "an appended key is not above the last",
    );
    const inode = { bytes, at, keySize, valueSize, flags: 0, page: 0, child: undefined };
    leaf.inodes.push(inode);
    this.#lastLeafBytes += inodeBytes(inode);
  }

  /** True when the leaf at the right end is worth writing as several. */
  get isRightEndFull(): boolean {
    return this.#lastLeafBytes >= 2 * this.#store.pageSize;
  }

  /** Writes the full leaves of the right end; its last one stays open for more. */
  flushFull(): void {
    const leaf = this.#lastLeaf ?? this.#findLastLeaf();
    const parent = this.#lastParent ?? this.#newRootAbove(leaf);
    const entry = parent.inodes.pop()!;
    let from = 0;
    for (;;) {
      const end = pieceEnd(leaf, from, this.#store.pageSize, this.#fillBytes);
      if (end === leaf.inodes.length) break;
      parent.inodes.push(this.#write(leaf, from, end));
      from = end;
    }
    if (from > 0) {
      this.#freePage(leaf);
      leaf.inodes = leaf.inodes.slice(from);
      this.#lastLeafBytes = sizeOf(leaf.inodes);
    }
    const { bytes, at, keySize } = leaf.inodes[0] ?? entry;
    parent.inodes.push({ ...branchInode(bytes, at, keySize, 0), child: leaf });
  }

  /** Merges and writes leaves until `workMax` nodes were handled; true when none is left. */
  settleLeaves(workMax: number): boolean {
    this.#forgetPositions();
    if (this.root === undefined || this.root.isLeaf) return true;
    return this.#settle(this.root, this.#store.work + workMax);
  }

  rebalance(): void {
    this.#forgetPositions();
    const { root } = this;
    if (root === undefined || root.isLeaf) return;
    if (root.unbalanced) this.#rebalanceChildren(root);
    let top = root;
    while (!top.isLeaf && top.inodes.length === 1) {
      this.#freePage(top);
      const only = top.inodes[0]!;
      if (only.child === undefined && this.#store.isFresh(only.page)) {
        this.#rootPage = only.page;
        this.root = undefined;
        return;
      }
      top = this.#child(top, 0);
    }
    if (top.inodes.length === 0 && !top.isLeaf) {
      this.#freePage(top);
      top = newLeaf();
    }
    this.root = top;
  }

  /** Writes everything and returns the page of the root. */
  spill(): number {
    let { root } = this;
    if (root === undefined) return this.#rootPage;
    for (;;) {
      const entries = this.#spillNode(root);
      if (entries.length === 1) {
        this.#rootPage = entries[0]!.page;
        this.root = undefined;
        return this.#rootPage;
      }
      root = newBranch(entries);
    }
  }

  /** Frees the page of the root, which goes on as an inline bucket. */
  freeRoot(): void {
    if (this.root !== undefined) this.#freePage(this.root);
  }

  #leafFor(bytes: Uint8Array, at: number, keySize: number): Node {
    this.#lastLeaf = undefined;
    const finger = this.#finger;
    if (finger !== undefined) {
      const first = finger.inodes[0];
      const above = first !== undefined && compareInode(first, bytes, at, keySize) <= 0;
      const end = this.#fingerEnd;
      if (above && (end === undefined || compareInode(end, bytes, at, keySize) > 0)) return finger;
    }
    let node = this.#materialRoot();
    this.#fingerPath = [node];
    this.#fingerEnd = undefined;
    while (!node.isLeaf) {
      const index = childIndex(node, bytes, at, keySize);
      this.#fingerEnd = node.inodes[index + 1] ?? this.#fingerEnd;
      node = this.#child(node, index);
      this.#fingerPath.push(node);
    }
    this.#finger = node;
    return node;
  }

  #findLastLeaf(): Node {
    this.#forgetPositions();
    let node = this.#materialRoot();
    this.#lastParent = undefined;
    while (!node.isLeaf) {
      this.#lastParent = node;
      node = this.#child(node, node.inodes.length - 1);
    }
    this.#lastLeaf = node;
    this.#lastLeafBytes = sizeOf(node.inodes);
    return node;
  }

  #newRootAbove(leaf: Node): Node {
    const { bytes, at, keySize } = leaf.inodes[0]!;
    const root = newBranch([{ ...branchInode(bytes, at, keySize, 0), child: leaf }]);
    this.root = root;
    this.#lastParent = root;
    return root;
  }

  #forgetPositions(): void {
    this.#finger = this.#fingerEnd = this.#lastLeaf = this.#lastParent = undefined;
    this.#fingerPath = [];
  }

  #materialRoot(): Node {
    this.root ??= this.#materialise(this.#rootPage);
    return this.root;
  }

  #child(node: Node, index: number): Node {
    const inode = node.inodes[index]!;
    inode.child ??= this.#materialise(inode.page);
    return inode.child;
  }

  #materialise(page: number): Node {
    this.#store.work++;
    return nodeOf(this.#store.readPage(page));
  }

  #markUnbalanced(): void {
    for (const node of this.#fingerPath) node.unbalanced = true;
  }

  #freePage(node: Node): void {
    if (node.pageCount > 0) this.#store.free(node.page, node.pageCount);
    node.page = node.pageCount = 0;
  }

  /** Brings the children of `parent` to a sound size; grandchildren first. */
  #rebalanceChildren(parent: Node): void {
    parent.unbalanced = false;
    const { inodes } = parent;
    for (let i = 0; i < inodes.length; i++) {
      const child = inodes[i]!.child;
      if (child === undefined || !child.unbalanced) continue;
      if (!child.isLeaf) this.#rebalanceChildren(child);
      child.unbalanced = false;
      if (child.inodes.length === 0) {
        this.#freePage(child);
        inodes.splice(i, 1);
        i--;
      } else if (this.#isUnderfull(child)) {
        const merged = this.#mergeAt(parent, i);
        if (merged >= 0) i = merged - 1;
      }
    }
  }

  #isUnderfull(node: Node): boolean {
    if (!node.isLeaf && node.inodes.length < 2) return true;
    return sizeOf(node.inodes) <= this.#mergeBytes;
  }

  /** Merges the child with a neighbour; the index of the result, or -1 if neither suits. */
  #mergeAt(parent: Node, index: number): number {
    for (const left of [index - 1, index]) {
      if (left < 0 || left + 1 >= parent.inodes.length) continue;
      const a = this.#neighbour(parent, left);
      const b = this.#neighbour(parent, left + 1);
      if (a === undefined || b === undefined || !this.#mayMerge(a, b)) continue;
      for (const inode of b.inodes) a.inodes.push(inode);
      this.#freePage(b);
      a.unbalanced = true;
      parent.inodes.splice(left + 1, 1);
      return left;
    }
    return -1;
  }

  /**
   * A child to be merged with. None that holds a large value, which would be written again, and
   * none that is written already.
   */
  #neighbour(parent: Node, index: number): Node | undefined {
    const { child, page } = parent.inodes[index]!;
    if (child !== undefined) return child;
    if (this.#store.isFresh(page) || this.#store.readPage(page).overflow > 0) return undefined;
    return this.#child(parent, index);
  }

  #mayMerge(a: Node, b: Node): boolean {
    if (!a.isLeaf && (a.inodes.length < 2 || b.inodes.length < 2)) return true;
    return sizeOf(a.inodes) + sizeOf(b.inodes) - PAGE_HEADER_BYTES <= this.#store.pageSize;
  }

  /** Depth first; true when every leaf below `node` is a page again. */
  #settle(node: Node, workEnd: number): boolean {
    const first = node.inodes[0];
    if (first === undefined) return true;
    if (this.#childrenAreLeaves(node)) {
      const { unbalanced } = node;
      if (unbalanced) this.#rebalanceChildren(node);
      node.unbalanced = unbalanced;
      node.inodes = this.#spilledInodes(node);
      return this.#store.work < workEnd;
    }
    for (const inode of node.inodes) {
      if (inode.child === undefined || isSettled(inode.child)) continue;
      if (!this.#settle(inode.child, workEnd)) return false;
    }
    return true;
  }

  #childrenAreLeaves(node: Node): boolean {
    const changed = node.inodes.find((inode) => inode.child !== undefined);
    return changed?.child?.isLeaf === true;
  }

  #spillNode(node: Node): Inode[] {
    if (!node.isLeaf) node.inodes = this.#spilledInodes(node);
    this.#freePage(node);
    const entries: Inode[] = [];
    let from = 0;
    do {
      const end = pieceEnd(node, from, this.#store.pageSize, this.#fillBytes);
      entries.push(this.#write(node, from, end));
      from = end;
    } while (from < node.inodes.length);
    return entries;
  }

  #spilledInodes(branch: Node): Inode[] {
    const inodes: Inode[] = [];
    for (const inode of branch.inodes) {
      if (inode.child === undefined) {
        inodes.push(inode);
      } else {
        for (const entry of this.#spillNode(inode.child)) inodes.push(entry);
      }
    }
    return inodes;
  }

  /** Writes the inodes [from, to) to fresh pages; the branch element that points there. */
  #write(node: Node, from: number, to: number): Inode {
    const { pageSize, output } = this.#store;
    const size = sizeOf(node.inodes, from, to);
    const pageCount = Math.ceil(size / pageSize);
    const rest = Math.ceil(((node.inodes.length - from) * (size / (to - from || 1))) / pageSize);
    const expected = Math.min(Math.max(rest, 1), EXPECTED_PAGES_MAX);
    const place = output.next(pageCount, expected);
    writeNode(node, from, to, place, pageCount - 1);
    this.#store.work++;
    const first = node.inodes[from];
    if (first === undefined) return branchInode(place.bytes, 0, 0, place.page);
    return branchInode(first.bytes, first.at, first.keySize, place.page);
  }
}

function branchInode(bytes: Uint8Array, at: number, keySize: number, page: number): Inode {
  return { bytes, at, keySize, valueSize: 0, flags: 0, page, child: undefined };
}

/** The last inode whose key is not above the given one, or the first. */
function childIndex(node: Node, bytes: Uint8Array, at: number, keySize: number): number {
  const index = lowerBound(node.inodes, bytes, at, keySize);
  const inode = node.inodes[index];
  if (inode !== undefined && compareInode(inode, bytes, at, keySize) === 0) return index;
  return index === 0 ? 0 : index - 1;
}

function isSettled(node: Node): boolean {
  return node.inodes.every((inode) => inode.child === undefined);
}
