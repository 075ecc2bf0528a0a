// One record of the log, as bytes:
//
//   offset  8 bytes      protobuf walpb.Record            pad
//   ──────┬─────────────┬────────┬────────────┬──────────┬──────────────┐
//         │ length word │ 08 type│ 10 crc     │ 1a n data│ 0 to 7 zeros │   to a multiple of 8
//   ──────┴─────────────┴────────┴────────────┴──────────┴──────────────┘
//
// The length word is little-endian; its low 56 bits are the length of the protobuf, its top byte is
// 0 without padding and else 0x80 | pad. A length word of zero ends the data of a file. The crc is
// that of the data of *all* records up to and including this one, through all files; a file begins
// with a record that has the crc reached before it and no data.

import { crc32c } from "../../base/crc32c.ts";
import type { HardState } from "../../wire/messages/raft.ts";
import { type SnapshotInit, sizeSnapshot, writeSnapshot } from "../../wire/messages/record.ts";
import {
  copyBytes,
  sizeBig,
  sizeNumber,
  sizeUint32,
  writeBig,
  writeNumber,
  writeUint32,
} from "../../wire/protobuf/writer.ts";

export const RecordType = { Metadata: 1, Entry: 2, State: 3, Crc: 4, Snapshot: 5 } as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

/** A log entry as raft has it. `data` may be empty. */
export interface WalEntry {
  readonly type: 0 | 1 | 2;
  readonly term: number;
  readonly index: number;
  readonly data: Uint8Array;
}

export const FRAME_BYTES = 8;
const PADDED = 0x80;
const CRC_BYTES_MAX = 5;
/** From here on a crc takes all five bytes; fifteen of sixteen do. */
const CRC_LONG = 0x1000_0000;
/** Frame, tags, type, crc, length, padding and the numbers of an entry or state. */
const OVERHEAD_BYTES_MAX = 80;

/** A usual group of a turn; a larger one grows the buffer. */
const BUFFER_BYTES = 256 * 1024;
/** A buffer that one large group left behind is let go above this. */
const BUFFER_KEEP_BYTES = 4 * 1024 * 1024;

/** Builds a group of records for one write. The buffer is used again after `reset`. */
export class RecordEncoder {
  #bytes = new Uint8Array(BUFFER_BYTES);
  #length = 0;
  /** Running checksum over the data of all records so far. */
  crc: number;

  constructor(crc: number) {
    this.crc = crc;
  }

  get length(): number {
    return this.#length;
  }

  /** Valid until the next `reset` or `add…`. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  reset(): void {
    this.#length = 0;
    if (this.#bytes.length > BUFFER_KEEP_BYTES) this.#bytes = new Uint8Array(BUFFER_BYTES);
  }

  /** Fields that etcd's raft assigns are written, also when zero; it assigns no type 0. */
  addEntry(entry: WalEntry): void {
    const { type, term, index, data } = entry;
    const length = data.length;
    this.#reserve(length);
    let size = 2 + sizeNumber(term) + sizeNumber(index);
    if (type !== 0) size += 2;
    if (length > 0) size += 1 + sizeUint32(length) + length;
    const bytes = this.#bytes;
    const dataAt = this.#begin(RecordType.Entry, size);
    let at = dataAt;
    if (type !== 0) {
      bytes[at++] = 0x08;
      bytes[at++] = type;
    }
    bytes[at++] = 0x10;
    at = writeNumber(bytes, at, term);
    bytes[at++] = 0x18;
    at = writeNumber(bytes, at, index);
    if (length > 0) {
      bytes[at++] = 0x22;
      at = copyBytes(bytes, writeUint32(bytes, at, length), data);
    }
    this.#finish(dataAt, at);
  }

  addState(state: HardState): void {
    this.#reserve(0);
    const { term, vote, commit } = state;
    const bytes = this.#bytes;
    const size = 3 + sizeNumber(term) + sizeBig(vote) + sizeNumber(commit);
    const dataAt = this.#begin(RecordType.State, size);
    let at = dataAt;
    bytes[at++] = 0x08;
    at = writeNumber(bytes, at, term);
    bytes[at++] = 0x10;
    at = writeBig(bytes, at, vote);
    bytes[at++] = 0x18;
    at = writeNumber(bytes, at, commit);
    this.#finish(dataAt, at);
  }

  addMetadata(metadata: Uint8Array): void {
    this.#reserve(metadata.length);
    const dataAt = this.#begin(RecordType.Metadata, metadata.length);
    this.#finish(dataAt, copyBytes(this.#bytes, dataAt, metadata));
  }

  addSnapshot(snapshot: SnapshotInit): void {
    const size = sizeSnapshot(snapshot);
    this.#reserve(size);
    const dataAt = this.#begin(RecordType.Snapshot, size);
    this.#finish(dataAt, writeSnapshot(snapshot, this.#bytes, dataAt));
  }

  /** The first record of a file: the checksum so far, and no data at all. */
  addCrc(): void {
    this.#reserve(0);
    const at = this.#length + FRAME_BYTES;
    this.#bytes[at] = 0x08;
    this.#bytes[at + 1] = RecordType.Crc;
    this.#bytes[at + 2] = 0x10;
    this.#seal(writeUint32(this.#bytes, at + 3, this.crc));
  }

  #reserve(dataLength: number): void {
    const needed = this.#length + dataLength + OVERHEAD_BYTES_MAX;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }

  /** Writes what precedes the data, with room for the longest crc; returns where data goes. */
  #begin(type: RecordType, dataLength: number): number {
    const bytes = this.#bytes;
    let at = this.#length + FRAME_BYTES;
    bytes[at] = 0x08;
    bytes[at + 1] = type;
    bytes[at + 2] = 0x10;
    at += 3 + CRC_BYTES_MAX;
    bytes[at] = 0x1a;
    return writeUint32(bytes, at + 1, dataLength);
  }

  #finish(dataAt: number, end: number): void {
    const bytes = this.#bytes;
    const crc = crc32c(bytes, dataAt, end, this.crc);
    this.crc = crc;
    const crcAt = this.#length + FRAME_BYTES + 3;
    const behind = writeUint32(bytes, crcAt, crc);
    if (crc >= CRC_LONG) {
      this.#seal(end);
      return;
    }
    bytes.copyWithin(behind, crcAt + CRC_BYTES_MAX, end);
    this.#seal(end - (crcAt + CRC_BYTES_MAX - behind));
  }

  /** Pads the record that ends at `end` and writes its length word. */
  #seal(end: number): void {
    const bytes = this.#bytes;
    const start = this.#length;
    const length = end - start - FRAME_BYTES;
    const pad = -length & 7;
    for (let at = end; at < end + pad; at++) bytes[at] = 0;
    bytes[start] = length;
    bytes[start + 1] = length >>> 8;
    bytes[start + 2] = length >>> 16;
    bytes[start + 3] = length >>> 24;
    bytes[start + 4] = 0;
    bytes[start + 5] = 0;
    bytes[start + 6] = 0;
    bytes[start + 7] = pad === 0 ? 0 : PADDED | pad;
    this.#length = end + pad;
  }
}
