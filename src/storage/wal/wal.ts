// The write-ahead log, in etcd's files. What raft must not forget goes through `append`:
//
//   append(entries, state) ─► RecordEncoder ─► one write on an O_DSYNC file ─► done
//                                                   │ reached 64 MB
//                                                   └► cut: header into the prepared file ─►
//                                                      rename ─► sync directory ─► done
//
// One group is under way at a time: what arrives meanwhile is raft's next Ready, which makes the
// group commit. A hard state that only moves the commit index is kept back until the next write,
// as etcd does: after a crash raft finds the commit index again.
//
// After a failed write nothing is known about what is on the disk; the log takes no more, and the
// member has to stop.

import { dirname } from "node:path/posix";
import { assert } from "../../base/assert.ts";
import type { Logger } from "../../base/log.ts";
import type { Clock, Disk, Done, File } from "../../io/io.ts";
import type { ConfStateInit, HardState } from "../../wire/messages/raft.ts";
import { NextSegment } from "./next-segment.ts";
import {
  NO_SNAPSHOT,
  readLog,
  type WalContents,
  type WalSnapshot,
  type WalTail,
} from "./read-log.ts";
import { RecordEncoder, type WalEntry } from "./record.ts";
import { repairTail } from "./repair.ts";
import { listSegments, SEGMENT_BYTES, type SegmentName, segmentName } from "./segment.ts";
import { WalError } from "./wal-error.ts";
import { WalMetrics } from "./wal-metrics.ts";

/** The next segment is prepared when this part of the present one is full. */
const PREPARE_AT = 1 / 4;
/**
 * A segment without blocks of its own costs a commit of the file system's journal with every
 * write, which takes along what the database has written: twice the time and CPU. Whoever writes
 * this much into one will write more, and goes on in a filled segment as soon as there is one.
 */
const SPARSE_BYTES = 1024 * 1024;
/** etcd warns of a slower sync. */
const SLOW_SYNC_MS = 1000;

export interface WalOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
  readonly directory: string;
  readonly segmentBytes?: number;
  /** false: `--unsafe-no-fsync`. */
  readonly durable?: boolean;
}

/** A configuration that says nothing of `autoLeave` is written so. */
export interface SnapshotRecord {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfStateInit | undefined;
}

interface Group {
  readonly entries: readonly WalEntry[];
  readonly hardState: HardState | undefined;
  readonly done: Done;
  /** A snapshot with which the log starts over. */
  readonly base?: SnapshotRecord;
}

export class Wal {
  readonly metrics: WalMetrics = new WalMetrics();
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #directory: string;
  readonly #segmentBytes: number;
  readonly #durable: boolean;
  readonly #metadata: Uint8Array;
  readonly #encoder: RecordEncoder;
  /** Holds the lock. */
  readonly #lock: File;
  /** Ascending; the last one is written to. */
  readonly #segments: SegmentName[];
  #file: File;
  #offset: number;
  /** The present segment is left before it is full. */
  #isSparse = true;
  /** When the offset gets here, the next segment is prepared. */
  #prepareAt: number;
  #next: NextSegment | undefined;
  #lastIndex: number;
  /** Written or not; for the head of the next segment. */
  #state: HardState | undefined;
  #stateIsBuffered = false;
  /** Segments up to the one that holds this index are no longer needed. */
  #releasedIndex = 0;
  #snapshots: { snapshot: SnapshotRecord; done: Done }[] = [];
  #snapshotsDone: Done[] = [];
  #isAppending = false;
  #isWriting = false;
  #isPurging = false;
  #isClosed = false;
  #areFilesClosed = false;
  #waiting: Group | undefined;
  #done: Done | undefined;
  #writeBeganMs = 0;
  #failure: Error | undefined;

  /** Makes a new log with `metadata` in it. What was in `directory` is removed. */
  static create(options: WalOptions, metadata: Uint8Array): Wal {
    const { disk, directory } = options;
    const temporary = `${directory}.tmp`;
    disk.remove(temporary);
    disk.makeDirectory(temporary);
    const encoder = new RecordEncoder(0);
    encoder.addCrc();
    encoder.addMetadata(metadata);
    encoder.addSnapshot({ index: 0, term: 0 });
    const file = disk.open(`${temporary}/${segmentName(0, 0)}`, { mode: "create" });
    try {
      // Sparse: 64 MB of zeros would delay the start, and a log that stays short needs none.
      file.truncate(options.segmentBytes ?? SEGMENT_BYTES);
      file.writeNow(encoder.view(), 0);
      file.syncNow();
    } finally {
      file.close();
    }
    disk.syncDirectory(temporary);
    disk.remove(directory);
    disk.rename(temporary, directory);
    disk.syncDirectory(dirname(directory));
    return Wal.open(options, NO_SNAPSHOT).wal;
  }

  /**
   * Opens the log for appending, after what it contains behind the snapshot `from`. The end of a
   * write that a crash cut short is removed.
   * @throws WalError when the log is damaged or in use.
   */
  static open(options: WalOptions, from: WalSnapshot): { wal: Wal; contents: WalContents } {
    const { disk, directory, log } = options;
    const lock = disk.open(directory, { mode: "read" });
    try {
      if (!lock.tryLock("exclusive")) {
        throw new WalError(directory, undefined, "another process uses it", "stop that one first");
      }
      // A process that was killed may have renamed files without syncing: what we go on from must
      // not vanish any more.
      disk.syncDirectory(directory);
      disk.syncDirectory(dirname(directory));
      const { contents, tail } = readLog(disk, directory, from);
      if (tail.torn) repairTail(disk, log, directory, tail);
      for (const name of disk.list(directory)) {
        if (name.endsWith(".tmp")) disk.remove(`${directory}/${name}`);
      }
      return { wal: new Wal(options, lock, contents, tail), contents };
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  private constructor(options: WalOptions, lock: File, contents: WalContents, tail: WalTail) {
    this.#disk = options.disk;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#directory = options.directory;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#durable = options.durable ?? true;
    this.#metadata = contents.metadata;
    this.#encoder = new RecordEncoder(tail.crc);
    this.#lock = lock;
    this.#segments = listSegments(options.disk, options.directory);
    this.#offset = tail.offset;
    this.#prepareAt = Math.min(this.#segmentBytes * PREPARE_AT, tail.offset + SPARSE_BYTES);
    this.#state = contents.hardState;
    this.#lastIndex = Math.max(
      contents.entries.at(-1)?.index ?? 0,
      contents.snapshots.at(-1)?.index ?? 0,
      tail.segment.firstIndex - 1,
    );
    this.#file = this.#openTail(tail);
  }

  /** When the write under way began, or the last one. */
  get writeBeganMs(): number {
    return this.#writeBeganMs;
  }

  /** Index of the last entry or snapshot that was given to the log. */
  get lastIndex(): number {
    return this.#lastIndex;
  }

  /**
   * Makes entries and hard state durable, then calls `done`. Only one may be under way. Without
   * entries and without `mustSync` the state is kept for the next write and `done` called at once.
   */
  append(
    entries: readonly WalEntry[],
    hardState: HardState | undefined,
    mustSync: boolean,
    done: Done,
  ): void {
    assert(!this.#isAppending && !this.#isClosed, "one append at a time, and none at the end");
    if (this.#failure !== undefined) {
      done(this.#failure);
      return;
    }
    if (entries.length === 0 && !mustSync) {
      if (hardState !== undefined) {
        this.#state = hardState;
        this.#stateIsBuffered = true;
      }
      done(null);
      return;
    }
    this.#isAppending = true;
    if (this.#isWriting) this.#waiting = { entries, hardState, done };
    else this.#write(entries, hardState, done);
  }

  /**
   * A snapshot from elsewhere replaces all that is in the log: it goes on behind it, in a segment
   * of its own, which appears whole or not at all. What this member had beyond the snapshot must
   * not be found again: it may differ from what was agreed.
   */
  startOver(base: SnapshotRecord, hardState: HardState, done: Done): void {
    assert(!this.#isAppending && !this.#isClosed, "one append at a time, and none at the end");
    assert(base.confState !== undefined, "a snapshot record has the configuration");
    if (this.#failure !== undefined) {
      done(this.#failure);
      return;
    }
    this.#isAppending = true;
    if (this.#isWriting) this.#waiting = { entries: [], hardState, done, base };
    else this.#startOver(base, hardState, done);
  }

  /** Records that the state at this index is kept elsewhere; always durable when done. */
  saveSnapshot(snapshot: SnapshotRecord, done: Done): void {
    const isComplete = snapshot.index === 0 || snapshot.confState !== undefined;
    assert(isComplete, "a snapshot record has the configuration");
    if (this.#isClosed) return;
    if (this.#failure !== undefined) {
      done(this.#failure);
      return;
    }
    this.#snapshots.push({ snapshot, done });
    if (!this.#isWriting) this.#write([], undefined, undefined);
  }

  /** Entries before `index` will not be asked for again. */
  release(index: number): void {
    this.#releasedIndex = Math.max(this.#releasedIndex, index);
  }

  /** Removes the oldest released segments while there are more than `segmentsMax`. */
  purge(segmentsMax: number): void {
    if (this.#isPurging || this.#segments.length <= Math.max(1, segmentsMax)) return;
    // The first segment is needed unless the second one begins before the index.
    if (this.#segments[1]!.firstIndex >= this.#releasedIndex) return;
    const path = `${this.#directory}/${this.#segments.shift()!.name}`;
    this.#isPurging = true;
    try {
      const file = this.#disk.open(path, { mode: "write" });
      this.#disk.remove(path);
      // One after the other: a gap in the sequence must not be what a crash leaves, and the space
      // of ten segments given back at once would hold up the writes of the log.
      this.#disk.syncDirectory(this.#directory, (error) => {
        if (error === null) this.#log.info("purged", { path });
        else this.#log.warn("failed to purge", { path, error });
        file.empty(() => {
          file.close();
          this.#isPurging = false;
          if (error === null) this.purge(segmentsMax);
        });
      });
    } catch (error) {
      this.#isPurging = false;
      this.#log.warn("failed to purge", { path, error });
    }
  }

  /**
   * Writes what is kept back, waiting for it. No append may be under way; a snapshot record that is
   * will still be written, and one that comes later is forgotten: the member has stopped.
   */
  close(): void {
    assert(!this.#isAppending, "close of a log while it is appended to");
    this.#isClosed = true;
    if (!this.#isWriting) this.#closeFiles();
  }

  #closeFiles(): void {
    this.#areFilesClosed = true;
    this.#next?.close();
    if (this.#stateIsBuffered && this.#failure === undefined) this.#writeLastState();
    this.#file.close();
    this.#lock.close();
  }

  /** A commit index that was not written in time is learned again: no reason to end badly. */
  #writeLastState(): void {
    this.#encoder.reset();
    this.#encoder.addState(this.#state!);
    this.#stateIsBuffered = false;
    try {
      this.#file.writeNow(this.#encoder.view(), this.#offset);
      this.#offset += this.#encoder.length;
      if (this.#durable) this.#file.syncNow();
    } catch (error) {
      this.#log.warn("failed to save the commit index at the end", { error });
    }
  }

  /** Ready for appending: nothing but zeros behind the last record, durably. */
  #openTail(tail: WalTail): File {
    const path = `${this.#directory}/${tail.segment.name}`;
    const file = this.#disk.open(path, { mode: "write", durable: this.#durable });
    file.truncate(tail.offset);
    file.truncate(Math.max(tail.offset, this.#segmentBytes));
    file.syncNow();
    return file;
  }

  #write(
    entries: readonly WalEntry[],
    hardState: HardState | undefined,
    done: Done | undefined,
  ): void {
    const encoder = this.#encoder;
    encoder.reset();
    if (this.#stateIsBuffered) {
      // A snapshot must not be found without the state that committed it.
      const isNeeded = hardState === undefined || this.#snapshots.length > 0;
      if (isNeeded) encoder.addState(this.#state!);
      this.#stateIsBuffered = false;
    }
    for (const { snapshot, done: snapshotDone } of this.#snapshots) {
      encoder.addSnapshot(snapshot);
      this.#snapshotsDone.push(snapshotDone);
      this.#lastIndex = Math.max(this.#lastIndex, snapshot.index);
    }
    this.#snapshots = [];
    for (let at = 0; at < entries.length; at++) encoder.addEntry(entries[at]!);
    if (entries.length > 0) this.#lastIndex = entries[entries.length - 1]!.index;
    if (hardState !== undefined) {
      encoder.addState(hardState);
      this.#state = hardState;
    }
    this.#done = done;
    this.#isWriting = true;
    this.#writeBeganMs = this.#clock.monotonicMs();
    this.#file.write(encoder.view(), this.#offset, this.#onWritten);
  }

  #startOver(base: SnapshotRecord, hardState: HardState, done: Done): void {
    this.#done = done;
    this.#isWriting = true;
    this.#writeBeganMs = this.#clock.monotonicMs();
    this.#state = hardState;
    this.#lastIndex = base.index;
    this.#cut(base);
  }

  readonly #onWritten = (error: Error | null): void => {
    const tookMs = this.#clock.monotonicMs() - this.#writeBeganMs;
    this.metrics.observeWrite(tookMs, this.#encoder.length);
    if (tookMs > SLOW_SYNC_MS) {
      this.#log.warn("slow fdatasync", { took: `${tookMs}ms`, "expected-duration": "1s" });
    }
    if (error !== null) {
      this.#finish(error);
      return;
    }
    this.#offset += this.#encoder.length;
    if (this.#offset >= this.#segmentBytes || (this.#isSparse && this.#next?.isFilled)) {
      this.#cut();
      return;
    }
    if (this.#next === undefined && this.#offset >= this.#prepareAt) {
      this.#next = this.#newSegment();
      this.#next.prepare();
    }
    this.#finish(null);
  };

  #finish(error: Error | null): void {
    this.#isWriting = false;
    if (error !== null) this.#failure = error;
    const done = this.#done;
    const snapshotsDone = this.#snapshotsDone;
    // `done` may begin the next write, whose snapshot records are not durable yet.
    this.#snapshotsDone = [];
    this.#done = undefined;
    if (done !== undefined) {
      this.#isAppending = false;
      done(error);
    }
    for (const snapshotDone of snapshotsDone) snapshotDone(error);
    // `done` may have begun the next write, or closed the log.
    if (this.#isWriting || this.#areFilesClosed) return;
    if (this.#failure !== undefined) this.#refuse(this.#failure);
    else this.#writeWaiting();
    if (this.#isClosed && !this.#isWriting) this.#closeFiles();
  }

  #writeWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting?.base !== undefined) {
      this.#startOver(waiting.base, waiting.hardState!, waiting.done);
    } else if (waiting !== undefined) this.#write(waiting.entries, waiting.hardState, waiting.done);
    else if (this.#snapshots.length > 0) this.#write([], undefined, undefined);
  }

  /** What waited for the write that failed fails with it. */
  #refuse(error: Error): void {
    const waiting = this.#waiting;
    const snapshots = this.#snapshots;
    this.#waiting = undefined;
    this.#snapshots = [];
    if (waiting !== undefined) {
      this.#isAppending = false;
      waiting.done(error);
    }
    for (const { done } of snapshots) done(error);
  }

  #newSegment(): NextSegment {
    const number = this.#segments.length % 2;
    return new NextSegment({
      disk: this.#disk,
      clock: this.#clock,
      log: this.#log,
      path: `${this.#directory}/${number}.tmp`,
      sizeBytes: this.#segmentBytes,
      durable: this.#durable,
    });
  }

  /** Goes on in the next file. What was written is durable already; only names and head are not. */
  #cut(base?: SnapshotRecord): void {
    const next = this.#next ?? this.#newSegment();
    this.#next = next;
    next.take((error, file) => {
      if (file === undefined) {
        this.#finish(error);
        return;
      }
      this.#next = undefined;
      const encoder = this.#encoder;
      encoder.reset();
      encoder.addCrc();
      encoder.addMetadata(this.#metadata);
      if (this.#state !== undefined) encoder.addState(this.#state);
      this.#stateIsBuffered = false;
      if (base !== undefined) encoder.addSnapshot(base);
      file.write(encoder.view(), 0, (writeError) => {
        if (writeError !== null) file.close();
        if (writeError !== null) {
          this.#finish(writeError);
          return;
        }
        // Who reads from the base on begins with this segment.
        this.#switchTo(file, next.path, base === undefined ? this.#lastIndex + 1 : base.index);
      });
    });
  }

  #switchTo(file: File, temporaryPath: string, firstIndex: number): void {
    const previous = this.#file;
    const sequence = this.#segments.at(-1)!.sequence + 1;
    const name = segmentName(sequence, firstIndex);
    this.#file = file;
    this.#isSparse = false;
    this.#prepareAt = this.#segmentBytes * PREPARE_AT;
    this.#segments.push({ name, sequence, firstIndex });
    if (previous.sizeBytes() > this.#offset) previous.truncate(this.#offset);
    this.#offset = this.#encoder.length;
    previous.close();
    try {
      this.#disk.rename(temporaryPath, `${this.#directory}/${name}`);
      this.#disk.syncDirectory(this.#directory, (error) => {
        if (error === null) this.#log.info("created a new WAL segment", { path: name });
        this.#finish(error);
      });
    } catch (error) {
      this.#finish(error as Error);
    }
  }
}
