const PAGE_BYTES = 4096;

/**
 * The content of a simulated file; zeros that were never overwritten take no memory. Pages are
 * shared, between images and with what was written, until somebody changes a part of one.
 */
export class SimBytes {
  readonly #pages: (Uint8Array | undefined)[] = [];
  /** 1: nobody else has the page, so it may be changed in place. */
  readonly #isOwn: number[] = [];
  #sizeBytes = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  read(target: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(target.length, this.#sizeBytes - position));
    for (let at = 0; at < count; ) {
      const offset = (position + at) % PAGE_BYTES;
      const length = Math.min(PAGE_BYTES - offset, count - at);
      const page = this.#pages[Math.floor((position + at) / PAGE_BYTES)];
      if (page === undefined) target.fill(0, at, at + length);
      else if (length === PAGE_BYTES) target.set(page, at);
      else target.set(page.subarray(offset, offset + length), at);
      at += length;
    }
    return count;
  }

  /** `bytes` are never changed afterwards. */
  write(bytes: Uint8Array, position: number): void {
    for (let at = 0; at < bytes.length; ) {
      const offset = (position + at) % PAGE_BYTES;
      const length = Math.min(PAGE_BYTES - offset, bytes.length - at);
      this.#writePage(Math.floor((position + at) / PAGE_BYTES), offset, bytes, at, at + length);
      at += length;
    }
    this.#sizeBytes = Math.max(this.#sizeBytes, position + bytes.length);
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.#sizeBytes) {
      const rest = sizeBytes % PAGE_BYTES;
      const last = Math.floor(sizeBytes / PAGE_BYTES);
      this.#pages.length = Math.min(this.#pages.length, Math.ceil(sizeBytes / PAGE_BYTES));
      this.#isOwn.length = this.#pages.length;
      if (rest > 0 && this.#pages[last] !== undefined) this.#ownPage(last).fill(0, rest);
    }
    this.#sizeBytes = sizeBytes;
  }

  clone(): SimBytes {
    const copy = new SimBytes();
    copy.#sizeBytes = this.#sizeBytes;
    copy.#pages.push(...this.#pages);
    for (let number = 0; number < this.#pages.length; number++) {
      this.#isOwn[number] = 0;
      copy.#isOwn.push(0);
    }
    return copy;
  }

  #writePage(number: number, offset: number, bytes: Uint8Array, from: number, to: number): void {
    if (this.#pages[number] === undefined && isZero(bytes, from, to)) return;
    if (to - from < PAGE_BYTES) {
      this.#ownPage(number).set(bytes.subarray(from, to), offset);
    } else {
      this.#setPage(number, bytes.subarray(from, to), 0);
    }
  }

  #ownPage(number: number): Uint8Array {
    const page = this.#pages[number];
    if (page !== undefined && this.#isOwn[number] === 1) return page;
    return this.#setPage(number, page?.slice() ?? new Uint8Array(PAGE_BYTES), 1);
  }

  #setPage(number: number, page: Uint8Array, isOwn: number): Uint8Array {
    // Without holes: such arrays are slow.
    while (this.#pages.length < number) {
      this.#pages.push(undefined);
      this.#isOwn.push(0);
    }
    this.#pages[number] = page;
    this.#isOwn[number] = isOwn;
    return page;
  }
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}
