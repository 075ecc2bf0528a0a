// The database of a leader arrives: piece by piece into a file whose name says that it is not
// complete, then durable under the name that belongs to its index, and only then raft hears of it.
// What is in the way of that (a full disk, a broken connection, a file that is no database) refuses
// the transfer; the leader tries again.
//
//   write … write ─► tmp-<index>.snap.db ─► sync ─► <index>.snap.db ─► directory synced ─► raft
//
// It is synced as it comes, a few megabytes at a time: a gigabyte at once would keep the disk from
// everybody else who writes to it.

import { assert } from "../base/assert.ts";
import type { Logger } from "../base/log.ts";
import type { Clock, Disk, Done, File } from "../io/io.ts";
import type { SnapshotSink } from "../io/network.ts";
import type { DataDir } from "../storage/data-dir.ts";
import { appliedIndexOf } from "../storage/store-contents.ts";
import type { Message } from "../wire/messages/raft.ts";
import type { ServerMetrics } from "./server-metrics.ts";

/** Tens of milliseconds of a disk. The next piece is asked for when they are durable. */
const SYNC_EVERY_BYTES = 4 * 1024 * 1024;

export interface SnapshotReceiverParts {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Logger;
  readonly metrics: ServerMetrics;
  readonly dataDir: DataDir;
  /** Gives the message to raft. */
  readonly step: (message: Message) => void;
}

export class SnapshotReceiver {
  readonly #parts: SnapshotReceiverParts;
  #count = 0;
  #isStopped = false;

  constructor(parts: SnapshotReceiverParts) {
    this.#parts = parts;
  }

  receive(message: Message): SnapshotSink {
    const index = message.snapshot?.metadata?.index ?? 0;
    if (index === 0) return new RefusingSink(new Error("the snapshot says nothing of its index"));
    try {
      return new FileSink(this.#parts, message, index, this.#count++, () => this.#isStopped);
    } catch (error) {
      return new RefusingSink(error as Error);
    }
  }

  /** What is under way is not given to raft any more. */
  stop(): void {
    this.#isStopped = true;
  }
}

/** Nothing of it is wanted. */
export class RefusingSink implements SnapshotSink {
  readonly #reason: Error;

  constructor(reason: Error) {
    this.#reason = reason;
  }

  write(_: Uint8Array, done: Done): void {
    done(this.#reason);
  }

  end(done: Done): void {
    done(this.#reason);
  }

  abort(): void {}
}

class FileSink implements SnapshotSink {
  readonly #parts: SnapshotReceiverParts;
  readonly #message: Message;
  readonly #index: number;
  readonly #isStopped: () => boolean;
  readonly #path: string;
  readonly #file: File;
  readonly #beganMs: number;
  #sizeBytes = 0;
  #syncedBytes = 0;
  #isWriting = false;
  #isOver = false;

  constructor(
    parts: SnapshotReceiverParts,
    message: Message,
    index: number,
    number: number,
    isStopped: () => boolean,
  ) {
    this.#parts = parts;
    this.#message = message;
    this.#index = index;
    this.#isStopped = isStopped;
    const { disk, dataDir, clock } = parts;
    this.#beganMs = clock.monotonicMs();
    this.#path = `${dataDir.snapDirectory}/tmp-${index}-${number}.snap.db`;
    disk.remove(this.#path);
    this.#file = disk.open(this.#path, { mode: "create" });
  }

  write(bytes: Uint8Array, done: Done): void {
    assert(!this.#isWriting, "the next piece comes after the one before is written");
    if (this.#isOver) {
      done(new Error("the transfer is over"));
      return;
    }
    this.#isWriting = true;
    const written = (error: Error | null): void => {
      this.#isWriting = false;
      if (this.#isOver) this.#discard();
      else if (error !== null) this.abort(error);
      done(error);
    };
    this.#file.write(bytes, this.#sizeBytes, (error) => {
      if (error === null) this.#sizeBytes += bytes.length;
      if (error === null && this.#sizeBytes - this.#syncedBytes >= SYNC_EVERY_BYTES) {
        this.#syncedBytes = this.#sizeBytes;
        this.#file.sync(written);
      } else written(error);
    });
  }

  end(done: Done): void {
    if (this.#isOver) {
      done(new Error("the transfer is over"));
      return;
    }
    this.#isOver = true;
    const refuse = (error: Error): void => {
      this.#parts.log.warn("failed to save incoming database snapshot", { error });
      this.#discard();
      done(error);
    };
    const { clock, metrics } = this.#parts;
    const syncBeganMs = clock.monotonicMs();
    this.#file.sync((error) => {
      const nowMs = clock.monotonicMs();
      metrics.snapDbFsyncSeconds.observe((nowMs - syncBeganMs) / 1000);
      metrics.snapDbSaveSeconds.observe((nowMs - this.#beganMs) / 1000);
      if (error !== null) refuse(error);
      else this.#putInPlace(done, refuse);
    });
  }

  abort(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#parts.log.warn("failed to receive a database snapshot", { path: this.#path, error });
    if (!this.#isWriting) this.#discard();
  }

  #putInPlace(done: Done, refuse: (error: Error) => void): void {
    const { disk, dataDir, log } = this.#parts;
    const path = dataDir.receivedDatabasePath(this.#index);
    this.#file.close();
    try {
      // Better now than when it has replaced what this member had.
      const applied = appliedIndexOf({ disk, path: this.#path, freelistType: "map" });
      if (applied < this.#index) {
        throw new Error(`the database of snapshot ${this.#index} ends with entry ${applied}`);
      }
      disk.rename(this.#path, path);
      disk.syncDirectory(dataDir.snapDirectory, (error) => {
        if (error !== null) refuse(error);
        else if (this.#isStopped()) done(new Error("the member is stopping"));
        else {
          log.info("saved database snapshot to disk", { path, bytes: this.#sizeBytes });
          this.#parts.step(this.#message);
          done(null);
        }
      });
    } catch (error) {
      refuse(error as Error);
    }
  }

  #discard(): void {
    try {
      this.#file.close();
    } catch {
      // It was closed before.
    }
    try {
      this.#parts.disk.remove(this.#path);
    } catch {
      // Its name begins with tmp: it goes at the next start.
    }
  }
}
