// No key may be put twice in one branch of a transaction, nor be put and deleted in it, because
// the outcome would depend on an order that the user did not state. Nested transactions count as
// part of the branch; only the two branches of one nested transaction, of which just one is taken,
// may put the same key. Several deletes may overlap.

import { Errors } from "../wire/errors.ts";
import type { RequestOp } from "../wire/messages/rpc-kv.ts";
import type { RpcError } from "../wire/status.ts";

/** Keys as latin1 strings: their order is the order of the bytes. */
interface Span {
  readonly begin: string;
  /** "" is "no end": every key from `begin` on. */
  readonly end: string;
}

interface Touched {
  readonly puts: Set<string>;
  readonly deletes: Span[];
}

export function checkDuplicatePuts(ops: readonly RequestOp[]): RpcError | null {
  // The usual transaction: nothing can meet anything.
  if (ops.length < 2 && ops[0]?.requestTxn === undefined) return null;
  return collect(ops) === null ? Errors.DuplicateKey : null;
}

/** All that a branch may touch, or null when two of its changes meet. */
function collect(ops: readonly RequestOp[]): Touched | null {
  const deletes: Span[] = [];
  for (const op of ops) {
    if (op.requestDeleteRange !== undefined) {
      deletes.push(spanOf(op.requestDeleteRange.key, op.requestDeleteRange.rangeEnd));
    }
  }
  const puts = new Set<string>();
  for (const op of ops) {
    if (op.requestTxn === undefined) continue;
    const taken = collect(op.requestTxn.success);
    const otherwise = collect(op.requestTxn.failure);
    if (taken === null || otherwise === null) return null;
    for (const key of taken.puts) if (puts.has(key) || isCovered(deletes, key)) return null;
    for (const key of otherwise.puts) if (puts.has(key) || isCovered(deletes, key)) return null;
    for (const key of taken.puts) puts.add(key);
    for (const key of otherwise.puts) puts.add(key);
    deletes.push(...taken.deletes, ...otherwise.deletes);
  }
  for (const op of ops) {
    if (op.requestPut === undefined) continue;
    const key = text(op.requestPut.key);
    if (puts.has(key) || isCovered(deletes, key)) return null;
    puts.add(key);
  }
  return { puts, deletes };
}

function spanOf(key: Uint8Array, rangeEnd: Uint8Array): Span {
  const begin = text(key);
  if (rangeEnd.length === 0) return { begin, end: `${begin}\0` };
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { begin, end: "" };
  return { begin, end: text(rangeEnd) };
}

function isCovered(spans: readonly Span[], key: string): boolean {
  return spans.some((span) => key >= span.begin && (span.end === "" || key < span.end));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
