// What lies where in the database: etcd's buckets and keys. Values of the small buckets are JSON,
// text or protobuf and belong to those who write them; here is how keys and plain numbers are laid
// out.
//
//   bucket            key                                 value
//   key               main u64 BE, '_', sub u64 BE (17)   mvccpb.KeyValue
//                     … and 't' for a tombstone (18)      mvccpb.KeyValue with only the key
//   meta              consistent_index, term              u64 BE
//                     confState                           JSON of the ConfState
//                     storageVersion                      text, "3.7.0"
//                     scheduledCompactRev, finished…      revision, 17 bytes
//   lease             id u64 BE                           leasepb.Lease
//   alarm             etcdserverpb.AlarmMember            empty
//   auth              authEnabled, authRevision           0x00/0x01, u64 BE
//   authUsers, authRoles    name                          authpb.User, authpb.Role
//   members           id in hex                           JSON
//   members_removed   id in hex                           "removed"
//   cluster           clusterVersion, downgrade           text, JSON

import { assert } from "../base/assert.ts";
import { latin1Bytes } from "../base/latin1.ts";

export const Bucket = {
  alarm: "alarm",
  auth: "auth",
  authRoles: "authRoles",
  authUsers: "authUsers",
  cluster: "cluster",
  key: "key",
  lease: "lease",
  members: "members",
  membersRemoved: "members_removed",
  meta: "meta",
} as const;
export type BucketName = (typeof Bucket)[keyof typeof Bucket];

export const ALL_BUCKETS: readonly BucketName[] = Object.values(Bucket);

export const MetaKey: {
  readonly [name in
    | "consistentIndex"
    | "term"
    | "confState"
    | "storageVersion"
    | "scheduledCompactRev"
    | "finishedCompactRev"]: Uint8Array;
} = {
  consistentIndex: latin1Bytes("consistent_index"),
  term: latin1Bytes("term"),
  confState: latin1Bytes("confState"),
  storageVersion: latin1Bytes("storageVersion"),
  scheduledCompactRev: latin1Bytes("scheduledCompactRev"),
  finishedCompactRev: latin1Bytes("finishedCompactRev"),
};

export const AuthKey: { readonly [name in "enabled" | "revision"]: Uint8Array } = {
  enabled: latin1Bytes("authEnabled"),
  revision: latin1Bytes("authRevision"),
};

export const ClusterKey: { readonly [name in "clusterVersion" | "downgrade"]: Uint8Array } = {
  clusterVersion: latin1Bytes("clusterVersion"),
  downgrade: latin1Bytes("downgrade"),
};

export const MEMBER_REMOVED: Uint8Array = latin1Bytes("removed");

export const REVISION_BYTES = 17;
/** One more than a revision: the mark. */
export const TOMBSTONE_BYTES = 18;
const SEPARATOR_AT = 8;
const SEPARATOR = 0x5f;
const TOMBSTONE_MARK = 0x74;
const WORD = 2 ** 32;

export interface Revision {
  readonly main: number;
  readonly sub: number;
}

/** Writes the key of a record and returns the offset behind it. */
export function writeRevision(
  target: Uint8Array,
  at: number,
  main: number,
  sub: number,
  tombstone: boolean,
): number {
  writeUint64(target, at, main);
  target[at + SEPARATOR_AT] = SEPARATOR;
  writeUint64(target, at + SEPARATOR_AT + 1, sub);
  if (!tombstone) return at + REVISION_BYTES;
  target[at + REVISION_BYTES] = TOMBSTONE_MARK;
  return at + TOMBSTONE_BYTES;
}

export function revisionBytes(main: number, sub: number, tombstone = false): Uint8Array {
  const bytes = new Uint8Array(tombstone ? TOMBSTONE_BYTES : REVISION_BYTES);
  writeRevision(bytes, 0, main, sub, tombstone);
  return bytes;
}

/** The two numbers of a 17- or 18-byte key. */
export function readRevision(bytes: Uint8Array, at = 0): Revision {
  assert(bytes[at + SEPARATOR_AT] === SEPARATOR, "a key of the bucket key is no revision");
  return { main: readUint64(bytes, at), sub: readUint64(bytes, at + SEPARATOR_AT + 1) };
}

/** Big-endian, as all numbers in keys and plain values. */
export function uint64Bytes(value: number | bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  if (typeof value === "number") {
    writeUint64(bytes, 0, value);
  } else {
    writeWord(bytes, 0, Number((value >> 32n) & 0xffffffffn));
    writeWord(bytes, 4, Number(value & 0xffffffffn));
  }
  return bytes;
}

/** @throws InvariantError for a number that is not safe: no counter of a sound file is. */
export function readUint64(bytes: Uint8Array, at = 0): number {
  const value = readWord(bytes, at) * WORD + readWord(bytes, at + 4);
  assert(Number.isSafeInteger(value), "a number in the database is out of range");
  return value;
}

function writeUint64(target: Uint8Array, at: number, value: number): void {
  writeWord(target, at, Math.floor(value / WORD));
  writeWord(target, at + 4, value);
}

function writeWord(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

function readWord(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}
