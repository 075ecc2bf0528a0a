// How a call looks to the API: the seam between `net/` (which never knows methods) and `api/`
// (which never knows sockets). Requests come as a view into the read buffer, valid only during
// the call of the handler; answers are written in place into the connection's output buffer.
//
//   const at = call.reserve(sizePutResponse(m));
//   writePutResponse(m, call.buffer, at);
//   call.send();

import type { RpcError } from "./status.ts";

/** Who is at the other end of a connection; one object for all its calls. */
export class Origin {
  /** "ip:port" of the client. */
  readonly remoteAddress: string;
  /** Common name of the client's certificate, "" for none. */
  readonly certificateName: string;
  /** The first request's `user-agent`. */
  agent: string;
  /** For whoever keeps an account of callers. */
  memo: object | null = null;

  constructor(remoteAddress: string, certificateName = "", agent = "") {
    this.remoteAddress = remoteAddress;
    this.certificateName = certificateName;
    this.agent = agent;
  }
}

export interface Caller {
  /** Request metadata by lower-case name ("token", "hasleader", …), or undefined. */
  metadata(name: string): string | undefined;
  /** "ip:port" of the client. */
  readonly remoteAddress: string;
  readonly origin: Origin;
  /** "grpc" or "gateway" (JSON over HTTP/1.1). */
  readonly transport: "grpc" | "gateway";
  /** True once the client has gone, cancelled or run out of time: an answer would be dropped. */
  readonly isCancelled: boolean;
}

export interface Answer {
  /** Where the reserved bytes lie; read it anew after each `reserve`. */
  readonly buffer: Uint8Array;
  /** Room for one message of exactly `sizeBytes`; returns the offset in `buffer`. Fill at once. */
  reserve(sizeBytes: number): number;
}

/** Exactly one of `send` and `fail` ends it, now or in a later turn. */
export interface UnaryCall extends Caller, Answer {
  /** Sends the reserved message with status OK. */
  send(): void;
  /**
   * Sends a message that was encoded in pieces, with status OK; they must not change any more. A
   * transport that has no such way is given the message in one piece.
   */
  sendPieces?(pieces: readonly Uint8Array[], sizeBytes: number): void;
  /**
   * Sends a message of `sizeBytes`, with status OK, as it is made: a part is asked for when the
   * client can take it. A transport that has no such way is given the message in one piece.
   */
  sendFrom?(sizeBytes: number, source: AnswerSource): AnswerStream;
  fail(error: RpcError): void;
}

/** A message in the making. */
export interface AnswerSource {
  /**
   * The next bytes, about `maxBytes` at most; none when it has to look further. They are valid
   * until the next call of any source. It is not called again after the last.
   */
  next(maxBytes: number): Uint8Array;
  /** All was sent, or the client has gone. Called once. */
  close(): void;
}

/** What a call that is being answered by an `AnswerSource` offers to it. */
export interface AnswerStream {
  /** The rest cannot be made: the client sees a broken stream. */
  abandon(): void;
}

export interface StreamCall extends Caller, Answer {
  /** Sends the reserved message; the stream stays open. */
  sendMessage(): void;
  /** Ends with status OK. */
  end(): void;
  fail(error: RpcError): void;
  /** Bytes handed over and not yet taken by the transport. */
  readonly queuedBytes: number;
  /** Called once when `queuedBytes` has fallen to `belowBytes` or less. */
  whenDrained(belowBytes: number, task: () => void): void;
}

export interface StreamHandler {
  onMessage(bytes: Uint8Array, start: number, end: number): void;
  /** The client will send no more. */
  onEnd(): void;
  /** The client has gone or cancelled; nothing can be sent any more. */
  onCancel(): void;
}

export type Method =
  | {
      readonly kind: "unary";
      handle(call: UnaryCall, bytes: Uint8Array, start: number, end: number): void;
    }
  | {
      readonly kind: "server-stream";
      /** `onCancel` of the result is called when the client goes first. */
      handle(call: StreamCall, bytes: Uint8Array, start: number, end: number): { onCancel(): void };
    }
  | { readonly kind: "bidi-stream"; open(call: StreamCall): StreamHandler };

/** Full method path, as "/etcdserverpb.KV/Put". */
export type MethodTable = ReadonlyMap<string, Method>;

/** Plain HTTP/1.1 endpoints (health, metrics, version …). `path` without query. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly header: (name: string) => string | undefined;
  readonly body: Uint8Array;
  readonly remoteAddress: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string | Uint8Array;
}

/** Returns undefined when the path is not its own. May answer later. */
export type HttpHandler = (
  request: HttpRequest,
) => HttpResponse | Promise<HttpResponse> | undefined;
