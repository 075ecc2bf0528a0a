// Memory that lives as long as a write transaction: the pages that it reads to change them, and
// the blocks in which new ones are built. Afterwards it serves the next one; as garbage it would
// bring about a full collection every few commits.

import {
  elementsProblem,
  headerProblem,
  Page,
  type PageSource,
  pageError,
  rawMemory,
  readHeader,
  viewOf,
} from "./page.ts";
import type { ScanMemory } from "./scan.ts";

/** One write of 1 MiB costs the thread as little as one of 4 KiB. */
const BLOCK_BYTES = 1 << 20;
/** What stays for the next transactions: as much as a commit of ten thousand records needs. */
const POOLED_BLOCKS_MAX = 8;

export class BlockPool {
  readonly #blocks: Uint8Array[] = [];

  take(): Uint8Array | undefined {
    return this.#blocks.pop();
  }

  /** Nobody may read or write these any more. */
  give(blocks: readonly Uint8Array[]): void {
    for (const block of blocks) {
      if (block.length !== BLOCK_BYTES || this.#blocks.length === POOLED_BLOCKS_MAX) continue;
      this.#blocks.push(block);
    }
  }
}

export class TxMemory implements ScanMemory {
  readonly #pool: BlockPool;
  readonly #blocks: Uint8Array[] = [];
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = viewOf(this.#bytes);
  #used = 0;

  constructor(pool: BlockPool) {
    this.#pool = pool;
  }

  /** A block of at least so many bytes, whatever was in it before. */
  block(lengthMin: number): Uint8Array {
    const pooled = lengthMin <= BLOCK_BYTES ? this.#pool.take() : undefined;
    const block = pooled ?? rawMemory(Math.max(BLOCK_BYTES, lengthMin));
    this.#blocks.push(block);
    return block;
  }

  take(length: number): Uint8Array {
    const at = this.#reserve(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** @throws BoltError when there is no sound branch or leaf page of this id. */
  readPage(source: PageSource, pageSize: number, id: number): Page {
    let at = this.#read(source, pageSize, id, 1);
    const header = readHeader(this.#view, at);
    const problem = headerProblem(header, id);
    if (problem !== null) throw pageError(id, pageSize, problem);
    const pageCount = 1 + header.overflow;
    if (pageCount > 1) {
      if ((id + pageCount) * pageSize > source.sizeBytes()) {
        throw pageError(id, pageSize, `${header.overflow} overflow pages reach beyond the file`);
      }
      at = this.#read(source, pageSize, id, pageCount);
    }
    const elements = elementsProblem(this.#view, at, pageCount * pageSize, header);
    if (elements !== null) throw pageError(id, pageSize, elements);
    return new Page(this.#bytes, this.#view, at, header);
  }

  /** The transaction is over, and everything that it wrote is written. */
  release(): void {
    this.#pool.give(this.#blocks);
    this.#blocks.length = 0;
  }

  #read(source: PageSource, pageSize: number, id: number, pageCount: number): number {
    const at = this.#reserve(pageCount * pageSize);
    const target = this.#bytes.subarray(at, at + pageCount * pageSize);
    if (source.read(target, id * pageSize) < target.length) {
      throw pageError(id, pageSize, "the file ends within it");
    }
    return at;
  }

  #reserve(length: number): number {
    if (this.#used + length > this.#bytes.length) {
      this.#bytes = this.block(length);
      this.#view = viewOf(this.#bytes);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += length;
    return at;
  }
}
