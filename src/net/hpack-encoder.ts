// Header blocks of answers (RFC 7541). Two fields are in nearly every answer and go into the
// dynamic table at their first use: "content-type: application/grpc" and "grpc-status: 0". From
// then on a head is two bytes and a trailer one, which saves the client's work as well as ours.
// All else is written as a literal that is not added.
//
// The table is a state of the connection in the order in which blocks reach the wire: encode at
// the moment of writing into the output buffer, never earlier.

import { STATIC_ENTRIES, TABLE_BYTES_MAX } from "./hpack-table.ts";

const STATUS_NAME_INDEX = 8;
const STATUS_200 = 0x80 | STATUS_NAME_INDEX;
const CONTENT_TYPE_INDEX = 31;
const GRPC_CONTENT_TYPE = "application/grpc";
const GRPC_STATUS = "grpc-status";
/** Sizes of the two entries with HPACK's 32 bytes each: less is no use as a table. */
const TABLE_BYTES_NEEDED =
  "content-type".length + GRPC_CONTENT_TYPE.length + 32 + GRPC_STATUS.length + 1 + 32;

const contentTypeLiteral = literalOfIndexedName(CONTENT_TYPE_INDEX, 0x0f, 0x00, GRPC_CONTENT_TYPE);
const contentTypeAdding = literalOfIndexedName(CONTENT_TYPE_INDEX, 0x3f, 0x40, GRPC_CONTENT_TYPE);
const statusOkLiteral = literal(0x00, GRPC_STATUS, "0");
const statusOkAdding = literal(0x40, GRPC_STATUS, "0");

/** Room for either block below, with table size updates in front. */
export const GRPC_BLOCK_BYTES_MAX = 48;

export class HpackEncoder {
  /** Positions in the dynamic table as HPACK indices, or 0 when not there. */
  #contentTypeIndex = 0;
  #statusOkIndex = 0;
  #limitBytes = TABLE_BYTES_MAX;
  #mustEmptyTable = false;
  #mustRestoreTable = false;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setPeerLimit(bytes: number): void {
    const limitBytes = bytes < TABLE_BYTES_NEEDED ? 0 : Math.min(bytes, TABLE_BYTES_MAX);
    if (limitBytes === this.#limitBytes) return;
    // Emptied first in every case: then nothing has to be evicted one by one.
    this.#limitBytes = limitBytes;
    this.#contentTypeIndex = 0;
    this.#statusOkIndex = 0;
    this.#mustEmptyTable = true;
    this.#mustRestoreTable = limitBytes > 0;
  }

  /** What `writeGrpcHead` would write now. */
  get grpcHeadBytes(): number {
    if (this.#contentTypeIndex !== 0) return 2;
    let bytes = 1 + (this.#limitBytes === 0 ? contentTypeLiteral : contentTypeAdding).length;
    if (this.#mustEmptyTable) bytes++;
    if (this.#mustRestoreTable) bytes += integerBytes(0x1f, this.#limitBytes);
    return bytes;
  }

  /** ":status: 200" and the content type of gRPC; returns the new offset. */
  writeGrpcHead(target: Uint8Array, at: number): number {
    if (this.#contentTypeIndex !== 0) {
      target[at] = STATUS_200;
      target[at + 1] = 0x80 | this.#contentTypeIndex;
      return at + 2;
    }
    let offset = this.#writeTableUpdates(target, at);
    target[offset++] = STATUS_200;
    return this.#writeContentType(target, offset);
  }

  /** "grpc-status: 0"; returns the new offset. */
  writeGrpcOk(target: Uint8Array, at: number): number {
    if (this.#statusOkIndex !== 0) {
      target[at] = 0x80 | this.#statusOkIndex;
      return at + 1;
    }
    const offset = this.#writeTableUpdates(target, at);
    if (this.#limitBytes === 0) {
      target.set(statusOkLiteral, offset);
      return offset + statusOkLiteral.length;
    }
    if (this.#contentTypeIndex !== 0) this.#contentTypeIndex++;
    this.#statusOkIndex = STATIC_ENTRIES + 1;
    target.set(statusOkAdding, offset);
    return offset + statusOkAdding.length;
  }

  /** Any fields, ":status" first; see `fieldsBytesMax` for the room. Returns the new offset. */
  writeFields(
    target: Uint8Array,
    at: number,
    fields: readonly (readonly [string, string])[],
  ): number {
    let offset = this.#writeTableUpdates(target, at);
    for (const [name, value] of fields) {
      if (name === ":status") {
        if (value === "200") target[offset++] = STATUS_200;
        else offset = writeString(target, writeStatusName(target, offset), value);
      } else if (name === "content-type" && value === GRPC_CONTENT_TYPE) {
        offset = this.#writeContentType(target, offset);
      } else {
        target[offset++] = 0x00;
        offset = writeString(target, offset, name);
        offset = writeString(target, offset, value);
      }
    }
    return offset;
  }

  #writeContentType(target: Uint8Array, at: number): number {
    if (this.#contentTypeIndex !== 0) {
      target[at] = 0x80 | this.#contentTypeIndex;
      return at + 1;
    }
    if (this.#limitBytes === 0) {
      target.set(contentTypeLiteral, at);
      return at + contentTypeLiteral.length;
    }
    if (this.#statusOkIndex !== 0) this.#statusOkIndex++;
    this.#contentTypeIndex = STATIC_ENTRIES + 1;
    target.set(contentTypeAdding, at);
    return at + contentTypeAdding.length;
  }

  /** A change of the limit has to be told at the start of the next block (RFC 7541, 4.2). */
  #writeTableUpdates(target: Uint8Array, at: number): number {
    let offset = at;
    if (this.#mustEmptyTable) target[offset++] = 0x20;
    if (this.#mustRestoreTable) offset = writeInteger(target, offset, 0x1f, 0x20, this.#limitBytes);
    this.#mustEmptyTable = false;
    this.#mustRestoreTable = false;
    return offset;
  }
}

/** An upper bound of what `writeFields` writes. */
export function fieldsBytesMax(fields: readonly (readonly [string, string])[]): number {
  let bytes = GRPC_BLOCK_BYTES_MAX;
  // One byte for the kind and up to four for each of the two lengths.
  for (const [name, value] of fields) bytes += name.length + value.length + 9;
  return bytes;
}

function writeStatusName(target: Uint8Array, at: number): number {
  target[at] = STATUS_NAME_INDEX;
  return at + 1;
}

function writeInteger(
  target: Uint8Array,
  at: number,
  mask: number,
  pattern: number,
  value: number,
): number {
  if (value < mask) {
    target[at] = pattern | value;
    return at + 1;
  }
  target[at] = pattern | mask;
  let offset = at + 1;
  let rest = value - mask;
  while (rest >= 0x80) {
    target[offset++] = 0x80 | (rest & 0x7f);
    rest >>>= 7;
  }
  target[offset++] = rest;
  return offset;
}

function integerBytes(mask: number, value: number): number {
  if (value < mask) return 1;
  let bytes = 2;
  for (let rest = value - mask; rest >= 0x80; rest >>>= 7) bytes++;
  return bytes;
}

/** Characters above 0xff do not occur: header values are latin1. */
function writeString(target: Uint8Array, at: number, text: string): number {
  const offset = writeInteger(target, at, 0x7f, 0x00, text.length);
  for (let index = 0; index < text.length; index++) {
    target[offset + index] = text.charCodeAt(index);
  }
  return offset + text.length;
}

function literal(pattern: number, name: string, value: string): Uint8Array {
  const bytes = new Uint8Array(name.length + value.length + 9);
  bytes[0] = pattern;
  return bytes.slice(0, writeString(bytes, writeString(bytes, 1, name), value));
}

function literalOfIndexedName(
  index: number,
  mask: number,
  pattern: number,
  value: string,
): Uint8Array {
  const bytes = new Uint8Array(value.length + 9);
  const offset = writeInteger(bytes, 0, mask, pattern, index);
  return bytes.slice(0, writeString(bytes, offset, value));
}
