// Memory of log entries. Thousands of small entries a second live until the log is compacted;
// cut out of large chunks they cost one view each instead of one allocation each, and the
// garbage collector sees a few chunks. A chunk goes when the last entry in it is compacted.

/** Large enough to hold ~1000 usual entries, small enough not to pin much when few are left. */
const CHUNK_BYTES = 256 * 1024;
/** Larger entries get memory of their own, so that they do not waste the rest of a chunk. */
const SHARED_BYTES_MAX = CHUNK_BYTES / 8;

export class EntrySlab {
  #chunk = new ArrayBuffer(CHUNK_BYTES);
  #used = 0;

  allocate(sizeBytes: number): Uint8Array {
    if (sizeBytes > SHARED_BYTES_MAX) return new Uint8Array(sizeBytes);
    if (this.#used + sizeBytes > CHUNK_BYTES) {
      this.#chunk = new ArrayBuffer(CHUNK_BYTES);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += sizeBytes;
    return new Uint8Array(this.#chunk, at, sizeBytes);
  }
}
