// Pages that are read one after the other are read several at a time: a system call costs more than
// copying a page. Whether they are is seen from the last ones; what was read ahead is forgotten as
// soon as any page is written anew.

import type { PageSource } from "./page.ts";

const AHEAD_BYTES = 128 << 10;
/** A page so little above the last one is the next: pages of several lie in between. */
const STRIDE_PAGES_MAX = 8;
/** So many next ones make a sequence. */
const SEQUENCE_PAGES = 3;

export class ReadAhead {
  readonly #source: PageSource;
  readonly #pageSize: number;
  /** Made when it is needed first. */
  #bytes = new Uint8Array(0);
  #first = 0;
  #count = 0;
  #last = 0;
  #sequence = 0;

  constructor(source: PageSource, pageSize: number) {
    this.#source = source;
    this.#pageSize = pageSize;
  }

  /** Reads one page into `target`; false when the file ends before its end. */
  read(id: number, target: Uint8Array): boolean {
    const step = id - this.#last;
    this.#last = id;
    this.#sequence = step > 0 && step <= STRIDE_PAGES_MAX ? this.#sequence + 1 : 0;
    const pageSize = this.#pageSize;
    if (!this.isInSequence) {
      return this.#source.read(target, id * pageSize) === target.length;
    }
    if (id < this.#first || id >= this.#first + this.#count) this.#fill(id);
    if (this.#count === 0) return false;
    const at = (id - this.#first) * pageSize;
    target.set(this.#bytes.subarray(at, at + pageSize));
    return true;
  }

  /** The last page was one of a sequence: who reads so will not soon come back to it. */
  get isInSequence(): boolean {
    return this.#sequence >= SEQUENCE_PAGES;
  }

  /** A page was written. */
  forget(): void {
    this.#count = 0;
  }

  #fill(id: number): void {
    const pageSize = this.#pageSize;
    if (this.#bytes.length === 0) this.#bytes = new Uint8Array(Math.max(AHEAD_BYTES, pageSize));
    this.#first = id;
    this.#count = Math.floor(this.#source.read(this.#bytes, id * pageSize) / pageSize);
  }
}
