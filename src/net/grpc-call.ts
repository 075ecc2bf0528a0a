// One gRPC call: the API's view of a stream, of either kind. The request of a unary call mostly
// is one whole DATA frame and goes to the handler as a view, without a MessageReader.
//
//   waiting ── request message ──► running ── send, end, fail ──► done
//      └──────────── cancelled, deadline, connection lost ──────────▲

import { ProtoError } from "../wire/protobuf/proto-error.ts";
import type {
  AnswerSource,
  AnswerStream,
  Method,
  Origin,
  StreamCall,
  StreamHandler,
  UnaryCall,
} from "../wire/rpc.ts";
import { Code, RpcError } from "../wire/status.ts";
import { ErrorCode, readUint32, writeUint32 } from "./frames.ts";
import { MESSAGE_PREFIX_BYTES, MessageReader, type MessageSink } from "./grpc-message-reader.ts";
import { CODE_COUNT, type GrpcMetrics } from "./grpc-metrics.ts";
import {
  compressedWithoutEncoding,
  deadlineExceeded,
  decompressedTooLarge,
  percentEncode,
  tooLargeToSend,
  tooMuchQueued,
} from "./grpc-text.ts";
import type { HeaderField } from "./header-field.ts";
import { type Fields, grpcOk, type Http2Stream, type StreamSink } from "./http2-stream.ts";
import { nodeZlib } from "./lazy-node.ts";

export interface Route {
  /** Place in the arrays of GrpcMetrics. */
  readonly index: number;
  readonly method: Method;
}

/** What the calls of a server share. */
export interface GrpcCallContext {
  readonly metrics: GrpcMetrics;
  readonly messageBytesMax: number;
}

/** As etcd's server: the length of a message is a signed number to many a client. */
const MESSAGE_BYTES_SENT_MAX = 2 ** 31 - 1;

const GRPC_HEAD: Fields = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];

export class GrpcCall implements UnaryCall, StreamCall, StreamSink, MessageSink {
  readonly #stream: Http2Stream;
  readonly #route: Route;
  readonly #context: GrpcCallContext;
  readonly #metadata: readonly HeaderField[];
  readonly #authority: HeaderField | null;
  readonly #isGzip: boolean;
  #reader: MessageReader | null = null;
  /** Of streams; null for unary calls and before the handler has been called. */
  #handler: { onCancel(): void } | null = null;
  #hasRequest = false;
  #isDone = false;
  #reservedBytes = 0;
  /** Only when times are wanted. */
  #beganMs = 0;

  constructor(
    stream: Http2Stream,
    route: Route,
    context: GrpcCallContext,
    metadata: readonly HeaderField[],
    authority: HeaderField | null,
    isGzip: boolean,
  ) {
    this.#stream = stream;
    this.#route = route;
    this.#context = context;
    this.#metadata = metadata;
    this.#authority = authority;
    this.#isGzip = isGzip;
    context.metrics.started[route.index]!++;
    if (context.metrics.handlingSeconds !== null) this.#beganMs = stream.owner.nowMs();
  }

  /** For bidirectional streams, whose handler is called before any message. */
  open(): void {
    const method = this.#route.method;
    if (method.kind === "bidi-stream") this.#handler = method.open(this);
  }

  // ── the API's side ──

  get transport(): "grpc" {
    return "grpc";
  }

  get remoteAddress(): string {
    return this.#stream.owner.remoteAddress;
  }

  get origin(): Origin {
    return this.#stream.owner.origin;
  }

  get isCancelled(): boolean {
    return this.#isDone;
  }

  get buffer(): Uint8Array {
    return this.#stream.sender.buffer;
  }

  get queuedBytes(): number {
    return this.#stream.queuedBytes;
  }

  metadata(name: string): string | undefined {
    if (name === ":authority") return this.#authority?.value;
    for (const field of this.#metadata) if (field.name === name) return field.value;
    return undefined;
  }

  reserve(sizeBytes: number): number {
    const sender = this.#stream.sender;
    if (this.#isDone) return sender.reserveNothing(sizeBytes);
    const at = sender.reserve(this.#stream, sizeBytes + MESSAGE_PREFIX_BYTES);
    const bytes = sender.buffer;
    bytes[at] = 0;
    this.#reservedBytes = sizeBytes;
    return writeUint32(bytes, at + 1, sizeBytes);
  }

  send(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    if (!this.#stream.sender.commit(this.#stream, grpcOk)) {
      this.#abort(tooMuchQueued);
      return;
    }
    const { metrics } = this.#context;
    metrics.messagesSent[this.#route.index]!++;
    metrics.sentBytes.value += this.#reservedBytes;
    this.#count(Code.OK);
  }

  sendPieces(pieces: readonly Uint8Array[], sizeBytes: number): void {
    if (this.#isDone) return;
    this.#isDone = true;
    const prefix = new Uint8Array(MESSAGE_PREFIX_BYTES);
    writeUint32(prefix, 1, sizeBytes);
    if (!this.#stream.sender.sendPieces(this.#stream, [prefix, ...pieces], grpcOk)) {
      this.#abort(tooMuchQueued);
      return;
    }
    const { metrics } = this.#context;
    metrics.messagesSent[this.#route.index]!++;
    metrics.sentBytes.value += sizeBytes;
    this.#count(Code.OK);
  }

  sendFrom(sizeBytes: number, source: AnswerSource): AnswerStream {
    const abandon = (): void => this.#stream.reset(ErrorCode.RefusedStream);
    if (this.#isDone) {
      source.close();
      return { abandon };
    }
    if (sizeBytes > MESSAGE_BYTES_SENT_MAX) {
      source.close();
      this.fail(tooLargeToSend(sizeBytes, MESSAGE_BYTES_SENT_MAX));
      return { abandon };
    }
    this.#isDone = true;
    const prefix = new Uint8Array(MESSAGE_PREFIX_BYTES);
    writeUint32(prefix, 1, sizeBytes);
    if (!this.#stream.sender.sendFrom(this.#stream, prefix, sizeBytes, source, grpcOk)) {
      source.close();
      this.#abort(tooMuchQueued);
      return { abandon };
    }
    const { metrics } = this.#context;
    metrics.messagesSent[this.#route.index]!++;
    metrics.sentBytes.value += sizeBytes;
    this.#count(Code.OK);
    return { abandon };
  }

  sendMessage(): void {
    if (this.#isDone) return;
    if (!this.#stream.sender.commit(this.#stream, null)) {
      this.#isDone = true;
      this.#abort(tooMuchQueued);
      this.#handler?.onCancel();
      return;
    }
    const { metrics } = this.#context;
    metrics.messagesSent[this.#route.index]!++;
    metrics.sentBytes.value += this.#reservedBytes;
  }

  end(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#count(Code.OK);
    const stream = this.#stream;
    if (stream.headSent) {
      stream.sender.end(stream, grpcOk);
      return;
    }
    const fields: Fields = [...GRPC_HEAD, ["grpc-status", "0"]];
    stream.sender.end(stream, { kind: "fields", fields });
  }

  fail(error: RpcError): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#abort(error);
  }

  whenDrained(belowBytes: number, task: () => void): void {
    if (!this.#isDone) this.#stream.whenDrained(belowBytes, task);
  }

  // ── the stream's side ──

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isDone) return;
    if (this.#reader === null) {
      const length = end - start - MESSAGE_PREFIX_BYTES;
      const isWhole = length >= 0 && bytes[start] === 0 && readUint32(bytes, start + 1) === length;
      if (isWhole && length <= this.#context.messageBytesMax) {
        this.#deliver(bytes, start + MESSAGE_PREFIX_BYTES, end);
        if (this.#route.method.kind === "bidi-stream") this.#stream.topUpWindow();
        return;
      }
      this.#reader = new MessageReader(this.#stream, this, this.#context.messageBytesMax);
    }
    this.#reader.push(bytes, start, end);
  }

  onEnd(): void {
    if (this.#isDone) return;
    if (this.#reader?.isInside) {
      this.#giveUp(new RpcError(Code.Internal, "unexpected EOF"));
      return;
    }
    const method = this.#route.method;
    if (method.kind === "bidi-stream") (this.#handler as StreamHandler).onEnd();
    else if (!this.#hasRequest) this.#giveUp(new RpcError(Code.Unknown, "EOF"));
  }

  onDeadline(): void {
    // Answered already, but the client has not let all of it through.
    if (this.#isDone) this.#stream.reset(ErrorCode.Cancel);
    else this.#giveUp(deadlineExceeded);
  }

  onClosed(): void {
    this.#reader?.drop();
    if (this.#isDone) return;
    this.#isDone = true;
    this.#count(Code.Canceled);
    this.#handler?.onCancel();
  }

  onReadError(error: RpcError): void {
    if (!this.#isDone) this.#giveUp(error);
  }

  onMessage(isCompressed: boolean, bytes: Uint8Array, start: number, end: number): void {
    if (this.#isDone) return;
    if (!isCompressed) {
      this.#deliver(bytes, start, end);
      return;
    }
    if (!this.#isGzip) {
      this.#giveUp(compressedWithoutEncoding);
      return;
    }
    const max = this.#context.messageBytesMax;
    let message: Uint8Array;
    try {
      message = nodeZlib().gunzipSync(bytes.subarray(start, end), { maxOutputLength: max });
    } catch (error) {
      const { code, message: reason } = error as Error & { code?: string };
      if (code === "ERR_BUFFER_TOO_LARGE") {
        this.#giveUp(decompressedTooLarge(max));
        return;
      }
      const text = `grpc: failed to decompress the message: ${reason}`;
      this.#giveUp(new RpcError(Code.Internal, text));
      return;
    }
    this.#deliver(message, 0, message.length);
  }

  // ── helpers ──

  #deliver(bytes: Uint8Array, start: number, end: number): void {
    const { metrics } = this.#context;
    const method = this.#route.method;
    if (this.#hasRequest && method.kind !== "bidi-stream") return;
    this.#hasRequest = true;
    metrics.messagesReceived[this.#route.index]!++;
    metrics.receivedBytes.value += end - start;
    try {
      if (method.kind === "unary") method.handle(this, bytes, start, end);
      else if (method.kind === "server-stream")
        this.#handler = method.handle(this, bytes, start, end);
      else (this.#handler as StreamHandler).onMessage(bytes, start, end);
    } catch (error) {
      if (!(error instanceof ProtoError)) throw error;
      const text = `grpc: error unmarshalling request: ${error.message}`;
      this.#giveUp(new RpcError(Code.Internal, text));
    }
  }

  /** Ends the call from here: the handler is told as if the client had gone. */
  #giveUp(error: RpcError): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#abort(error);
    this.#handler?.onCancel();
  }

  #abort(error: RpcError): void {
    this.#count(error.code);
    const stream = this.#stream;
    const status: Fields = [
      ["grpc-status", String(error.code)],
      ["grpc-message", percentEncode(error.message)],
    ];
    const fields = stream.headSent ? status : [...GRPC_HEAD, ...status];
    stream.sender.end(stream, { kind: "fields", fields });
  }

  #count(code: Code): void {
    const { metrics } = this.#context;
    const { index } = this.#route;
    metrics.handled[index * CODE_COUNT + code]!++;
    const times = metrics.handlingSeconds;
    if (times !== null) times[index]!.observe((this.#stream.owner.nowMs() - this.#beganMs) / 1000);
  }
}
