// Quotas of parts of the key space: how many keys may lie below a prefix, and how many bytes their
// newest records may take. They are keys themselves (quota-keys.ts), so all members have the same.
//
// Asked before a request is proposed, like the quota of the whole, and never when it is applied: a
// Go member would apply what we refuse, now or when it replays our log years later, and the two
// would differ. So a prefix may be exceeded by what other members let in at the same moment, and
// by what is written through a Go member.
//
// History does not count: when it goes is not in the hand of who writes there.

import { latin1, latin1Bytes } from "../../base/latin1.ts";
import type { Logger } from "../../base/log.ts";
import { COLUMNS, Column } from "../../state/accounting/prefix-tree.ts";
import type { SpaceAccount } from "../../state/accounting/space-account.ts";
import type { Mvcc } from "../../state/mvcc/mvcc.ts";
import { rangeEndOfPrefix } from "../../state/mvcc/prefix-end.ts";
import { decodeKeyValue } from "../../wire/messages/kv.ts";
import { decodeTxnRequest, type TxnRequest } from "../../wire/messages/rpc-kv.ts";
import { Code, RpcError } from "../../wire/status.ts";
import { parseQuota, QUOTA_KEYS, QUOTAS_MAX } from "./quota-keys.ts";
import { type Room, roomOf } from "./quota-room.ts";

export interface PrefixQuota {
  /** Ends with a slash. */
  readonly prefix: string;
  /** Infinity: any. */
  readonly bytesMax: number;
  readonly keysMax: number;
}

export interface QuotaState {
  readonly prefix: string;
  /** Why it is not in force, or the quota. */
  readonly quota: PrefixQuota | string;
  readonly room: Room;
}

export class PrefixQuotas {
  readonly #mvcc: Mvcc;
  readonly #log: Logger;
  #states: QuotaState[] = [];
  #space: SpaceAccount | undefined;
  #version = -1;

  constructor(mvcc: Mvcc, log: Logger) {
    this.#mvcc = mvcc;
    this.#log = log;
  }

  get states(): readonly QuotaState[] {
    return this.#states;
  }

  /** After changes: looks whether quotas are among them. */
  applied(): void {
    const { space } = this.#mvcc;
    const version = changesBelow(space, QUOTA_KEYS);
    if (version === this.#version && space === this.#space) return;
    this.#version = version;
    this.#space = space;
    this.#load();
  }

  /** Why the key cannot be put with a value of so many bytes, or null. */
  refusePut(key: string, valueBytes: number, nowMs: number): RpcError | null {
    for (const { quota, room } of this.#states) {
      if (typeof quota === "string" || !key.startsWith(quota.prefix)) continue;
      if (key.startsWith(QUOTA_KEYS)) return null;
      const full = room.refuse(quota, key, valueBytes, nowMs);
      if (full !== null) {
        const text = `etcdserver: quota of prefix ${JSON.stringify(quota.prefix)} exceeded: ${full}`;
        return new RpcError(Code.ResourceExhausted, text);
      }
    }
    return null;
  }

  /** Nothing is refused for a quota of a prefix. */
  get isEmpty(): boolean {
    return this.#states.length === 0;
  }

  /** All puts of both branches, also nested ones. */
  refuseTxn(request: TxnRequest, nowMs: number): RpcError | null {
    if (this.#states.length === 0) return null;
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

  /** The same for one that is encoded. */
  refuseTxnBytes(body: Uint8Array, nowMs: number): RpcError | null {
    if (this.#states.length === 0) return null;
    return this.refuseTxn(decodeTxnRequest(body), nowMs);
  }

  #load(): void {
    const mvcc = this.#mvcc;
    const slots = new Uint32Array(2 * QUOTAS_MAX);
    const count = mvcc.index.collect(QUOTA_KEYS, rangeEndOfPrefix(QUOTA_KEYS), slots, slots.length);
    this.#states = [];
    for (const slot of slots.subarray(0, count)) {
      if (!mvcc.findRecordOf(slot, mvcc.currentRevision)) continue;
      const { foundBytes, foundStart, foundEnd } = mvcc.records;
      const { key, value } = decodeKeyValue(foundBytes, foundStart, foundEnd);
      const prefix = textOf(key).slice(QUOTA_KEYS.length);
      const isTooMany = this.#states.length >= QUOTAS_MAX;
      const quota = isTooMany
        ? `there are more than ${QUOTAS_MAX} quotas`
        : parseQuota(prefix, textOf(value));
      this.#states.push({ prefix, quota, room: roomOf(mvcc, prefix) });
      const fields = { prefix: Buffer.from(latin1Bytes(prefix)).toString(), limits: textOf(value) };
      if (typeof quota !== "string") this.#log.info("quota of a prefix", fields);
      else this.#log.warn("quota of a prefix is not in force", { ...fields, problem: quota });
    }
  }
}

/** Grows with every change below the prefix, which has a node of its own. */
function changesBelow({ tree }: SpaceAccount, prefix: string): number {
  const sum = (node: number): number => {
    const row = node * COLUMNS;
    const { counters } = tree;
    let changes =
      counters[row + Column.Creates]! +
      counters[row + Column.Updates]! +
      counters[row + Column.Deletes]!;
    for (const child of tree.childrenOf(node)) changes += sum(child);
    return changes;
  };
  const node = tree.at(prefix);
  return node === undefined ? 0 : sum(node);
}

function textOf(bytes: Uint8Array): string {
  return latin1(bytes, 0, bytes.length);
}
