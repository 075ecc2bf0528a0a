// A write transaction: changes to buckets, and then the pages that make them so.
//
// It computes and does not write: `takeRuns` gives pages as they become final, `spill` the rest
// and the meta page. Whoever commits has to write the runs, sync, write the meta page, sync, and
// only then call `Db.committed`. Until then every read sees the state before.

import { assert } from "../../base/assert.ts";
import type { BucketHeader } from "./bucket.ts";
import type { Db } from "./db.ts";
import { encodeMetaPage, FREELIST_ABSENT, type Meta } from "./meta.ts";
import { inodeBytes, type Node, newLeaf, nodeOf, sizeOf, writeNode } from "./node.ts";
import { Output, type Run } from "./output.ts";
import {
  BUCKET_ELEMENT,
  BUCKET_HEADER_BYTES,
  PAGE_HEADER_BYTES,
  type Page,
  viewOf,
  writeUint64,
} from "./page.ts";
import { Tree, type TreeStore } from "./tree.ts";
import { TxMemory } from "./tx-memory.ts";

/** bbolt inlines a bucket that takes at most this part of a page. */
const INLINE_PAGE_PART = 4;
export const FILL_DEFAULT = 0.5;

export interface Commit {
  readonly runs: readonly Run[];
  readonly metaPage: Uint8Array;
  readonly metaPosition: number;
  /** The file must be at least as long. */
  readonly sizeBytes: number;
}

interface OpenBucket {
  readonly sequence: number;
  readonly tree: Tree;
}

export class Tx implements TreeStore {
  readonly txid: number;
  readonly pageSize: number;
  readonly output: Output;
  readonly memory: TxMemory;
  work = 0;
  readonly #db: Db;
  readonly #meta: Meta;
  readonly #buckets = new Map<string, OpenBucket>();
  #newMeta: Meta | undefined;

  /** Use `Db.begin`. */
  constructor(db: Db) {
    this.#db = db;
    this.#meta = db.view.meta;
    this.txid = this.#meta.txid + 1;
    this.pageSize = this.#meta.pageSize;
    this.memory = new TxMemory(db.blocks);
    this.output = new Output(db.freelist, this.memory, this.#meta);
  }

  /** The tree of a bucket, which is made if it is not there. `fill` is that of the first call. */
  bucket(name: string, fill: number = FILL_DEFAULT): Tree {
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      const header = this.#db.view.bucket(name)?.header;
      bucket = { sequence: header?.sequence ?? 0, tree: this.#treeOf(header, fill) };
      this.#buckets.set(name, bucket);
    }
    return bucket.tree;
  }

  /** The state with which this transaction began. */
  readPage(id: number): Page {
    assert(!this.isFresh(id), "a transaction reads a page of its own");
    const { cache } = this.#db;
    return cache.cached(id) ?? this.memory.readPage(cache.source, this.pageSize, id);
  }

  isFresh(page: number): boolean {
    return this.output.fresh.has(page);
  }

  free(page: number, count: number): void {
    this.#db.freelist.free(this.txid, page, count);
  }

  /** Writes changed leaves; true when there is none left. To be called before `spill`. */
  settleLeaves(workMax: number): boolean {
    const workEnd = this.work + workMax;
    for (const { tree } of this.#buckets.values()) {
      if (!tree.settleLeaves(workEnd - this.work)) return false;
    }
    return true;
  }

  rebalance(): void {
    for (const { tree } of this.#buckets.values()) tree.rebalance();
  }

  /** Ends the transaction; `rebalance` was called before. */
  spill(): Commit {
    assert(this.#newMeta === undefined, "a transaction is spilled twice");
    const names = new Tree(this, this.#meta.root, FILL_DEFAULT);
    for (const [name, bucket] of this.#buckets) this.#spillBucket(names, name, bucket);
    names.rebalance();
    const root = names.spill();
    if (this.#meta.freelist !== FREELIST_ABSENT) {
      const page = this.#db.freelistPages();
      this.free(page.start, page.count);
    }
    this.output.finish();
    const { txid, pageSize } = this;
    const { pageCount } = this.output;
    this.#newMeta = { ...this.#meta, root, txid, pageCount, freelist: FREELIST_ABSENT };
    return {
      runs: this.output.takeRuns(),
      metaPage: encodeMetaPage(this.#newMeta),
      metaPosition: (txid % 2) * pageSize,
      sizeBytes: pageCount * pageSize,
    };
  }

  /** Pages that may be written already. */
  takeRuns(): Run[] {
    return this.output.takeRuns();
  }

  /** The meta of the state that `spill` made. */
  get newMeta(): Meta {
    assert(this.#newMeta !== undefined, "the transaction is not spilled");
    return this.#newMeta;
  }

  #treeOf(header: BucketHeader | undefined, fill: number): Tree {
    if (header === undefined) return new Tree(this, newLeaf(), fill);
    return new Tree(this, header.inline ? nodeOf(header.inline) : header.root, fill);
  }

  #spillBucket(names: Tree, name: string, bucket: OpenBucket): void {
    const { tree, sequence } = bucket;
    const key = Buffer.from(name);
    const inline = tree.root !== undefined && this.#fitsInline(tree.root) ? tree.root : undefined;
    if (inline !== undefined) tree.freeRoot();
    const root = inline === undefined ? tree.spill() : 0;
    const valueSize = BUCKET_HEADER_BYTES + (inline === undefined ? 0 : sizeOf(inline.inodes));
    const bytes = new Uint8Array(key.length + valueSize);
    const view = viewOf(bytes);
    bytes.set(key);
    writeUint64(view, key.length, root);
    writeUint64(view, key.length + 8, sequence);
    if (inline !== undefined) {
      const at = key.length + BUCKET_HEADER_BYTES;
      const length = sizeOf(inline.inodes);
      writeNode(inline, 0, inline.inodes.length, { bytes, view, at, page: 0, length }, 0);
    }
    names.put(bytes, 0, key.length, valueSize, BUCKET_ELEMENT);
  }

  #fitsInline(root: Node): boolean {
    if (!root.isLeaf) return false;
    const limit = this.pageSize / INLINE_PAGE_PART;
    let size = PAGE_HEADER_BYTES;
    for (const inode of root.inodes) {
      size += inodeBytes(inode);
      if (size > limit || (inode.flags & BUCKET_ELEMENT) !== 0) return false;
    }
    return true;
  }
}
