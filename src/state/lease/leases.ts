// Leases: what is replicated of them. A lease has a time to live and the keys that go with it. When
// it expires is the leader's business (server/lease-clock), who has it revoked through the log.
//
// Keys are slots of the key index: a key that is attached exists, so its slot stays its own. Which
// keys belong to a lease is not stored but found in the newest record of each key at start.

import { assert } from "../../base/assert.ts";
import { Bucket, uint64Bytes } from "../../storage/schema.ts";
import { Errors } from "../../wire/errors.ts";
import { decodeLease, encodeLease } from "../../wire/messages/lease.ts";
import type { RpcError } from "../../wire/status.ts";
import type { LeaseAttachments } from "../mvcc/mvcc.ts";
import type { RecordStore } from "../mvcc/record-store.ts";

/** In seconds; etcd's MaxLeaseTTL. */
const TTL_MAX = 9_000_000_000;

export interface Lease {
  readonly id: bigint;
  /** Granted time to live, in seconds. */
  readonly ttl: number;
  /** What was left at the last checkpoint, in seconds; 0 is all of `ttl`. */
  remainingTtl: number;
  readonly slots: Set<number>;
  /** Puts with the lease since this member started, and their bytes; for accounts only. */
  writes: number;
  writtenBytes: number;
}

/** Who keeps the clocks is told what happens. */
export interface LeaseListener {
  granted(lease: Lease): void;
  revoked(lease: Lease): void;
  checkpointed(lease: Lease): void;
}

export class Leases implements LeaseAttachments {
  listener: LeaseListener | undefined;

  readonly #records: RecordStore;
  readonly #minTtl: number;
  readonly #leases = new Map<bigint, Lease>();
  readonly #leaseOf = new Map<number, Lease>();

  /** `minTtl` in seconds: what a lease lives at least. */
  constructor(records: RecordStore, minTtl: number) {
    this.#records = records;
    this.#minTtl = minTtl;
  }

  restore(): void {
    this.#records.forEach(Bucket.lease, (_, value) => {
      const { id, ttl, remainingTTL } = decodeLease(value);
      this.#leases.set(id, newLease(id, Math.max(ttl, this.#minTtl), remainingTTL));
    });
  }

  /** All of them; nobody is told, because nothing happened to them. */
  forget(): void {
    this.#leases.clear();
    this.#leaseOf.clear();
  }

  get count(): number {
    return this.#leases.size;
  }

  /** All leases, in the order of their granting. */
  all(): Iterable<Lease> {
    return this.#leases.values();
  }

  find(id: bigint): Lease | undefined {
    return this.#leases.get(id);
  }

  readonly exists = (id: bigint): boolean => this.#leases.has(id);

  grant(id: bigint, ttl: number): Lease | RpcError {
    if (id === 0n) return Errors.LeaseNotFound;
    if (ttl > TTL_MAX) return Errors.LeaseTTLTooLarge;
    if (this.#leases.has(id)) return Errors.LeaseExist;
    const lease = newLease(id, Math.max(ttl, this.#minTtl), 0);
    this.#leases.set(id, lease);
    this.#save(lease);
    this.listener?.granted(lease);
    return lease;
  }

  /** Its keys must have been deleted before. */
  remove(lease: Lease): void {
    assert(lease.slots.size === 0, "a lease goes after its keys");
    this.#leases.delete(lease.id);
    this.#records.delete(Bucket.lease, uint64Bytes(lease.id));
    this.listener?.revoked(lease);
  }

  /** Unknown leases are ignored. `persist`: members of all versions store it. */
  checkpoint(id: bigint, remainingTtl: number, persist: boolean): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    lease.remainingTtl = remainingTtl;
    if (persist) this.#save(lease);
    this.listener?.checkpointed(lease);
  }

  get isAnyAttached(): boolean {
    return this.#leaseOf.size > 0;
  }

  attach(slot: number, id: bigint, writtenBytes: number): void {
    const old = this.#leaseOf.get(slot);
    if (old !== undefined) {
      if (old.id === id) {
        note(old, writtenBytes);
        return;
      }
      this.detach(slot);
    }
    if (id === 0n) return;
    const lease = this.#leases.get(id);
    assert(lease !== undefined, "a key is attached to a lease that exists");
    note(lease, writtenBytes);
    lease.slots.add(slot);
    this.#leaseOf.set(slot, lease);
  }

  detach(slot: number): void {
    const lease = this.#leaseOf.get(slot);
    if (lease === undefined) return;
    lease.slots.delete(slot);
    this.#leaseOf.delete(slot);
  }

  #save(lease: Lease): void {
    const { id, ttl, remainingTtl } = lease;
    const value = encodeLease({ id, ttl, remainingTTL: remainingTtl });
    this.#records.put(Bucket.lease, uint64Bytes(id), value);
  }
}

function note(lease: Lease, writtenBytes: number): void {
  if (writtenBytes === 0) return;
  lease.writes++;
  lease.writtenBytes += writtenBytes;
}

function newLease(id: bigint, ttl: number, remainingTtl: number): Lease {
  return { id, ttl, remainingTtl, slots: new Set(), writes: 0, writtenBytes: 0 };
}
