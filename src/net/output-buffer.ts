// What a connection has to say in this turn, gathered so that it costs one write. A system call
// costs more than all the rest of a small request; see docs/ARCHITECTURE.md.
//
// Messages are encoded in place into `bytes` at `length`. The 64 KiB buffers come from a pool and
// are lent only while there is something in them, so that idle connections hold none. When the
// kernel took a write at once (`writableLength` is 0) its buffer is free again; otherwise it
// waits until an earlier write is seen to be done.

import type { BufferPool } from "./buffer-pool.ts";

/** The part of a socket that is needed here. */
export interface ByteSink {
  write(bytes: Uint8Array, taken?: () => void): boolean;
  /** Bytes taken over by `write` and not yet taken by the kernel. */
  readonly writableLength: number;
}

/**
 * Above this many bytes in the socket nothing more is written but small control frames, and
 * reading stops: TCP pushes back, and what is not yet written can still be cancelled. Large enough
 * to keep a fast link busy for a turn.
 */
export const SOCKET_BACKLOG_BYTES_MAX: number = 1024 * 1024;

const nothing = Buffer.alloc(0);

export class OutputBuffer {
  bytes: Uint8Array = nothing;
  length = 0;
  /** The socket holds more than enough; ends with its "drain" event (see `onDrain`). */
  isBacklogged = false;
  /** Bytes given to the socket since the start, for tests and for detecting a stuck peer. */
  writtenBytes = 0;
  /** Wanted by whoever needs to know when the kernel has taken what was written. */
  onTaken: (() => void) | null = null;
  readonly #sink: ByteSink;
  readonly #pool: BufferPool;
  #inFlight: Uint8Array[] = [];
  #isClosed = false;

  constructor(sink: ByteSink, pool: BufferPool) {
    this.#sink = sink;
    this.#pool = pool;
  }

  /** What the kernel has not taken yet. */
  get pendingBytes(): number {
    return this.length + this.#sink.writableLength;
  }

  /** Makes room for `size` more bytes at `length`; `bytes` may change. */
  ensure(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    this.flush();
    if (this.bytes.length < size) {
      this.#pool.give(this.bytes);
      // TLS never takes a write at once, but mostly has done so by the next turn.
      if (this.#inFlight.length > 0 && this.#sink.writableLength === 0) this.#reclaim();
      this.bytes = this.#pool.take(size);
    }
  }

  flush(): void {
    const length = this.length;
    if (length === 0) return;
    const bytes = this.bytes;
    this.bytes = nothing;
    this.length = 0;
    if (this.#isClosed) {
      this.#pool.give(bytes);
      return;
    }
    this.writtenBytes += length;
    if (this.onTaken === null) this.#sink.write(bytes.subarray(0, length));
    else this.#sink.write(bytes.subarray(0, length), this.onTaken);
    const backlogBytes = this.#sink.writableLength;
    if (backlogBytes === 0) {
      this.#pool.give(bytes);
    } else {
      this.#inFlight.push(bytes);
      this.isBacklogged = backlogBytes > SOCKET_BACKLOG_BYTES_MAX;
    }
  }

  /** What is put in from now on goes nowhere. */
  close(): void {
    this.#isClosed = true;
  }

  onDrain(): void {
    this.isBacklogged = false;
    this.#reclaim();
  }

  #reclaim(): void {
    for (const bytes of this.#inFlight) this.#pool.give(bytes);
    this.#inFlight = [];
  }
}
