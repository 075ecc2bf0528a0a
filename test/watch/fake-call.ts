// Calls without a transport: what was sent waits here until the client takes it, at once or as the
// test says.

import assert from "node:assert/strict";
import { Origin, type StreamCall, type UnaryCall } from "../../src/wire/rpc.ts";
import type { RpcError } from "../../src/wire/status.ts";

export class FakeStream implements StreamCall {
  readonly remoteAddress = "127.0.0.1:1";
  readonly origin: Origin = new Origin("127.0.0.1:1");
  readonly transport = "grpc";
  buffer: Uint8Array = new Uint8Array(0);
  queuedBytes = 0;
  isCancelled = false;
  /** Messages are taken as they come. */
  isFast = true;
  error: RpcError | undefined;
  hasEnded = false;
  readonly #onMessage: (bytes: Uint8Array) => void;
  readonly #metadata: Readonly<Record<string, string>>;
  readonly #queue: Uint8Array[] = [];
  #isReserved = false;
  #drained: { belowBytes: number; task: () => void } | undefined;

  constructor(
    onMessage: (bytes: Uint8Array) => void,
    metadata: Readonly<Record<string, string>> = {},
  ) {
    this.#onMessage = onMessage;
    this.#metadata = metadata;
  }

  metadata(name: string): string | undefined {
    return this.#metadata[name];
  }

  reserve(sizeBytes: number): number {
    assert.ok(!this.#isReserved, "a reserved message is sent before the next");
    this.#isReserved = true;
    // Somewhere in a larger buffer, as the transport has it.
    this.buffer = new Uint8Array(sizeBytes + 7);
    return 3;
  }

  sendMessage(): void {
    assert.ok(this.#isReserved, "what is sent was reserved");
    this.#isReserved = false;
    if (this.isCancelled) return;
    const message = this.buffer.subarray(3, this.buffer.length - 4);
    this.#queue.push(message);
    this.queuedBytes += message.length;
    if (this.isFast) this.take(Number.POSITIVE_INFINITY);
  }

  end(): void {
    this.hasEnded = true;
    this.isCancelled = true;
  }

  fail(error: RpcError): void {
    if (!this.isCancelled) this.error = error;
    this.isCancelled = true;
  }

  whenDrained(belowBytes: number, task: () => void): void {
    assert.equal(this.#drained, undefined, "one waits at a time");
    this.#drained = { belowBytes, task };
  }

  /** The client takes up to so many messages. */
  take(count: number): void {
    for (let left = count; left > 0 && this.#queue.length > 0; left--) {
      const message = this.#queue.shift()!;
      this.queuedBytes -= message.length;
      this.#onMessage(message);
    }
    const drained = this.#drained;
    if (drained === undefined || this.queuedBytes > drained.belowBytes) return;
    this.#drained = undefined;
    drained.task();
  }
}

export class FakeUnary implements UnaryCall {
  readonly remoteAddress = "127.0.0.1:1";
  readonly origin: Origin = new Origin("127.0.0.1:1");
  readonly transport = "grpc";
  buffer: Uint8Array = new Uint8Array(0);
  isCancelled = false;
  answer: Uint8Array | undefined;
  error: RpcError | undefined;

  metadata(): string | undefined {
    return undefined;
  }

  reserve(sizeBytes: number): number {
    this.buffer = new Uint8Array(sizeBytes);
    return 0;
  }

  send(): void {
    if (!this.isCancelled) this.answer = this.buffer;
    this.isCancelled = true;
  }

  fail(error: RpcError): void {
    if (!this.isCancelled) this.error = error;
    this.isCancelled = true;
  }

  get isDone(): boolean {
    return this.answer !== undefined || this.error !== undefined;
  }
}
