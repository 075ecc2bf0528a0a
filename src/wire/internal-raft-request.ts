// The content of a log entry, InternalRaftRequest, without decoding the request inside it. The
// bytes that the client sent become the field of the request as they are:
//
//   field < 100 (put, txn, …)        │tag│length│ client's request │ a2 06 │length│ header │
//   field > 100 (auth, versions)     │ a2 06 │length│ header │tag│length│     request      │
//
// Fields stand in ascending order, as Go writes them; header is field 100 and holds the request id,
// the user and the auth revision. Readers accept any order, and the id in field 1 of older members.
//
// A request id is 16 bits of the member's id and 48 bits of time and counter. The 48 bits are exact
// in a Number and distinguish the requests of one member, so no bigint is needed anywhere.

import { MALFORMED_TEXT, ProtoError } from "./protobuf/proto-error.ts";
import { Reader } from "./protobuf/reader.ts";
import {
  copyRange,
  sizeDelimited,
  sizeNumber,
  sizeUint32,
  utf8Length,
  writeNumber,
  writeString,
  writeUint32,
  writeWords,
} from "./protobuf/writer.ts";

/** Numbers of the request fields of InternalRaftRequest. */
export const RequestField = {
  None: 0,
  V2: 2,
  Range: 3,
  Put: 4,
  DeleteRange: 5,
  Txn: 6,
  Compaction: 7,
  LeaseGrant: 8,
  LeaseRevoke: 9,
  Alarm: 10,
  LeaseCheckpoint: 11,
  AuthEnable: 1000,
  AuthDisable: 1011,
  Authenticate: 1012,
  AuthStatus: 1013,
  AuthUserAdd: 1100,
  AuthUserDelete: 1101,
  AuthUserGet: 1102,
  AuthUserChangePassword: 1103,
  AuthUserGrantRole: 1104,
  AuthUserRevokeRole: 1105,
  AuthUserList: 1106,
  AuthRoleList: 1107,
  AuthRoleAdd: 1200,
  AuthRoleDelete: 1201,
  AuthRoleGet: 1202,
  AuthRoleGrantPermission: 1203,
  AuthRoleRevokePermission: 1204,
  ClusterVersionSet: 1300,
  ClusterMemberAttrSet: 1301,
  DowngradeInfoSet: 1302,
  DowngradeVersionTest: 9900,
} as const;

const ID_TAG = (1 << 3) | 0;
const HEADER_FIELD = 100;
const HEADER_TAG = (HEADER_FIELD << 3) | 2;
/** Tags inside the header. */
const HEADER_ID_TAG = (1 << 3) | 0;
const USERNAME_TAG = (2 << 3) | 2;
const AUTH_REVISION_TAG = (3 << 3) | 0;

const TWO_TO_16 = 0x1_0000;
const TWO_TO_32 = 0x1_0000_0000;

export function sizeOfProposal(
  idHigh: number,
  idLow48: number,
  field: number,
  bodyLength: number,
  username = "",
  authRevision = 0,
): number {
  const header = sizeHeader(idHigh, idLow48, username, authRevision);
  return sizeUint32(field << 3) + sizeDelimited(bodyLength) + 2 + sizeDelimited(header);
}

/** Writes `bytes[start … end)` as the request; returns the offset behind the proposal. */
export function writeProposal(
  target: Uint8Array,
  at: number,
  idHigh: number,
  idLow48: number,
  field: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  username = "",
  authRevision = 0,
): number {
  if (field < HEADER_FIELD) {
    const next = writeBody(target, at, field, bytes, start, end);
    return writeHeader(target, next, idHigh, idLow48, username, authRevision);
  }
  const next = writeHeader(target, at, idHigh, idLow48, username, authRevision);
  return writeBody(target, next, field, bytes, start, end);
}

function writeBody(
  target: Uint8Array,
  at: number,
  field: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let offset = writeUint32(target, at, (field << 3) | 2);
  offset = writeUint32(target, offset, end - start);
  return copyRange(target, offset, bytes, start, end);
}

function sizeHeader(idHigh: number, idLow48: number, user: string, authRevision: number): number {
  let size = 1 + sizeId(idHigh, idLow48);
  if (user !== "") size += 1 + sizeDelimited(utf8Length(user));
  if (authRevision !== 0) size += 1 + sizeNumber(authRevision);
  return size;
}

function writeHeader(
  target: Uint8Array,
  at: number,
  idHigh: number,
  idLow48: number,
  user: string,
  authRevision: number,
): number {
  let offset = at;
  target[offset++] = (HEADER_TAG & 127) | 128;
  target[offset++] = HEADER_TAG >> 7;
  offset = writeUint32(target, offset, sizeHeader(idHigh, idLow48, user, authRevision));
  target[offset++] = HEADER_ID_TAG;
  const high = idHigh * TWO_TO_16 + Math.floor(idLow48 / TWO_TO_32);
  offset = writeWords(target, offset, idLow48 >>> 0, high);
  if (user !== "") {
    target[offset++] = USERNAME_TAG;
    offset = writeString(target, offset, user);
  }
  if (authRevision !== 0) {
    target[offset++] = AUTH_REVISION_TAG;
    offset = writeNumber(target, offset, authRevision);
  }
  return offset;
}

function sizeId(idHigh: number, idLow48: number): number {
  if (idHigh >= 0x8000) return 10;
  if (idHigh >= 0x100) return 9;
  return sizeNumber(idHigh * TWO_TO_16 * TWO_TO_32 + idLow48);
}

/** What `readProposal` finds. Made once and filled again for every entry. */
export class Proposal {
  idHigh = 0;
  idLow48 = 0;
  username = "";
  authRevision = 0;
  /** A number of `RequestField`, or one that this version does not know. */
  field = 0;
  /** The request is `bytes[start … end)` of what was read. */
  start = 0;
  end = 0;

  clear(): void {
    this.idHigh = 0;
    this.idLow48 = 0;
    this.username = "";
    this.authRevision = 0;
    this.field = 0;
    this.start = 0;
    this.end = 0;
  }
}

const reader = new Reader(new Uint8Array(0), 0, 0);

/** Throws ProtoError if `bytes` is no InternalRaftRequest or holds more than one request. */
export function readProposal(
  bytes: Uint8Array,
  out: Proposal,
  start = 0,
  end: number = bytes.length,
): void {
  const r = reader;
  r.reset(bytes, start, end);
  out.clear();
  let oldIdHigh = 0;
  let oldIdLow48 = 0;
  while (r.at < end) {
    const tag = r.tag();
    if (tag === HEADER_TAG) {
      const outer = r.enter();
      readHeader(r, out);
      r.leave(outer);
    } else if (tag === ID_TAG) {
      r.varint();
      oldIdHigh = r.high >>> 16;
      oldIdLow48 = low48(r);
    } else if ((tag & 7) === 2) {
      if (out.field !== 0) throw new ProtoError(MALFORMED_TEXT);
      const length = r.length();
      out.field = tag >>> 3;
      out.start = r.at;
      r.at += length;
      out.end = r.at;
    } else {
      r.skip(tag);
    }
  }
  if (oldIdHigh !== 0 || oldIdLow48 !== 0) {
    out.idHigh = oldIdHigh;
    out.idLow48 = oldIdLow48;
  }
}

function readHeader(r: Reader, out: Proposal): void {
  while (r.at < r.end) {
    const tag = r.tag();
    switch (tag) {
      case HEADER_ID_TAG:
        r.varint();
        out.idHigh = r.high >>> 16;
        out.idLow48 = low48(r);
        break;
      case USERNAME_TAG:
        out.username = r.string();
        break;
      case AUTH_REVISION_TAG:
        out.authRevision = r.uint64();
        break;
      default:
        r.skip(tag);
    }
  }
}

function low48(r: Reader): number {
  return (r.high & 0xffff) * TWO_TO_32 + (r.low >>> 0);
}
