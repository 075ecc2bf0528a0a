// Reads the records of one file and tells three ends apart:
//
//   end      a zero length word, or the end of the file: all that was written is there
//   torn     the last write did not come to its end when the power went: it was never acknowledged
//   damaged  anything else: bytes that were once durable are not what they were
//
// Disks write sectors of 512 bytes whole or not at all, and a file is all zeros behind its last
// record, so what a torn write leaves behind is exactly the record it should be, except for whole
// sectors of zeros. Only that is forgiven, and only in the last file. A length is believed only if
// the record's own header agrees with it: a flipped bit in a length would else reach into the zeros
// behind the last record, look torn, and cost every record after it.
//
// One doubt remains, as in etcd: a flipped bit in a record whose data has a whole sector of zeros.

import { crc32c } from "../../base/crc32c.ts";
import type { File } from "../../io/io.ts";
import { FRAME_BYTES, RecordType } from "./record.ts";
import { WalError } from "./wal-error.ts";

const SECTOR_BYTES = 512;
/** Read ahead; a larger record grows it. */
const WINDOW_BYTES = 1024 * 1024;
/** Type, crc and data length with their tags; no record of one byte of data has more. */
const HEADER_BYTES_MAX = 2 + 6 + 6;
const PADDED = 0x80;

export interface SegmentReaderOptions {
  readonly file: File;
  /** Only there a torn write is possible. */
  readonly isLast: boolean;
  /** Checksum reached at the end of the file before; 0 for the first file that is read. */
  readonly crc: number;
  /** false: entries are skipped without a look at their data, except in the last file. */
  readonly verifyEntries: boolean;
}

export class SegmentReader {
  readonly #file: File;
  readonly #isLast: boolean;
  readonly #verifyEntries: boolean;
  readonly #sizeBytes: number;
  #window: Uint8Array;
  #windowAt = 0;
  #windowLength = 0;
  /** Behind the last good record. */
  offset = 0;
  /** Running checksum up to there. */
  crc: number;
  /** The record last read; its data is `bytes[dataStart … dataEnd)` until the next call. */
  type = 0;
  recordOffset = 0;
  dataStart = 0;
  dataEnd = 0;
  #storedCrc = 0;

  constructor(options: SegmentReaderOptions) {
    this.#file = options.file;
    this.#isLast = options.isLast;
    this.#verifyEntries = options.verifyEntries || options.isLast;
    this.#sizeBytes = options.file.sizeBytes();
    this.crc = options.crc;
    this.#window = new Uint8Array(Math.min(WINDOW_BYTES, this.#sizeBytes));
  }

  get bytes(): Uint8Array {
    return this.#window;
  }

  /** @throws WalError when the file is damaged. */
  next(): "record" | "end" | "torn" {
    const start = this.offset;
    this.recordOffset = start;
    if (start === this.#sizeBytes) return "end";
    if (this.#sizeBytes - start < FRAME_BYTES) return this.#torn("it ends inside a record");
    const word = this.#load(start, FRAME_BYTES);
    const length = this.#lengthAt(word);
    if (length === 0) return this.#zeroWord(start);
    const end = start + FRAME_BYTES + length;
    if (length < 0 || end > this.#sizeBytes) return this.#judge(start, length);
    const at = this.#load(start + FRAME_BYTES, length);
    if (!this.#parse(at, at + length) || !this.#checksum()) return this.#judge(start, length);
    // Padding may be cut off where the file ends.
    this.offset = Math.min(end + (-length & 7), this.#sizeBytes);
    return "record";
  }

  /** What the record says cannot be. */
  damaged(what: string): WalError {
    return new WalError(this.#file.path, this.recordOffset, what);
  }

  /** Length of the record from the word at `at`; negative when it is none that is ever written. */
  #lengthAt(at: number): number {
    const bytes = this.#window;
    const low =
      (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)) + bytes[at + 3]! * 2 ** 24;
    const high = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16);
    const top = bytes[at + 7]!;
    const length = high * 2 ** 32 + low;
    const pad = -low & 7;
    return top === (pad === 0 ? 0 : PADDED | pad) ? length : -1;
  }

  /** Takes the record apart; false unless it is exactly as records are written. */
  #parse(start: number, end: number): boolean {
    const bytes = this.#window;
    if (end - start < 4 || bytes[start] !== 0x08 || bytes[start + 2] !== 0x10) return false;
    this.type = bytes[start + 1]!;
    let at = start + 3;
    let value = 0;
    let scale = 1;
    while (at < end && bytes[at]! >= 128 && scale < 2 ** 35) {
      value += (bytes[at++]! & 127) * scale;
      scale *= 128;
    }
    if (at >= end || scale >= 2 ** 35) return false;
    this.#storedCrc = value + bytes[at++]! * scale;
    this.dataStart = end;
    this.dataEnd = end;
    if (at === end) return this.type === RecordType.Crc;
    if (bytes[at++] !== 0x1a) return false;
    value = 0;
    scale = 1;
    while (at < end && bytes[at]! >= 128 && scale < 2 ** 35) {
      value += (bytes[at++]! & 127) * scale;
      scale *= 128;
    }
    if (at >= end || scale >= 2 ** 35) return false;
    value += bytes[at++]! * scale;
    this.dataStart = at;
    return value === end - at;
  }

  #checksum(): boolean {
    const stored = this.#storedCrc;
    if (this.type === RecordType.Crc) {
      if (this.crc !== 0 && this.crc !== stored) return false;
    } else if (this.type !== RecordType.Entry || this.#verifyEntries) {
      if (crc32c(this.#window, this.dataStart, this.dataEnd, this.crc) !== stored) return false;
    }
    this.crc = stored;
    return true;
  }

  /** The data ends here, unless only the length word is gone: then its sector has other bytes. */
  #zeroWord(start: number): "end" {
    const sectorEnd = Math.min(this.#sizeBytes, start - (start % SECTOR_BYTES) + SECTOR_BYTES);
    if (this.#isZero(start, sectorEnd)) return "end";
    throw this.damaged("a length of zero stands before other data");
  }

  /** Says of a record that is not as it should be whether it is torn. */
  #judge(start: number, length: number): "torn" {
    const bodyAt = start + FRAME_BYTES;
    const end = bodyAt + Math.max(0, length);
    // Nothing but zeros follows, so nothing can be lost.
    if (this.#isZero(bodyAt, this.#sizeBytes)) return this.#torn("stray bits stand behind it");
    if (length < 0) throw this.damaged("the length word of a record is not valid");
    const sectorEnd = start - (start % SECTOR_BYTES) + SECTOR_BYTES;
    const headerEnd = Math.min(bodyAt + HEADER_BYTES_MAX, end);
    const nextEnd = Math.min(end, sectorEnd + SECTOR_BYTES, this.#sizeBytes);
    const lost = headerEnd > sectorEnd && this.#isZero(sectorEnd, nextEnd);
    if (lost) return this.#torn("a sector of its last record was not written");
    if (!this.#headerAgrees(bodyAt, length)) {
      throw this.damaged("the header of a record does not agree with its length");
    }
    if (end > this.#sizeBytes) return this.#torn("it ends inside a record");
    for (let at = bodyAt; at < end; ) {
      const next = Math.min(end, at - (at % SECTOR_BYTES) + SECTOR_BYTES);
      if (this.#isZero(at, next)) return this.#torn("a sector of its last record was not written");
      at = next;
    }
    throw this.damaged("the checksum of a record does not match");
  }

  #headerAgrees(bodyAt: number, length: number): boolean {
    const headerBytes = Math.min(HEADER_BYTES_MAX, length);
    // Where the file ends inside the header there is nothing to compare.
    if (bodyAt + headerBytes > this.#sizeBytes) return true;
    const at = this.#load(bodyAt, headerBytes);
    return this.#parse(at, at + length);
  }

  #torn(what: string): "torn" {
    if (!this.#isLast) throw this.damaged(`${what}, but it is not the last file`);
    return "torn";
  }

  #isZero(start: number, end: number): boolean {
    for (let at = start; at < end; ) {
      const length = Math.min(end - at, this.#window.length);
      const from = this.#load(at, length);
      for (let i = from; i < from + length; i++) if (this.#window[i] !== 0) return false;
      at += length;
    }
    return true;
  }

  /** Makes bytes of the file available in the window; returns where. */
  #load(position: number, length: number): number {
    const at = position - this.#windowAt;
    if (at >= 0 && at + length <= this.#windowLength) return at;
    if (length > this.#window.length) this.#window = new Uint8Array(length);
    this.#windowAt = position;
    this.#windowLength = this.#file.read(this.#window, position);
    return 0;
  }
}
