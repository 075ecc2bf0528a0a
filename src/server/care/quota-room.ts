// How much of a prefix's quota is used: keys from the order of the index, bytes from the account
// of space. What was let in and is not applied yet counts too.

import { COLUMNS, Column } from "../../state/accounting/prefix-tree.ts";
import type { Mvcc } from "../../state/mvcc/mvcc.ts";
import { rangeEndOfPrefix } from "../../state/mvcc/prefix-end.ts";
import type { PrefixQuota } from "./prefix-quotas.ts";

/** Bytes below a prefix are added up anew after so long; in between what was let in is added. */
const SUM_MS = 100;
/** The same per key that has to be looked at, where the account does not know the prefix. */
const SUM_MS_PER_KEY = 0.02;
/** What was let in and did not come in this time was refused elsewhere. */
const LET_IN_MS = 10_000;
/** Keys that were let in are looked through when there are so many. */
const LET_IN_MAX = 1000;
/** Of a record beside its key and value: revision, tags, lengths. */
const RECORD_BYTES = 40;
const SLOTS = 1024;

export interface Room {
  /** What is used up, or null and the key is let in. */
  refuse(quota: PrefixQuota, key: string, valueBytes: number, nowMs: number): string | null;
  keys(): number;
  bytes(): number;
}

export function roomOf(mvcc: Mvcc, prefix: string): Room {
  const { tree } = mvcc.space;
  // From now on its counters are not added to others.
  if (prefix.endsWith("/") && !tree.isFull) tree.pin(prefix);
  const end = rangeEndOfPrefix(prefix);
  const letIn = new Map<string, number>();
  let sum = { untilMs: Number.NEGATIVE_INFINITY, bytes: 0 };

  const keys = (): number => mvcc.index.countLive(prefix, end);
  const bytes = (): number => bytesBelow(mvcc, prefix) ?? scannedBytes(mvcc, prefix, end);

  const isThere = (key: string): boolean => {
    const slot = mvcc.index.findText(key);
    return slot >= 0 && mvcc.space.sizeOf(slot) > 0;
  };
  const pendingKeys = (nowMs: number): number => {
    for (const [key, atMs] of letIn) {
      if (nowMs - atMs > LET_IN_MS || isThere(key)) letIn.delete(key);
    }
    return letIn.size;
  };

  const refuseKey = ({ keysMax }: PrefixQuota, key: string, nowMs: number): string | null => {
    const count = keys();
    if (count + letIn.size >= keysMax || letIn.size >= LET_IN_MAX) {
      const pending = letIn.has(key) ? 0 : pendingKeys(nowMs);
      if (count + pending >= keysMax) return `${count} of ${keysMax} keys`;
    }
    letIn.set(key, nowMs);
    return null;
  };

  const refuseBytes = ({ bytesMax }: PrefixQuota, added: number, nowMs: number): string | null => {
    if (nowMs >= sum.untilMs) {
      const isKnown = bytesBelow(mvcc, prefix) !== undefined;
      const restMs = isKnown ? SUM_MS : SUM_MS + SUM_MS_PER_KEY * keys();
      sum = { untilMs: nowMs + restMs, bytes: bytes() };
    }
    if (added > 0 && sum.bytes + added > bytesMax) return `${sum.bytes} of ${bytesMax} bytes`;
    sum.bytes += Math.max(0, added);
    return null;
  };

  return {
    keys,
    bytes,
    refuse(quota, key, valueBytes, nowMs) {
      const slot = mvcc.index.findText(key);
      const size = slot < 0 ? 0 : mvcc.space.sizeOf(slot);
      const added = key.length + valueBytes + RECORD_BYTES - size;
      const full =
        quota.bytesMax === Number.POSITIVE_INFINITY ? null : refuseBytes(quota, added, nowMs);
      if (full !== null) return full;
      const isCounted = size === 0 && quota.keysMax !== Number.POSITIVE_INFINITY;
      return isCounted ? refuseKey(quota, key, nowMs) : null;
    },
  };
}

/** undefined: the prefix has no node of its own. */
function bytesBelow({ space }: Mvcc, prefix: string): number | undefined {
  const { tree } = space;
  const sum = (node: number): number => {
    let bytes = tree.counters[node * COLUMNS + Column.LiveBytes]!;
    for (const child of tree.childrenOf(node)) bytes += sum(child);
    return bytes;
  };
  const node = tree.at(prefix);
  return node === undefined ? undefined : sum(node);
}

/** Where the account was folded before there was a quota. */
function scannedBytes({ index, space }: Mvcc, prefix: string, end: string | undefined): number {
  const slots = new Uint32Array(SLOTS);
  let bytes = 0;
  let from = prefix;
  for (;;) {
    const count = index.collect(from, end, slots, SLOTS);
    for (let i = 0; i < count; i++) bytes += space.sizeOf(slots[i]!);
    if (count < SLOTS) return bytes;
    from = `${index.keyOf(slots[count - 1]!)}\0`;
  }
}
