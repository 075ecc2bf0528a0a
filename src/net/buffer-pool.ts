// Output buffers, shared by all connections of a server.

/** One write of a busy turn: 200 small answers. Larger ones are flushed in pieces of this. */
export const OUTPUT_BUFFER_BYTES = 65_536;
/** 4 MiB at rest: more connections than this seldom have unsent output at the same time. */
const POOLED_COUNT_MAX = 64;

export class BufferPool {
  readonly #free: Uint8Array[] = [];

  /** A buffer of at least `size` bytes. */
  take(size: number): Uint8Array {
    if (size > OUTPUT_BUFFER_BYTES) return Buffer.allocUnsafeSlow(size);
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(OUTPUT_BUFFER_BYTES);
  }

  /** Takes back what nobody writes or reads any more; odd sizes are left to the collector. */
  give(bytes: Uint8Array): void {
    if (bytes.length !== OUTPUT_BUFFER_BYTES) return;
    if (this.#free.length < POOLED_COUNT_MAX) this.#free.push(bytes);
  }
}
