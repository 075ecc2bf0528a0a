// The KV service.

import {
  type CompactionRequestInit,
  type CompactionResponse,
  type DeleteRangeRequestInit,
  type DeleteRangeResponse,
  decodeCompactionResponse,
  decodeDeleteRangeResponse,
  decodePutResponse,
  decodeRangeResponse,
  decodeRangeStreamResponse,
  decodeTxnResponse,
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
  encodeTxnRequest,
  newRangeResponse,
  type PutRequestInit,
  type PutResponse,
  type RangeRequestInit,
  type RangeResponse,
  type RangeStreamResponse,
  type TxnRequestInit,
  type TxnResponse,
} from "../wire/messages/rpc-kv.ts";
import type { Caller, CallOptions, StreamMethod, UnaryMethod } from "./caller.ts";

const range: UnaryMethod<RangeRequestInit, RangeResponse> = {
  path: "/etcdserverpb.KV/Range",
  effect: "read",
  encode: encodeRangeRequest,
  decode: decodeRangeResponse,
};
const rangeStream: StreamMethod<RangeRequestInit, RangeStreamResponse> = {
  path: "/etcdserverpb.KV/RangeStream",
  encode: encodeRangeRequest,
  decode: decodeRangeStreamResponse,
};
const put: UnaryMethod<PutRequestInit, PutResponse> = {
  path: "/etcdserverpb.KV/Put",
  effect: "write",
  encode: encodePutRequest,
  decode: decodePutResponse,
};
const deleteRange: UnaryMethod<DeleteRangeRequestInit, DeleteRangeResponse> = {
  path: "/etcdserverpb.KV/DeleteRange",
  effect: "write",
  encode: encodeDeleteRangeRequest,
  decode: decodeDeleteRangeResponse,
};
const txn: UnaryMethod<TxnRequestInit, TxnResponse> = {
  path: "/etcdserverpb.KV/Txn",
  effect: "write",
  encode: encodeTxnRequest,
  decode: decodeTxnResponse,
};
const readOnlyTxn: UnaryMethod<TxnRequestInit, TxnResponse> = { ...txn, effect: "read" };
const compact: UnaryMethod<CompactionRequestInit, CompactionResponse> = {
  path: "/etcdserverpb.KV/Compact",
  effect: "write",
  encode: encodeCompactionRequest,
  decode: decodeCompactionResponse,
};

function isReadOnly(request: TxnRequestInit): boolean {
  // Branches given as bytes are not looked into.
  return [...(request.success ?? []), ...(request.failure ?? [])].every(
    (op) => !(op instanceof Uint8Array) && op.requestRange !== undefined,
  );
}

export class Kv {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Reads a key or a range of keys; see `prefixEnd` for the end of a prefix. */
  range(request: RangeRequestInit, options?: CallOptions): Promise<RangeResponse> {
    return this.#caller.unary(range, request, options);
  }

  /** The same answer in pieces: memory on both sides stays small. Servers since 3.7. */
  async *rangeStream(
    request: RangeRequestInit,
    options?: CallOptions,
  ): AsyncGenerator<RangeResponse, void, undefined> {
    for await (const piece of this.#caller.serverStream(rangeStream, request, options)) {
      if (piece.rangeResponse !== undefined) yield piece.rangeResponse;
    }
  }

  /** All pieces of `rangeStream` put together. */
  async rangeStreamed(request: RangeRequestInit, options?: CallOptions): Promise<RangeResponse> {
    const whole = newRangeResponse();
    for await (const piece of this.rangeStream(request, options)) {
      whole.kvs.push(...piece.kvs);
      whole.header = piece.header ?? whole.header;
      whole.more ||= piece.more;
      whole.count += piece.count;
    }
    return whole;
  }

  /** Writes a key. */
  put(request: PutRequestInit, options?: CallOptions): Promise<PutResponse> {
    return this.#caller.unary(put, request, options);
  }

  /** Deletes a key or a range of keys. */
  deleteRange(
    request: DeleteRangeRequestInit,
    options?: CallOptions,
  ): Promise<DeleteRangeResponse> {
    return this.#caller.unary(deleteRange, request, options);
  }

  /** Does `success` if all of `compare` holds, else `failure`; all of it in one revision. */
  txn(request: TxnRequestInit, options?: CallOptions): Promise<TxnResponse> {
    return this.#caller.unary(isReadOnly(request) ? readOnlyTxn : txn, request, options);
  }

  /** Forgets all revisions below the given one that are not the newest of their key. */
  compact(request: CompactionRequestInit, options?: CallOptions): Promise<CompactionResponse> {
    return this.#caller.unary(compact, request, options);
  }
}
