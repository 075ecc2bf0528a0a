// One unary call of a client, without sockets: what the method answers is handed on at once.

import { Origin, type UnaryCall } from "../../../src/wire/rpc.ts";
import type { RpcError } from "../../../src/wire/status.ts";

export class SimCall implements UnaryCall {
  readonly remoteAddress = "127.0.0.1:1";
  readonly origin: Origin = new Origin("127.0.0.1:1");
  readonly transport = "grpc";
  buffer: Uint8Array = new Uint8Array(0);
  isCancelled = false;
  readonly #done: (answer: Uint8Array | RpcError) => void;

  constructor(done: (answer: Uint8Array | RpcError) => void) {
    this.#done = done;
  }

  metadata(): string | undefined {
    return undefined;
  }

  reserve(sizeBytes: number): number {
    this.buffer = new Uint8Array(sizeBytes);
    return 0;
  }

  send(): void {
    this.#end(this.buffer);
  }

  fail(error: RpcError): void {
    this.#end(error);
  }

  #end(answer: Uint8Array | RpcError): void {
    if (this.isCancelled) return;
    this.isCancelled = true;
    this.#done(answer);
  }
}
