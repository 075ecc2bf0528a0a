const PAGE_BYTES = 4096;

/** The content of a simulated file; zeros that were never overwritten take no memory. */
export class SimBytes {
  readonly #pages: (Uint8Array | undefined)[] = [];
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
      else target.set(page.subarray(offset, offset + length), at);
      at += length;
    }
    return count;
  }

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
      this.#pages.length = Math.min(this.#pages.length, Math.ceil(sizeBytes / PAGE_BYTES));
      const rest = sizeBytes % PAGE_BYTES;
      if (rest > 0) this.#pages[Math.floor(sizeBytes / PAGE_BYTES)]?.fill(0, rest);
    }
    this.#sizeBytes = sizeBytes;
  }

  clone(): SimBytes {
    const copy = new SimBytes();
    copy.#sizeBytes = this.#sizeBytes;
    this.#pages.forEach((page, number) => {
      if (page !== undefined) copy.#pages[number] = page.slice();
    });
    return copy;
  }

  #writePage(number: number, offset: number, bytes: Uint8Array, from: number, to: number): void {
    let page = this.#pages[number];
    if (page === undefined) {
      if (isZero(bytes, from, to)) return;
      page = new Uint8Array(PAGE_BYTES);
      this.#pages[number] = page;
    }
    page.set(bytes.subarray(from, to), offset);
  }
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}
