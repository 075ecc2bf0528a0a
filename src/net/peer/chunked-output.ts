// The body of a stream on its way out: frames of one turn become one chunk of HTTP/1.1 and one
// write.
//
//   | size in 8 hex digits, CR LF | frames … | CR LF |
//     └ filled in at the end

import type { BufferPool } from "../buffer-pool.ts";
import type { FrameOutput } from "./stream-codec.ts";

/** What of a socket is needed here. */
export interface ChunkSink {
  write(bytes: Uint8Array, done: () => void): boolean;
  readonly writableLength: number;
}

const SIZE_DIGITS = 8;
const HEAD_BYTES = SIZE_DIGITS + 2;
const TAIL_BYTES = 2;
const CR = 13;
const LF = 10;
const HEX = Buffer.from("0123456789abcdef", "latin1");

const nothing = Buffer.alloc(0);

/** The end of a chunked body. */
export const LAST_CHUNK: Uint8Array = Buffer.from("0\r\n\r\n", "latin1");

export class ChunkedOutput implements FrameOutput {
  bytes: Uint8Array = nothing;
  length = 0;
  /** The kernel has taken something since this was last set to false. */
  hasProgressed = false;
  readonly #sink: ChunkSink;
  readonly #pool: BufferPool;
  readonly #onWritten = (): void => {
    this.hasProgressed = true;
    this.#queuedFrames -= this.#writes.shift() ?? 0;
  };
  /** Frames in each write that the kernel has not taken; the first is the oldest. */
  readonly #writes: number[] = [];
  #queuedFrames = 0;
  #openFrames = 0;

  constructor(sink: ChunkSink, pool: BufferPool) {
    this.#sink = sink;
    this.#pool = pool;
  }

  /** Frames that the kernel has not taken. */
  get frames(): number {
    return this.#queuedFrames + this.#openFrames;
  }

  get unwrittenBytes(): number {
    return this.#sink.writableLength + Math.max(0, this.length - HEAD_BYTES);
  }

  /** May write the frames before. */
  ensure(sizeBytes: number): void {
    if (this.length > 0) {
      if (this.length + sizeBytes + TAIL_BYTES <= this.bytes.length) return;
      this.flush();
    }
    this.bytes = this.#pool.take(HEAD_BYTES + sizeBytes + TAIL_BYTES);
    this.length = HEAD_BYTES;
  }

  /** What was put at `length` is a whole frame now. */
  endFrame(): void {
    this.#openFrames++;
  }

  flush(): void {
    const { bytes, length } = this;
    if (length === 0) return;
    this.bytes = nothing;
    this.length = 0;
    this.#queuedFrames += this.#openFrames;
    this.#writes.push(this.#openFrames);
    this.#openFrames = 0;
    let size = length - HEAD_BYTES;
    for (let at = SIZE_DIGITS - 1; at >= 0; at--) {
      bytes[at] = HEX[size & 15]!;
      size >>>= 4;
    }
    bytes[SIZE_DIGITS] = CR;
    bytes[SIZE_DIGITS + 1] = LF;
    bytes[length] = CR;
    bytes[length + 1] = LF;
    this.#sink.write(bytes.subarray(0, length + TAIL_BYTES), this.#onWritten);
    // Mostly the kernel has taken it already; else the memory is left to the collector.
    if (this.#sink.writableLength === 0) this.#pool.give(bytes);
  }
}
