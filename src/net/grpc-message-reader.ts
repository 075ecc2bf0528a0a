// Puts together the messages of one stream that did not come as one whole DATA frame:
//
//   | compressed? 1 | length 4 | message … | compressed? | length | …
//
// Whole messages inside a frame are handed on as views. For a message in pieces there is one
// buffer: up to a stream's window at once, more only when the connection has the memory
// (request-memory.ts); until then the window stays shut and the client waits.

import { Code, RpcError } from "../wire/status.ts";
import { readUint32 } from "./frames.ts";
import { messageTooLarge, requestStalled, tooMuchUnfinished } from "./grpc-text.ts";
import type { Http2Stream } from "./http2-stream.ts";
import { STREAM_WINDOW_BYTES } from "./limits.ts";
import type { PartialMessage } from "./request-memory.ts";

export const MESSAGE_PREFIX_BYTES = 5;

export interface MessageSink {
  /** Valid during the call only. */
  onMessage(isCompressed: boolean, bytes: Uint8Array, start: number, end: number): void;
  onReadError(error: RpcError): void;
}

const nothing = new Uint8Array(0);

export class MessageReader implements PartialMessage {
  heldBytes = 0;
  wantedBytes = 0;
  receivedBytes = 0;
  readonly #stream: Http2Stream;
  readonly #sink: MessageSink;
  readonly #messageBytesMax: number;
  readonly #prefix = new Uint8Array(MESSAGE_PREFIX_BYTES);
  #prefixBytes = 0;
  #body: Uint8Array = nothing;
  #isOver = false;

  constructor(stream: Http2Stream, sink: MessageSink, messageBytesMax: number) {
    this.#stream = stream;
    this.#sink = sink;
    this.#messageBytesMax = messageBytesMax;
  }

  /** Something of a message has come, but not all of it. */
  get isInside(): boolean {
    return this.#prefixBytes > 0;
  }

  push(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end && !this.#isOver) {
      if (this.#prefixBytes < MESSAGE_PREFIX_BYTES) at = this.#readPrefix(bytes, at, end);
      else at = this.#readBody(bytes, at, end);
    }
    if (this.#isOver) return;
    const missingBytes = this.wantedBytes - this.receivedBytes;
    // Inside a message just enough for it, between messages all.
    if (this.#prefixBytes < MESSAGE_PREFIX_BYTES) this.#stream.topUpWindow();
    else if (this.heldBytes === this.wantedBytes) this.#stream.ensureWindow(missingBytes);
  }

  /** The stream is over. */
  drop(): void {
    this.#isOver = true;
    this.#stream.owner.requestMemory.release(this);
    this.#body = nothing;
  }

  onAdmitted(): void {
    const body = Buffer.allocUnsafeSlow(this.wantedBytes);
    body.set(this.#body.subarray(0, this.receivedBytes));
    this.#body = body;
    this.heldBytes = this.wantedBytes;
    this.#stream.ensureWindow(this.wantedBytes - this.receivedBytes);
  }

  onStalled(): void {
    this.#sink.onReadError(requestStalled);
  }

  #readPrefix(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && this.#prefixBytes < MESSAGE_PREFIX_BYTES) {
      this.#prefix[this.#prefixBytes++] = bytes[at++]!;
    }
    if (this.#prefixBytes < MESSAGE_PREFIX_BYTES) return at;
    const format = this.#prefix[0]!;
    if (format > 1) {
      const text = `grpc: received unexpected payload format ${format}`;
      return this.#fail(new RpcError(Code.Internal, text), end);
    }
    const length = readUint32(this.#prefix, 1);
    if (length > this.#messageBytesMax) {
      return this.#fail(messageTooLarge(length, this.#messageBytesMax), end);
    }
    if (at + length > end) return this.#beginBody(length, at, end);
    this.#prefixBytes = 0;
    this.#sink.onMessage(format === 1, bytes, at, at + length);
    return at + length;
  }

  /** Memory for a message that is not all there. */
  #beginBody(length: number, at: number, end: number): number {
    const bytes = Math.min(length, STREAM_WINDOW_BYTES);
    const owner = this.#stream.owner;
    this.wantedBytes = length;
    this.receivedBytes = 0;
    if (!owner.requestMemory.take(this, bytes, owner.nowMs())) {
      return this.#fail(tooMuchUnfinished, end);
    }
    this.heldBytes = bytes;
    this.#body = Buffer.allocUnsafeSlow(bytes);
    if (bytes < length) owner.requestMemory.grow(this);
    return at;
  }

  #readBody(bytes: Uint8Array, start: number, end: number): number {
    const count = Math.min(end - start, this.wantedBytes - this.receivedBytes);
    this.#body.set(bytes.subarray(start, start + count), this.receivedBytes);
    this.receivedBytes += count;
    if (this.receivedBytes === this.wantedBytes) {
      const body = this.#body;
      this.#stream.owner.requestMemory.release(this);
      this.#body = nothing;
      this.heldBytes = 0;
      this.#prefixBytes = 0;
      this.#sink.onMessage(this.#prefix[0] === 1, body, 0, body.length);
    }
    return start + count;
  }

  #fail(error: RpcError, end: number): number {
    this.#isOver = true;
    this.#sink.onReadError(error);
    return end;
  }
}
