// A bbolt file: its last committed state, the pages that are free, and the one write transaction.
// Pure and synchronous: reading goes through a `PageSource`, writing is the caller's.

import { assert } from "../../base/assert.ts";
import { BucketView, readBucketHeader } from "./bucket.ts";
import type { FreelistType, Span } from "./free-spans.ts";
import { Freelist } from "./freelist.ts";
import { encodeMetaPage, FREELIST_ABSENT, type Meta, readMetas } from "./meta.ts";
import {
  BoltError,
  BUCKET_ELEMENT,
  PAGE_SIZE_DEFAULT,
  PageFlag,
  type PageSource,
  pageError,
  readHeader,
  readUint64,
  viewOf,
  writeHeader,
} from "./page.ts";
import { PageCache } from "./page-cache.ts";
import { freeSpans } from "./reachable.ts";
import { scanBucket } from "./scan.ts";
import { Tx } from "./tx.ts";
import { BlockPool } from "./tx-memory.ts";

export interface DbOptions {
  readonly freelistType: FreelistType;
}

/** One committed state. The last one is always readable, an older one while it is pinned. */
export class View {
  readonly meta: Meta;
  readonly cache: PageCache;
  readonly #buckets = new Map<string, BucketView | null>();

  constructor(cache: PageCache, meta: Meta) {
    this.cache = cache;
    this.meta = meta;
  }

  bucket(name: string): BucketView | undefined {
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      const value = this.#names().get(Buffer.from(name));
      const header = value && readBucketHeader(value, 0, value.length);
      bucket = header ? new BucketView(this.cache, header) : null;
      this.#buckets.set(name, bucket);
    }
    return bucket ?? undefined;
  }

  bucketNames(): string[] {
    const names: string[] = [];
    scanBucket(this.#names(), null, (bytes, keyStart, keySize, _valueSize, flags) => {
      if ((flags & BUCKET_ELEMENT) !== 0) {
        names.push(Buffer.from(bytes.subarray(keyStart, keyStart + keySize)).toString());
      }
      return true;
    });
    return names;
  }

  #names(): BucketView {
    const { root, sequence } = this.meta;
    return new BucketView(this.cache, { root, sequence, inline: undefined });
  }
}

export class Db {
  readonly pageSize: number;
  readonly cache: PageCache;
  readonly freelist: Freelist;
  readonly blocks: BlockPool = new BlockPool();
  readonly #source: PageSource;
  #view: View;
  #tx: Tx | undefined;

  /** @throws BoltError when the file is damaged or shorter than its last state. */
  constructor(source: PageSource, options: DbOptions) {
    const meta = readMetas(source);
    const sizeBytes = source.sizeBytes();
    const neededBytes = meta.pageCount * meta.pageSize;
    if (sizeBytes < neededBytes) {
      throw new BoltError(
        `the file is truncated at offset ${sizeBytes}: its last commit has ${neededBytes} bytes`,
      );
    }
    this.#source = source;
    this.pageSize = meta.pageSize;
    this.cache = new PageCache(source, meta.pageSize);
    this.#view = new View(this.cache, meta);
    const free =
      meta.freelist === FREELIST_ABSENT ? freeSpans(source, meta) : readFreelist(source, meta);
    this.freelist = new Freelist(options.freelistType, free);
  }

  /** The last committed state. */
  get view(): View {
    return this.#view;
  }

  /** Up to the high-water mark, as etcd reports it; the file is longer. */
  get sizeBytes(): number {
    return this.#view.meta.pageCount * this.pageSize;
  }

  /** Of pages that the last state does not have, also while somebody still reads an older one. */
  get freeBytes(): number {
    return this.freelist.unusedPageCount * this.pageSize;
  }

  begin(): Tx {
    assert(this.#tx === undefined, "a write transaction is under way");
    this.freelist.release();
    this.#tx = new Tx(this);
    return this.#tx;
  }

  /** The transaction is durable: it is the last state now. Nobody reads its runs any more. */
  committed(tx: Tx): void {
    assert(tx === this.#tx, "another transaction is under way");
    this.#tx = undefined;
    for (const { start, count } of tx.output.written) this.cache.forget(start, count);
    tx.memory.release();
    this.#view = new View(this.cache, tx.newMeta);
  }

  /** Keeps the pages of the last state as they are until `unpin`. */
  pin(): View {
    this.freelist.pin(this.#view.meta.txid);
    return this.#view;
  }

  unpin(view: View): void {
    this.freelist.unpin(view.meta.txid);
  }

  /** Where the freelist of the last state is; there must be one. */
  freelistPages(): Span {
    const { freelist } = this.#view.meta;
    return { start: freelist, count: 1 + freelistHeader(this.#source, this.#view.meta).overflow };
  }
}

/** The four pages of a new, empty file. */
export function emptyFile(pageSize: number = PAGE_SIZE_DEFAULT): Uint8Array {
  const bytes = new Uint8Array(4 * pageSize);
  const view = viewOf(bytes);
  const meta = { pageSize, root: 3, sequence: 0, freelist: 2, pageCount: 4 };
  bytes.set(encodeMetaPage({ ...meta, txid: 0 }), 0);
  bytes.set(encodeMetaPage({ ...meta, txid: 1 }), pageSize);
  const page = { count: 0, overflow: 0 };
  writeHeader(view, 2 * pageSize, { id: 2, flags: PageFlag.freelist, ...page });
  writeHeader(view, 3 * pageSize, { id: 3, flags: PageFlag.leaf, ...page });
  return bytes;
}

/** In the header of a freelist page: the count is in the first element. */
const COUNT_ELSEWHERE = 0xffff;

function freelistHeader(source: PageSource, meta: Meta): ReturnType<typeof readHeader> {
  const bytes = new Uint8Array(meta.pageSize);
  source.read(bytes, meta.freelist * meta.pageSize);
  const header = readHeader(viewOf(bytes), 0);
  if (header.id !== meta.freelist || header.flags !== PageFlag.freelist) {
    throw pageError(meta.freelist, meta.pageSize, "it should hold the freelist and does not");
  }
  return header;
}

function readFreelist(source: PageSource, meta: Meta): Span[] {
  const header = freelistHeader(source, meta);
  const problem = (text: string) => pageError(meta.freelist, meta.pageSize, `freelist: ${text}`);
  const lengthBytes = (1 + header.overflow) * meta.pageSize;
  if (meta.freelist + 1 + header.overflow > meta.pageCount) throw problem("too long");
  const bytes = new Uint8Array(lengthBytes);
  source.read(bytes, meta.freelist * meta.pageSize);
  const view = viewOf(bytes);
  const escaped = header.count === COUNT_ELSEWHERE;
  const count = escaped ? readUint64(view, 16) : header.count;
  const start = escaped ? 24 : 16;
  if (count < 0 || start + count * 8 > lengthBytes) throw problem(`${count} ids do not fit`);
  const spans: { start: number; count: number }[] = [];
  let previous = 1;
  for (let i = 0; i < count; i++) {
    const page = readUint64(view, start + i * 8);
    if (page <= previous || page >= meta.pageCount) throw problem(`id ${page} is out of order`);
    const last = spans[spans.length - 1];
    if (last !== undefined && page === previous + 1) last.count++;
    else spans.push({ start: page, count: 1 });
    previous = page;
  }
  return spans;
}
