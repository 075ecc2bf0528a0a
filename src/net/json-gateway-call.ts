// A call that came as JSON: the API's view of it. Answers are encoded as for gRPC, then printed.

import type { MessageDescriptor } from "../wire/protobuf/descriptor.ts";
import type { Origin, StreamCall, UnaryCall } from "../wire/rpc.ts";
import { Code, RpcError } from "../wire/status.ts";
import { toJson } from "../wire/to-json.ts";
import type { GatewayOutput } from "./json-gateway-output.ts";

/** A client that does not read its stream is given up when so much waits for it. */
const QUEUED_BYTES_MAX: number = 64 * 1024 * 1024;

const tooMuchQueued: RpcError = new RpcError(
  Code.ResourceExhausted,
  "grpc: too many bytes of answers wait for the client to read them",
);

export interface GatewayPeer {
  readonly origin: Origin;
  metadata(name: string): string | undefined;
}

export class GatewayCall implements UnaryCall, StreamCall {
  readonly transport = "gateway";
  readonly #peer: GatewayPeer;
  readonly #output: GatewayOutput;
  readonly #response: MessageDescriptor;
  readonly #isUnary: boolean;
  readonly #onDone: (byMethod: boolean) => void;
  #buffer: Uint8Array = new Uint8Array(0);
  #isDone = false;

  /** `onDone` is called once: the method has ended the call, or (false) must be told so. */
  constructor(parts: {
    peer: GatewayPeer;
    output: GatewayOutput;
    response: MessageDescriptor;
    isUnary: boolean;
    onDone: (byMethod: boolean) => void;
  }) {
    this.#peer = parts.peer;
    this.#output = parts.output;
    this.#response = parts.response;
    this.#isUnary = parts.isUnary;
    this.#onDone = parts.onDone;
  }

  get remoteAddress(): string {
    return this.#peer.origin.remoteAddress;
  }

  get origin(): Origin {
    return this.#peer.origin;
  }

  get isCancelled(): boolean {
    return this.#isDone;
  }

  get buffer(): Uint8Array {
    return this.#buffer;
  }

  get queuedBytes(): number {
    return this.#output.queuedBytes;
  }

  metadata(name: string): string | undefined {
    return this.#peer.metadata(name);
  }

  reserve(sizeBytes: number): number {
    this.#buffer = new Uint8Array(sizeBytes);
    return 0;
  }

  send(): void {
    if (this.#isDone) return;
    this.#finish(true);
    this.#output.answer(toJson(this.#response, this.#buffer));
  }

  sendMessage(): void {
    if (this.#isDone) return;
    if (this.queuedBytes > QUEUED_BYTES_MAX) {
      this.abort(tooMuchQueued);
      return;
    }
    const { length } = this.#buffer;
    this.#output.chunk(toJson(this.#response, this.#buffer, 0, length, "compact"));
  }

  end(): void {
    if (this.#isDone) return;
    this.#finish(true);
    this.#output.end();
  }

  fail(error: RpcError): void {
    if (!this.#isDone) this.#fail(error, true);
  }

  whenDrained(belowBytes: number, task: () => void): void {
    if (!this.#isDone) this.#output.whenDrained(belowBytes, task);
  }

  /** Fails the call from outside the method: time is over, a limit is reached. */
  abort(error: RpcError): void {
    if (!this.#isDone) this.#fail(error, false);
  }

  /** The client has gone: nothing can be sent any more. */
  drop(): void {
    if (!this.#isDone) this.#finish(false);
  }

  #fail(error: RpcError, byMethod: boolean): void {
    this.#finish(byMethod);
    if (this.#isUnary) this.#output.fail(error);
    else this.#output.failStream(error);
  }

  #finish(byMethod: boolean): void {
    this.#isDone = true;
    this.#onDone(byMethod);
  }
}
