// Backups that a member makes by itself: the database as it is, with its SHA-256 behind it, as
// `etcdctl snapshot save` writes it. A backup gets its name only after a trial restore, so that
// every file with such a name is one that can be restored.
//
//   due ─► directory is ours? ─► image ─► …db.part ─► synced ─► trial restore ─► …db ─► old ones go
//               │                            │                      │
//               └──────── failed: the part goes, it is told and counted, tried again later
//
//   <cluster>-<member>-<UTC>-r<revision>.db          several members may share a directory, not
//   quorate-cluster                                  several clusters: this file says whose it is

import { createHash } from "node:crypto";
import { humanSize } from "../../base/human-size.ts";
import type { Logger } from "../../base/log.ts";
import { Counter, Family } from "../../base/metrics.ts";
import type { Clock, Disk, File, Timer } from "../../io/io.ts";
import type { Backend } from "../../storage/backend.ts";
import type { BackendSnapshot } from "../../storage/backend-snapshot.ts";
import { backupName, unixMsOf } from "./backup-name.ts";

export interface BackupOptions {
  readonly directory: string;
  readonly intervalMs: number;
  /** So many of this member's stay. */
  readonly keepCount: number;
}

export type TryRestore = (path: string, done: (failure: string | null) => void) => void;

export interface BackupParts {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Logger;
  readonly backend: Backend;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly revision: () => number;
  readonly options: BackupOptions;
  /** Restores the file somewhere and looks at the result. */
  readonly tryRestore: TryRestore;
}

const MARKER = "quorate-cluster";
const PIECE_BYTES = 1 << 20;
/** After a failure; sooner if backups are made more often. */
const RETRY_MS = 10 * 60_000;

export class Backups {
  readonly results: Family<Counter> = new Family(["result"], () => new Counter());
  /** Of the newest good one; undefined when there is none. */
  lastGoodUnixMs: number | undefined;
  lastGoodBytes = 0;
  readonly #parts: BackupParts;
  readonly #prefix: string;
  #timer: Timer | undefined;
  #isRunning = false;
  #isStopped = false;

  constructor(parts: BackupParts) {
    this.#parts = parts;
    this.#prefix = `${parts.clusterId.toString(16)}-${parts.memberId.toString(16)}-`;
  }

  /** The first is made at once, unless there is one that is young enough. */
  start(): void {
    const { clock, options } = this.#parts;
    const newest = this.#own().at(-1);
    this.lastGoodUnixMs = newest === undefined ? undefined : unixMsOf(newest, this.#prefix);
    const ageMs = clock.wallMs() - (this.lastGoodUnixMs ?? Number.NEGATIVE_INFINITY);
    this.#schedule(Math.max(0, options.intervalMs - ageMs));
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Seconds since the newest good one was made, NaN for none. */
  get ageSeconds(): number {
    if (this.lastGoodUnixMs === undefined) return Number.NaN;
    return Math.max(0, (this.#parts.clock.wallMs() - this.lastGoodUnixMs) / 1000);
  }

  /** One now; `done` is told why there is none. */
  run(done: (failure: string | null) => void): void {
    if (this.#isRunning) {
      done("another backup is under way");
      return;
    }
    this.#isRunning = true;
    const beganMs = this.#parts.clock.monotonicMs();
    const revision = this.#parts.revision();
    const unixMs = this.#parts.clock.wallMs();
    const name = backupName(this.#prefix, unixMs, revision);
    this.#make(name, (failure, sizeBytes) => {
      this.#isRunning = false;
      const tookMs = this.#parts.clock.monotonicMs() - beganMs;
      this.#end(name, failure, { unixMs, sizeBytes, tookMs });
      done(failure);
    });
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return;
    const { clock, options } = this.#parts;
    this.#timer = clock.after(delayMs, () => {
      this.run((failure) => {
        const { intervalMs } = options;
        this.#schedule(failure === null ? intervalMs : Math.min(RETRY_MS, intervalMs));
      });
    });
  }

  #end(
    name: string,
    failure: string | null,
    about: { unixMs: number; sizeBytes: number; tookMs: number },
  ): void {
    const { log, options } = this.#parts;
    const path = `${options.directory}/${name}`;
    const took = `${Math.round(about.tookMs)}ms`;
    this.results.with(failure === null ? "good" : "failed").add();
    if (failure !== null) {
      log.error("backup failed", { path, error: failure, took });
      return;
    }
    this.lastGoodUnixMs = about.unixMs;
    this.lastGoodBytes = about.sizeBytes;
    log.info("backup saved and restored on trial", {
      path,
      size: humanSize(about.sizeBytes),
      took,
    });
    this.#removeOld();
  }

  #make(name: string, done: (failure: string | null, sizeBytes: number) => void): void {
    const { disk, backend, options, tryRestore } = this.#parts;
    const path = `${options.directory}/${name}`;
    const part = `${path}.part`;
    const fail = (reason: string): void => {
      attempt(() => disk.remove(part));
      done(reason, 0);
    };
    const problem = attempt(() => this.#prepare());
    if (problem !== null) {
      fail(problem);
      return;
    }
    backend.snapshot((image) => {
      writeImage(disk, image, part, (failure, sizeBytes) => {
        if (failure !== null) {
          fail(failure);
          return;
        }
        tryRestore(part, (bad) => {
          const reason = bad ?? attempt(() => this.#publish(part, path));
          if (reason === null) done(null, sizeBytes);
          else fail(bad === null ? reason : `the trial restore failed: ${bad}`);
        });
      });
    });
  }

  #publish(part: string, path: string): void {
    const { disk, options } = this.#parts;
    disk.rename(part, path);
    disk.syncDirectory(options.directory);
  }

  /** @throws Error when the directory is another cluster's, or cannot be written */
  #prepare(): void {
    const { disk, options, clusterId } = this.#parts;
    const { directory } = options;
    if (!disk.exists(directory)) disk.makeDirectory(directory);
    const marker = `${directory}/${MARKER}`;
    const own = `${clusterId.toString(16)}\n`;
    if (!disk.exists(marker)) {
      writeSmall(disk, marker, own);
      disk.syncDirectory(directory);
    }
    const found = readSmall(disk, marker);
    if (found !== own) {
      throw new Error(
        `the backup directory ${directory} is that of cluster ${found.trim() || "(unreadable)"}, ` +
          "this is another: give each cluster its own --backup-dir",
      );
    }
    // What a crash left of one that was not finished.
    for (const name of disk.list(directory)) {
      if (name.startsWith(this.#prefix) && !name.endsWith(".db")) {
        disk.remove(`${directory}/${name}`);
      }
    }
  }

  /** Names of this member's backups, oldest first. */
  #own(): string[] {
    const { disk, options } = this.#parts;
    if (!disk.exists(options.directory)) return [];
    return disk
      .list(options.directory)
      .filter((name) => name.startsWith(this.#prefix) && name.endsWith(".db"));
  }

  #removeOld(): void {
    const { disk, log, options } = this.#parts;
    for (const name of this.#own().slice(0, -options.keepCount)) {
      const path = `${options.directory}/${name}`;
      const failure = attempt(() => disk.remove(path));
      if (failure !== null) log.warn("cannot remove an old backup", { path, error: failure });
    }
  }
}

/** Writes the image and its hash, synced; the file is left for the caller to name or remove. */
function writeImage(
  disk: Disk,
  image: BackendSnapshot,
  path: string,
  done: (failure: string | null, sizeBytes: number) => void,
): void {
  let file: File | undefined;
  const end = (failure: string | null, sizeBytes = 0): void => {
    image.close();
    file?.close();
    done(failure, sizeBytes);
  };
  const problem = attempt(() => {
    file = disk.open(path, { mode: "create" });
  });
  if (problem !== null || file === undefined) {
    end(problem);
    return;
  }
  const target = file;
  const hash = createHash("sha256");
  const next = (at: number): void => {
    const isImage = at < image.sizeBytes;
    const piece = isImage
      ? new Uint8Array(Math.min(PIECE_BYTES, image.sizeBytes - at))
      : Uint8Array.from(hash.digest());
    if (isImage) {
      image.read(at, piece);
      hash.update(piece);
    }
    target.write(piece, at, (error) => {
      if (error !== null) end(error.message);
      else if (isImage) next(at + piece.length);
      else target.sync((failed) => end(failed?.message ?? null, at + piece.length));
    });
  };
  next(0);
}

function writeSmall(disk: Disk, path: string, text: string): void {
  const file = disk.open(path, { mode: "create" });
  try {
    file.writeNow(Buffer.from(text), 0);
    file.syncNow();
  } finally {
    file.close();
  }
}

function readSmall(disk: Disk, path: string): string {
  const file = disk.open(path, { mode: "read" });
  try {
    const bytes = new Uint8Array(Math.min(256, file.sizeBytes()));
    file.read(bytes, 0);
    return Buffer.from(bytes).toString();
  } finally {
    file.close();
  }
}

function attempt(task: () => void): string | null {
  try {
    task();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** As 20261121T151147Z: sorts by time. */
