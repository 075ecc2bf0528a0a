// From the records of the files to what raft starts with: the entries after a snapshot, the last
// hard state, the snapshots. What the checksum does not cover (the type of a record is outside of
// it) is checked here by what records may follow each other and what they may contain.

import type { Disk } from "../../io/io.ts";
import type { ConfState, HardState } from "../../wire/messages/raft.ts";
import { decodeSnapshot } from "../../wire/messages/record.ts";
import { ProtoError } from "../../wire/protobuf/proto-error.ts";
import { Reader } from "../../wire/protobuf/reader.ts";
import { copyRange } from "../../wire/protobuf/writer.ts";
import { RecordType, type WalEntry } from "./record.ts";
import { listSegments, type SegmentName, selectSegments } from "./segment.ts";
import { SegmentReader } from "./segment-reader.ts";
import { WalError } from "./wal-error.ts";

export interface WalSnapshot {
  readonly index: number;
  readonly term: number;
  /** Absent at index 0, and in logs of etcd before 3.5. */
  readonly confState: ConfState | undefined;
}

export interface WalContents {
  readonly metadata: Uint8Array;
  /** undefined: none was ever written. */
  readonly hardState: HardState | undefined;
  /** Without gaps, from the index after the snapshot on. They own their data. */
  readonly entries: WalEntry[];
  /** Those recorded in the files that were read. */
  readonly snapshots: WalSnapshot[];
}

/** Where the log ends, for whoever appends to it. */
export interface WalTail {
  readonly segment: SegmentName;
  readonly offset: number;
  readonly crc: number;
  /** Bytes of a write that did not come to its end stand behind `offset`. */
  readonly torn: boolean;
}

/** Data of small entries is kept in pieces of this size. */
const CHUNK_BYTES = 256 * 1024;

/** Start of an empty log. */
export const NO_SNAPSHOT: WalSnapshot = { index: 0, term: 0, confState: undefined };

/**
 * Reads the entries after `from`, which must be recorded in the log. Takes no lock.
 * @throws WalError when the log is damaged; a torn end is no damage.
 */
export function readLog(
  disk: Disk,
  directory: string,
  from: WalSnapshot,
): { contents: WalContents; tail: WalTail } {
  const collector = new Collector(from);
  const segments = selectSegments(disk, directory, from.index);
  const tail = readSegments(disk, directory, segments, true, (reader) => collector.add(reader));
  return { contents: collector.contents(directory), tail };
}

/**
 * The snapshots that the last hard state has committed, oldest first: the last one is where a
 * member starts. Empty only if the log does not even hold its beginning.
 */
export function validSnapshots(disk: Disk, directory: string): WalSnapshot[] {
  const snapshots: WalSnapshot[] = [];
  let commit = 0;
  readSegments(disk, directory, lastRun(listSegments(disk, directory)), false, (reader) => {
    const { type, bytes, dataStart, dataEnd } = reader;
    if (type === RecordType.Snapshot) snapshots.push(decodeSnapshot(bytes, dataStart, dataEnd));
    if (type === RecordType.State) commit = decodeState(reader).commit;
  });
  return snapshots.filter((snapshot) => snapshot.index <= commit);
}

/** Without older segments in front of a gap, which an interrupted purge can leave. */
function lastRun(segments: readonly SegmentName[]): readonly SegmentName[] {
  let start = segments.length - 1;
  while (start > 0 && segments[start - 1]!.sequence === segments[start]!.sequence - 1) start--;
  return segments.slice(Math.max(0, start));
}

function readSegments(
  disk: Disk,
  directory: string,
  segments: readonly SegmentName[],
  verifyEntries: boolean,
  visit: (reader: SegmentReader) => void,
): WalTail {
  let crc = 0;
  let tail: WalTail | undefined;
  for (const [at, segment] of segments.entries()) {
    const file = disk.open(`${directory}/${segment.name}`, { mode: "read" });
    try {
      const isLast = at === segments.length - 1;
      const reader = new SegmentReader({ file, isLast, crc, verifyEntries });
      let reading = reader.next();
      for (let number = 0; reading === "record"; number++) {
        checkOrder(reader, number);
        visitChecked(reader, visit);
        reading = reader.next();
      }
      crc = reader.crc;
      tail = { segment, offset: reader.offset, crc, torn: reading === "torn" };
    } finally {
      file.close();
    }
  }
  if (tail === undefined) throw new WalError(directory, undefined, "it has no segments");
  return tail;
}

/** Every file begins with the checksum so far and the metadata, and has them nowhere else. */
function checkOrder(reader: SegmentReader, number: number): void {
  const { type } = reader;
  if ((number === 0) !== (type === RecordType.Crc)) {
    throw reader.damaged("a checksum record must be the first of a file, and only that");
  }
  if ((number === 1) !== (type === RecordType.Metadata)) {
    throw reader.damaged("the metadata record must be the second of a file, and only that");
  }
}

function visitChecked(reader: SegmentReader, visit: (reader: SegmentReader) => void): void {
  try {
    visit(reader);
  } catch (error) {
    if (error instanceof ProtoError) throw reader.damaged("a record is not valid protobuf");
    throw error;
  }
}

/** The fields of one entry, without an object for each. */
class EntryFields {
  type: 0 | 1 | 2 = 0;
  term = 0;
  index = 0;
  dataStart = 0;
  dataEnd = 0;
  readonly #fields = new Reader(new Uint8Array(0), 0, 0);

  /** False when what is there cannot be an entry. */
  read({ bytes, dataStart, dataEnd }: SegmentReader): boolean {
    const fields = this.#fields;
    fields.reset(bytes, dataStart, dataEnd);
    let type = 0;
    this.term = this.index = this.dataStart = this.dataEnd = 0;
    while (fields.at < fields.end) {
      const tag = fields.tag();
      if (tag === 0x08) type = fields.int32();
      else if (tag === 0x10) this.term = fields.uint64();
      else if (tag === 0x18) this.index = fields.uint64();
      else if (tag === 0x22) {
        const length = fields.length();
        this.dataStart = fields.at;
        this.dataEnd = fields.at += length;
      } else fields.skip(tag);
    }
    if (!Number.isSafeInteger(this.term) || !Number.isSafeInteger(this.index)) return false;
    if (type !== 0 && type !== 1 && type !== 2) return false;
    this.type = type;
    // A conf change says what changes; one of the second kind may just end a joint state.
    const isEmpty = this.dataStart === this.dataEnd;
    return this.term > 0 && this.index > 0 && (type !== 1 || !isEmpty);
  }
}

class Collector {
  readonly #from: WalSnapshot;
  readonly #entries: WalEntry[] = [];
  readonly #snapshots: WalSnapshot[] = [];
  readonly #entry = new EntryFields();
  #chunk = new Uint8Array(0);
  #chunkUsed = CHUNK_BYTES;
  #metadata: Uint8Array | undefined;
  #hardState: HardState | undefined;
  #found = false;

  constructor(from: WalSnapshot) {
    this.#from = from;
  }

  add(reader: SegmentReader): void {
    switch (reader.type) {
      case RecordType.Entry:
        this.#addEntry(reader);
        return;
      case RecordType.State:
        this.#hardState = decodeState(reader);
        return;
      case RecordType.Metadata:
        this.#addMetadata(reader);
        return;
      case RecordType.Snapshot:
        this.#addSnapshot(reader);
        return;
      case RecordType.Crc:
        return;
      default:
        throw reader.damaged(`a record has the unknown type ${reader.type}`);
    }
  }

  contents(directory: string): WalContents {
    const metadata = this.#metadata;
    if (metadata === undefined) throw new WalError(directory, undefined, "it has no metadata");
    if (!this.#found) {
      const what = `it does not hold the snapshot at index ${this.#from.index}`;
      throw new WalError(directory, undefined, what);
    }
    const hardState = this.#hardState;
    const lastIndex = this.#from.index + this.#entries.length;
    if (hardState !== undefined && hardState.commit > lastIndex) {
      const what = `its state commits entry ${hardState.commit}, but its last is ${lastIndex}`;
      throw new WalError(directory, undefined, what);
    }
    return { metadata, hardState, entries: this.#entries, snapshots: this.#snapshots };
  }

  /** An entry with an index already seen replaces that one and all after it. */
  #addEntry(reader: SegmentReader): void {
    const entry = this.#entry;
    if (!entry.read(reader)) throw reader.damaged("a record does not hold an entry");
    const { term, index } = entry;
    const entries = this.#entries;
    const at = index - this.#from.index - 1;
    if (at < 0) {
      // Before the snapshot; but it, too, replaces what came after it. (etcd keeps that, and a
      // member then votes as if it had an older log than it has acknowledged.)
      entries.length = 0;
      return;
    }
    if (at > entries.length) {
      const last = this.#from.index + entries.length;
      throw reader.damaged(`entry ${index} follows entry ${last}`);
    }
    // Not compared with the snapshot: the entry may be older than it, and replaced further on.
    const previousTerm = at === 0 ? 0 : entries[at - 1]!.term;
    if (term < previousTerm) throw reader.damaged(`entry ${index} goes back to term ${term}`);
    if (at < entries.length) entries.length = at;
    entries.push({ type: entry.type, term, index, data: this.#keep(reader.bytes) });
  }

  /** A copy of the data of the entry just read: small ones share memory. */
  #keep(bytes: Uint8Array): Uint8Array {
    const { dataStart, dataEnd } = this.#entry;
    const length = dataEnd - dataStart;
    if (length > CHUNK_BYTES / 8) return bytes.slice(dataStart, dataEnd);
    if (length > CHUNK_BYTES - this.#chunkUsed) {
      this.#chunk = new Uint8Array(CHUNK_BYTES);
      this.#chunkUsed = 0;
    }
    const at = this.#chunkUsed;
    this.#chunkUsed = copyRange(this.#chunk, at, bytes, dataStart, dataEnd);
    return this.#chunk.subarray(at, this.#chunkUsed);
  }

  #addMetadata(reader: SegmentReader): void {
    const metadata = reader.bytes.slice(reader.dataStart, reader.dataEnd);
    const known = this.#metadata;
    if (known !== undefined && !equal(known, metadata)) {
      throw reader.damaged("the metadata differs from that of the file before");
    }
    this.#metadata = metadata;
  }

  #addSnapshot(reader: SegmentReader): void {
    const snapshot = decodeSnapshot(reader.bytes, reader.dataStart, reader.dataEnd);
    const { index, term } = this.#from;
    if (snapshot.index === index) {
      if (snapshot.term !== term) {
        throw reader.damaged(`snapshot ${index} is of term ${snapshot.term}, not ${term}`);
      }
      this.#found = true;
    }
    this.#snapshots.push(snapshot);
  }
}

/** Term, vote and commit and nothing else: an entry, read as a state, would have more. */
function decodeState(reader: SegmentReader): HardState {
  const { bytes, dataStart, dataEnd } = reader;
  const state: HardState = { term: 0, vote: 0n, commit: 0 };
  if (bytes[dataStart] !== 0x08) throw reader.damaged("a record does not hold a state");
  const fields = new Reader(bytes, dataStart, dataEnd);
  while (fields.at < fields.end) {
    const tag = fields.tag();
    if (tag === 0x08) state.term = fields.uint64();
    else if (tag === 0x10) state.vote = fields.bigUint64();
    else if (tag === 0x18) state.commit = fields.uint64();
    else throw reader.damaged("a record does not hold a state as its type says");
  }
  if (!Number.isSafeInteger(state.term) || !Number.isSafeInteger(state.commit)) {
    throw reader.damaged("the numbers of a state are out of range");
  }
  return state;
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}
