// The two kinds of streams between members. A stream has one sender and one receiver; both keep
// what its frames refer to, from the first frame on.

import type { Message } from "../../wire/messages/raft.ts";

/** Memory that is written in place: `ensure(n)`, then n bytes at `length`. */
export interface FrameOutput {
  readonly bytes: Uint8Array;
  length: number;
  ensure(sizeBytes: number): void;
}

export interface StreamEncoder {
  /** Appends the frame of `message`; returns its size. */
  encode(message: Message, output: FrameOutput): number;
}

export interface StreamDecoder {
  append(chunk: Uint8Array): void;
  /**
   * The next whole message; undefined when more bytes are needed.
   * @throws FrameError, ProtoError for what is no stream of this kind
   */
  next(): Message | undefined;
}

/** As etcd's readBytesLimit: a message is held in memory. */
export const FRAME_BYTES_MAX: number = 512 * 1024 * 1024;
