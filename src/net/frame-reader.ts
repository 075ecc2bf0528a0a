// Cuts the byte stream into frames. A chunk may end anywhere, also inside the nine bytes of a
// frame header; whole frames are handed on as views, a frame that is split over chunks is
// gathered in a buffer of exactly its size (never by concatenating chunks, which is quadratic).

import { ConnectionError, ErrorCode, FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES } from "./frames.ts";

export interface FrameHandler {
  /** The payload is `bytes[start, end)`, valid during the call only. */
  onFrame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void;
}

export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #header = Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  #payload: Uint8Array | null = null;
  #payloadBytes = 0;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** @throws ConnectionError for a frame above the limit, and what the handler throws */
  push(chunk: Uint8Array): void {
    const end = chunk.length;
    let at = this.#headerBytes > 0 ? this.#resume(chunk) : 0;
    while (end - at >= FRAME_HEADER_BYTES) {
      const length = frameLength(chunk, at);
      const payloadAt = at + FRAME_HEADER_BYTES;
      if (payloadAt + length > end) break;
      at = payloadAt + length;
      this.#emit(chunk, payloadAt - FRAME_HEADER_BYTES, chunk, payloadAt, at);
    }
    if (at < end) this.#suspend(chunk, at);
  }

  /** Goes on with the frame that the last chunk began; returns where the next one starts. */
  #resume(chunk: Uint8Array): number {
    let at = this.#fillHeader(chunk, 0);
    const payload = this.#payload;
    if (payload === null) return at;
    at = this.#fillPayload(payload, chunk, at);
    if (this.#payloadBytes < payload.length) return at;
    this.#payload = null;
    this.#headerBytes = 0;
    this.#emit(this.#header, 0, payload, 0, payload.length);
    return at;
  }

  /** Keeps the beginning of a frame. */
  #suspend(chunk: Uint8Array, start: number): void {
    const at = this.#fillHeader(chunk, start);
    if (this.#payload !== null) this.#fillPayload(this.#payload, chunk, at);
  }

  #fillHeader(chunk: Uint8Array, start: number): number {
    if (this.#payload !== null) return start;
    const count = Math.min(FRAME_HEADER_BYTES - this.#headerBytes, chunk.length - start);
    this.#header.set(chunk.subarray(start, start + count), this.#headerBytes);
    this.#headerBytes += count;
    if (this.#headerBytes === FRAME_HEADER_BYTES) {
      this.#payload = Buffer.allocUnsafe(frameLength(this.#header, 0));
      this.#payloadBytes = 0;
    }
    return start + count;
  }

  #fillPayload(payload: Uint8Array, chunk: Uint8Array, start: number): number {
    const count = Math.min(payload.length - this.#payloadBytes, chunk.length - start);
    payload.set(chunk.subarray(start, start + count), this.#payloadBytes);
    this.#payloadBytes += count;
    return start + count;
  }

  #emit(header: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): void {
    const streamId =
      ((header[at + 5]! & 0x7f) << 24) |
      (header[at + 6]! << 16) |
      (header[at + 7]! << 8) |
      header[at + 8]!;
    this.#handler.onFrame(header[at + 3]!, header[at + 4]!, streamId, bytes, start, end);
  }
}

function frameLength(bytes: Uint8Array, at: number): number {
  const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
  if (length > FRAME_PAYLOAD_BYTES) {
    throw new ConnectionError(ErrorCode.FrameSizeError, "frame too large");
  }
  return length;
}
