// How a call looks to the API: the seam between `net/` (which never knows methods) and `api/`
// (which never knows sockets). Requests come as a view into the read buffer, valid only during
// the call of the handler; answers are written in place into the connection's output buffer.
//
//   const at = call.reserve(sizePutResponse(m));
//   writePutResponse(m, call.buffer, at);
//   call.send();

import type { RpcError } from "./status.ts";

export interface Caller {
  /** Request metadata by lower-case name ("token", "hasleader", …), or undefined. */
  metadata(name: string): string | undefined;
  /** "ip:port" of the client. */
  readonly remoteAddress: string;
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
  fail(error: RpcError): void;
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
