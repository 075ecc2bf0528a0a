// Random calls as bytes: what clients send, and what they should not. A request is well-formed, or
// two encodings one behind the other (which protobuf merges), or has a field that nobody knows, or
// is damaged.

import fc from "fast-check";
import {
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
  encodeTxnRequest,
  type SortOrder,
  type SortTarget,
} from "../../../src/wire/messages/rpc-kv.ts";
import {
  encodeLeaseGrantRequest,
  encodeLeaseLeasesRequest,
  encodeLeaseRevokeRequest,
  encodeLeaseTimeToLiveRequest,
} from "../../../src/wire/messages/rpc-lease.ts";
import {
  AlarmAction,
  type AlarmType,
  encodeAlarmRequest,
  encodeHashKVRequest,
} from "../../../src/wire/messages/rpc-maintenance.ts";
import { concatBytes } from "../../../src/wire/protobuf/writer.ts";
import { deleteRange, LEASES, put, range, txn } from "../../model/arbitraries.ts";
import { oddly } from "./oddly.ts";

export interface Call {
  readonly path: string;
  readonly message: Uint8Array;
}

/** Above all revisions of a run, and what overflows in a careless implementation. */
const ODD_NUMBERS = [-1, -7, 2 ** 31, 2 ** 53 - 1, -(2 ** 53) + 1];
const SHOWN_REVISIONS = 400;
/** Longer than a run: none ends by itself. */
const LEASE_TTL_SECONDS = 3600;
const LEASE_TTL_MAX_SECONDS = 9_000_000_000;

/** To one odd value. */
const USUAL = 12;
const number = (usual: number): fc.Arbitrary<number> =>
  oddly(fc.integer({ min: 0, max: usual }), fc.constantFrom(...ODD_NUMBERS), USUAL);
const enumOf = (count: number): fc.Arbitrary<number> =>
  oddly(fc.nat(count - 1), fc.constantFrom(count, 77, -1), USUAL);
const alarm = enumOf(3) as fc.Arbitrary<AlarmType>;
const lease = fc.constantFrom(...LEASES, 0n, 5n, -1n, 2n ** 63n - 1n, -(2n ** 63n));

const oddRange = fc
  .tuple(range, number(SHOWN_REVISIONS), number(3), enumOf(3), enumOf(5), number(40), fc.boolean())
  .map(([request, revision, limit, sortOrder, sortTarget, minModRevision, serializable]) => ({
    ...request,
    ...{ revision, limit, minModRevision, serializable },
    sortOrder: sortOrder as SortOrder,
    sortTarget: sortTarget as SortTarget,
  }));

const call = <T>(
  path: string,
  encode: (request: T) => Uint8Array,
  request: fc.Arbitrary<T>,
): fc.Arbitrary<Call> =>
  request.map((one) => ({ path: `/etcdserverpb.${path}`, message: encode(one) }));

const kvCalls = [
  call("KV/Put", encodePutRequest, put),
  call("KV/Put", encodePutRequest, put),
  call("KV/DeleteRange", encodeDeleteRangeRequest, deleteRange),
  call("KV/Txn", encodeTxnRequest, txn),
  call("KV/Txn", encodeTxnRequest, txn),
  call("KV/Range", encodeRangeRequest, range),
  call("KV/Range", encodeRangeRequest, oddRange),
];

const rareCalls = [
  call(
    "KV/Compact",
    encodeCompactionRequest,
    fc.record({ revision: number(SHOWN_REVISIONS), physical: fc.constant(true) }),
  ),
  call(
    "Lease/LeaseGrant",
    encodeLeaseGrantRequest,
    fc.record({
      id: lease.filter((id) => id !== 0n),
      ttl: oddly(fc.constant(LEASE_TTL_SECONDS), fc.constant(LEASE_TTL_MAX_SECONDS + 1), USUAL),
    }),
  ),
  call("Lease/LeaseRevoke", encodeLeaseRevokeRequest, fc.record({ id: lease })),
  call(
    "Lease/LeaseTimeToLive",
    encodeLeaseTimeToLiveRequest,
    fc.record({ id: lease, keys: fc.boolean() }),
  ),
  call("Lease/LeaseLeases", encodeLeaseLeasesRequest, fc.constant({})),
  call(
    "Maintenance/Alarm",
    encodeAlarmRequest,
    // None is raised: a member that takes nothing has little to compare.
    fc.record({ action: fc.constantFrom(AlarmAction.GET, AlarmAction.DEACTIVATE), alarm }),
  ),
  call("Maintenance/HashKV", encodeHashKVRequest, fc.record({ revision: number(SHOWN_REVISIONS) })),
];

const wellFormed = fc.oneof(
  { weight: 5, arbitrary: fc.oneof(...kvCalls) },
  { weight: 1, arbitrary: fc.oneof(...rareCalls) },
);

/** Field 999: a varint, and some bytes. */
const UNKNOWN_FIELDS = [Uint8Array.of(0xb8, 0x3e, 5), Uint8Array.of(0xba, 0x3e, 2, 1, 2)];

const merged = fc.oneof(...kvCalls.map((one) => fc.tuple(one, one))).map(([first, second]) => ({
  path: first.path,
  message: concatBytes([first.message, second.message]),
}));

const extended = fc
  .tuple(wellFormed, fc.constantFrom(...UNKNOWN_FIELDS), fc.boolean())
  .map(([{ path, message }, field, isFirst]) => ({
    path,
    message: concatBytes(isFirst ? [field, message] : [message, field]),
  }));

/**
 * Not damaged are grants, as without an id each server would choose its own; alarms, as etcd panics
 * over an action that it does not know; and HashKV, which says back what it was asked: numbers that
 * no revision reaches come back rounded from ours.
 */
const UNDAMAGED = /LeaseGrant|Alarm|HashKV/;
const damaged = fc
  .tuple(
    wellFormed.filter(({ path }) => !UNDAMAGED.test(path)),
    fc.nat(),
    fc.nat(255),
    fc.boolean(),
  )
  .map(([{ path, message }, where, byte, isCut]): Call => {
    const at = message.length === 0 ? 0 : where % message.length;
    if (isCut) return { path, message: message.subarray(0, at) };
    const changed = Uint8Array.from(message);
    changed[at] = byte;
    return { path, message: changed };
  });

export const calls: fc.Arbitrary<Call> = fc.oneof(
  { weight: 8, arbitrary: wellFormed },
  { weight: 1, arbitrary: merged },
  { weight: 1, arbitrary: extended },
  { weight: 2, arbitrary: damaged },
);
