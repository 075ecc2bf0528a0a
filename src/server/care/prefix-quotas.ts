// Quotas of parts of the key space: how many keys may lie below a prefix, and how many bytes their
// newest records may take. Asked before a request is proposed, like the quota of the whole: what is
// under way at the same time may carry a prefix a little over. Each member asks for the requests
// that come to it, so all of them should have the same flags; a Go member does not know of it.
//
// History does not count: when it goes is not in the hand of who writes there.

import { latin1 } from "../../base/latin1.ts";
import { COLUMNS, Column } from "../../state/accounting/prefix-tree.ts";
import type { Mvcc } from "../../state/mvcc/mvcc.ts";
import { rangeEndOfPrefix } from "../../state/mvcc/prefix-end.ts";
import type { TxnRequest } from "../../wire/messages/rpc-kv.ts";
import { Code, RpcError } from "../../wire/status.ts";

export interface PrefixQuota {
  /** Ends with a slash. */
  readonly prefix: string;
  /** Infinity: any. */
  readonly bytesMax: number;
  readonly keysMax: number;
}

/** Bytes below a prefix are added up anew after so long; in between what was let in is added. */
const SUM_MS = 100;
/** Of a record beside its key and value: revision, tags, lengths. */
const RECORD_BYTES = 40;

interface Sum {
  atMs: number;
  bytes: number;
}

export class PrefixQuotas {
  readonly #mvcc: Mvcc;
  readonly #quotas: readonly PrefixQuota[];
  readonly #sums: readonly Sum[];

  constructor(mvcc: Mvcc, quotas: readonly PrefixQuota[]) {
    this.#mvcc = mvcc;
    this.#quotas = quotas;
    this.#sums = quotas.map(() => ({ atMs: Number.NEGATIVE_INFINITY, bytes: 0 }));
  }

  /** Why the key cannot be put with a value of so many bytes, or null. */
  refusePut(key: string, valueBytes: number, nowMs: number): RpcError | null {
    for (let at = 0; at < this.#quotas.length; at++) {
      const quota = this.#quotas[at]!;
      if (!key.startsWith(quota.prefix)) continue;
      const refusal = this.#refuse(quota, this.#sums[at]!, key, valueBytes, nowMs);
      if (refusal !== null) return refusal;
    }
    return null;
  }

  /** All puts of both branches, also nested ones. */
  refuseTxn(request: TxnRequest, nowMs: number): RpcError | null {
    for (const { requestPut, requestTxn } of [...request.success, ...request.failure]) {
      const refusal =
        requestPut !== undefined
          ? this.refusePut(textOf(requestPut.key), requestPut.value.length, nowMs)
          : requestTxn !== undefined
            ? this.refuseTxn(requestTxn, nowMs)
            : null;
      if (refusal !== null) return refusal;
    }
    return null;
  }

  #refuse(
    quota: PrefixQuota,
    sum: Sum,
    key: string,
    valueBytes: number,
    nowMs: number,
  ): RpcError | null {
    const { index, space } = this.#mvcc;
    const { prefix, bytesMax, keysMax } = quota;
    const slot = index.findText(key);
    const isNew = slot < 0 || space.sizeOf(slot) === 0;
    if (isNew && keysMax !== Number.POSITIVE_INFINITY) {
      const keys = index.countLive(prefix, rangeEndOfPrefix(prefix));
      if (keys >= keysMax) return exceeded(prefix, `${keys} of ${keysMax} keys`);
    }
    if (bytesMax === Number.POSITIVE_INFINITY) return null;
    if (nowMs - sum.atMs > SUM_MS) {
      sum.atMs = nowMs;
      sum.bytes = liveBytesOf(this.#mvcc, prefix);
    }
    const added = key.length + valueBytes + RECORD_BYTES - (isNew ? 0 : space.sizeOf(slot));
    if (added > 0 && sum.bytes + added > bytesMax) {
      return exceeded(prefix, `${sum.bytes} of ${bytesMax} bytes`);
    }
    sum.bytes += Math.max(0, added);
    return null;
  }
}

function exceeded(prefix: string, how: string): RpcError {
  const text = `etcdserver: quota of prefix ${JSON.stringify(prefix)} exceeded: ${how}`;
  return new RpcError(Code.ResourceExhausted, text);
}

/** The prefix has a node of its own: it is pinned. */
function liveBytesOf({ space }: Mvcc, prefix: string): number {
  const { tree } = space;
  const sum = (node: number): number => {
    let bytes = tree.counters[node * COLUMNS + Column.LiveBytes]!;
    for (const child of tree.childrenOf(node)) bytes += sum(child);
    return bytes;
  };
  const node = tree.at(prefix);
  return node === undefined ? 0 : sum(node);
}

function textOf(bytes: Uint8Array): string {
  return latin1(bytes, 0, bytes.length);
}
