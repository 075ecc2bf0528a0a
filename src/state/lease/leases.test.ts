import assert from "node:assert/strict";
import { test } from "node:test";
import { AppliedState, bytes } from "../../../test/model/applied-state.ts";
import { Bucket, uint64Bytes } from "../../storage/schema.ts";
import { Errors } from "../../wire/errors.ts";
import { RequestField } from "../../wire/internal-raft-request.ts";
import { encodeClusterVersionSetRequest } from "../../wire/messages/membership.ts";
import { encodeLeaseCheckpointRequest } from "../../wire/messages/rpc-lease.ts";

/** Keys by lease. */
function attached(s: AppliedState): Record<string, string[]> {
  return Object.fromEntries(
    [...s.state.leases.all()].map((lease) => [String(lease.id), s.state.keysOf(lease)]),
  );
}

function checkpoint(s: AppliedState, id: bigint, remainingTTL: number): void {
  const request = encodeLeaseCheckpointRequest({ checkpoints: [{ id, remainingTTL }] });
  s.apply(RequestField.LeaseCheckpoint, request);
}

test("granting: bounds of the time to live, ids that are taken or none", () => {
  const s = new AppliedState({ minLeaseTtl: 5 });
  const ttlOf = (id: bigint, ttl: number): number => s.grant(id, ttl).leaseTtl;
  assert.deepEqual([ttlOf(1n, 10), ttlOf(2n, 1), ttlOf(3n, 0), ttlOf(4n, -7)], [10, 5, 5, 5]);
  assert.equal(s.grant(5n, 9_000_000_000).error, null);
  assert.equal(s.grant(6n, 9_000_000_001).error, Errors.LeaseTTLTooLarge);
  assert.equal(s.grant(1n, 10).error, Errors.LeaseExist);
  assert.equal(s.grant(0n, 10).error, Errors.LeaseNotFound);
  assert.equal(s.grant(-1n, 10).leaseId, -1n);
  assert.equal(s.state.mvcc.currentRevision, 1);
});

test("a key belongs to the lease of its last put", () => {
  const s = new AppliedState();
  for (const id of [1n, 2n]) s.grant(id);
  for (const key of ["b", "a", "c", "d"]) s.put(key, "", { lease: 1n });
  s.put("a", "");
  s.put("b", "", { lease: 2n });
  s.put("c", "other", { lease: 1n });
  s.put("c", "kept", { ignoreLease: true });
  s.delete("d");
  assert.deepEqual(attached(s), { 1: ["c"], 2: ["b"] });
  s.put("d", "");
  assert.deepEqual(attached(s), { 1: ["c"], 2: ["b"] });
  assert.deepEqual(attached(s.restarted()), { 1: ["c"], 2: ["b"] });
});

test("revoking deletes the keys in their order under one revision", () => {
  const deleted: string[][] = [];
  const s: AppliedState = new AppliedState({
    onChanges: ({ count, slots, tombstones }) => {
      if (tombstones[0] !== true) return;
      deleted.push(slots.slice(0, count).map((slot) => s.state.mvcc.index.keyOf(slot)));
    },
  });
  s.grant(1n);
  s.grant(2n);
  for (const key of ["\xff", "b", "a\0", "a"]) s.put(key, "", { lease: 1n });
  const outcome = s.revoke(1n);
  assert.equal(outcome.revision, 6);
  assert.deepEqual(deleted, [["a", "a\0", "b", "\xff"]]);
  assert.deepEqual(s.keys(), []);
  assert.equal(s.revoke(1n).error, Errors.LeaseNotFound);
  assert.equal(s.revoke(2n).revision, 6);
  assert.equal(s.store.get(Bucket.lease, uint64Bytes(1n)), undefined);
  assert.deepEqual(attached(s.restarted()), {});
});

test("checkpoints are remembered, on disk once all members know them", () => {
  const s = new AppliedState();
  s.grant(1n, 100);
  checkpoint(s, 1n, 30);
  checkpoint(s, 7n, 30);
  assert.equal(s.state.leases.find(1n)?.remainingTtl, 30);
  assert.equal(s.restarted().state.leases.find(1n)?.remainingTtl, 0);
  s.apply(RequestField.ClusterVersionSet, encodeClusterVersionSetRequest({ ver: "3.6.0" }));
  checkpoint(s, 1n, 20);
  assert.equal(s.restarted().state.leases.find(1n)?.remainingTtl, 20);
});

test("a shorter minimum of another member is raised at start, a key without lease is kept", () => {
  const s = new AppliedState({ minLeaseTtl: 2 });
  s.grant(1n, 3);
  s.grant(2n, 3);
  s.put("a", "1", { lease: 2n });
  s.store.delete(Bucket.lease, uint64Bytes(2n));
  const warnings: string[] = [];
  const log = {
    debug() {},
    info() {},
    warn: (message: string) => void warnings.push(message),
    error() {},
    named: () => log,
  };
  const restarted = s.restarted({ minLeaseTtl: 9, log });
  assert.equal(restarted.state.leases.find(1n)?.ttl, 9);
  assert.equal(restarted.value("a"), "1");
  assert.equal(warnings.length, 1);
});

test("who keeps the clocks hears of every change", () => {
  const s = new AppliedState();
  const heard: string[] = [];
  s.state.leases.listener = {
    granted: ({ id }) => void heard.push(`granted ${id}`),
    revoked: ({ id }) => void heard.push(`revoked ${id}`),
    checkpointed: ({ id, remainingTtl }) => void heard.push(`checkpointed ${id} ${remainingTtl}`),
  };
  s.grant(1n);
  s.grant(1n);
  checkpoint(s, 1n, 4);
  s.revoke(1n);
  s.revoke(1n);
  assert.deepEqual(heard, ["granted 1", "checkpointed 1 4", "revoked 1"]);
});

test("a put in a transaction needs its lease, before anything is done", () => {
  const s = new AppliedState();
  s.grant(1n);
  const outcome = s.txn({
    success: [
      { requestPut: { key: bytes("a"), lease: 1n } },
      { requestTxn: { success: [{ requestPut: { key: bytes("b"), lease: 2n } }] } },
    ],
  });
  assert.equal(outcome.error, Errors.LeaseNotFound);
  assert.deepEqual(s.keys(), []);
  assert.deepEqual(attached(s), { 1: [] });
});
