import { assert } from "../../base/assert.ts";

/** A set of page ids: one bit each, 256 KiB for the two million pages of an 8 GiB file. */
export class PageSet {
  #words: Uint32Array;

  constructor(capacity = 1024) {
    this.#words = new Uint32Array((capacity >>> 5) + 1);
  }

  has(page: number): boolean {
    const word = this.#words[Math.floor(page / 32)];
    return word !== undefined && (word & (1 << (page & 31))) !== 0;
  }

  add(page: number): void {
    const at = Math.floor(page / 32);
    if (at >= this.#words.length) this.#grow(at + 1);
    this.#words[at]! |= 1 << (page & 31);
  }

  /** @throws InvariantError when one is there already: a page freed twice would be given twice. */
  addNew(start: number, count: number): void {
    for (let page = start; page < start + count; page++) {
      assert(!this.has(page), `page ${page} is freed twice`);
      this.add(page);
    }
  }

  delete(start: number, count: number): void {
    for (let page = start; page < start + count; page++) {
      const at = Math.floor(page / 32);
      if (at < this.#words.length) this.#words[at]! &= ~(1 << (page & 31));
    }
  }

  #grow(wordCount: number): void {
    const words = new Uint32Array(Math.max(wordCount, this.#words.length * 2));
    words.set(this.#words);
    this.#words = words;
  }
}
