// The operating system's files.
//
// Whatever waits for the device runs in libuv's pool and reports by callback; what only touches
// the page cache is synchronous, because a trip to the pool costs more than the call. A durable
// file is opened with O_DSYNC: a write followed by fdatasync would be two trips, and each trip
// costs a whole turn of the event loop when it is busy.
//
// Node has no flock(2). The `flock` program puts the lock on our open file description, which it
// inherits; the lock stays when it exits and goes with our descriptor, however this process ends.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { dirname } from "node:path";
import { assert } from "../base/assert.ts";
import { FileError } from "../base/file-error.ts";
import type { Disk, Done, File, OpenOptions } from "./io.ts";

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_DSYNC } = fs.constants;
const PERMISSIONS_FILE = 0o600;
const PERMISSIONS_DIRECTORY = 0o700;
/** Of a file that is emptied; each holds up the file system's journal for some milliseconds. */
const EMPTY_STEP_BYTES = 4 << 20;
/** The descriptor under which the `flock` program sees the file. */
const LOCK_DESCRIPTOR = 3;
/** The exit status by which it says that somebody else holds the lock. */
const LOCK_HELD_STATUS = 1;

export class NodeDisk implements Disk {
  open(path: string, options: OpenOptions): File {
    const access = options.mode === "read" ? O_RDONLY : O_RDWR;
    const creation = options.mode === "create" ? O_CREAT | O_EXCL : 0;
    const durability = options.durable === true ? O_DSYNC : 0;
    const flags = access | creation | durability;
    const permissions = options.permissions ?? PERMISSIONS_FILE;
    return attempt("open", path, () => new NodeFile(path, fs.openSync(path, flags, permissions)));
  }

  exists(path: string): boolean {
    return fs.existsSync(path);
  }

  isDirectory(path: string): boolean {
    try {
      return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
    } catch {
      // Node 20 throws when a parent is a file.
      return false;
    }
  }

  list(directory: string): string[] {
    return attempt("open", directory, () => fs.readdirSync(directory).sort());
  }

  makeDirectory(path: string): void {
    // Not with Node's `recursive`: that reports a read-only file system as "no such directory".
    const parent = dirname(path);
    if (parent !== path && !fs.existsSync(parent)) this.makeDirectory(parent);
    if (this.isDirectory(path)) return;
    attempt("mkdir", path, () => fs.mkdirSync(path, PERMISSIONS_DIRECTORY));
  }

  rename(from: string, to: string): void {
    attempt("rename", `${from} ${to}`, () => fs.renameSync(from, to));
  }

  link(from: string, to: string): void {
    attempt("link", `${from} ${to}`, () => fs.linkSync(from, to));
  }

  remove(path: string): void {
    attempt("remove", path, () => fs.rmSync(path, { recursive: true, force: true }));
  }

  syncDirectory(directory: string, done?: Done): void {
    const descriptor = attempt("open", directory, () => fs.openSync(directory, O_RDONLY));
    if (done !== undefined) {
      fs.fsync(descriptor, (error) => {
        fs.closeSync(descriptor);
        done(named("sync", directory, error));
      });
      return;
    }
    try {
      attempt("sync", directory, () => fs.fsyncSync(descriptor));
    } finally {
      fs.closeSync(descriptor);
    }
  }
}

/** @throws FileError instead of Node's */
function attempt<T>(operation: string, path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw new FileError(operation, path, error);
  }
}

function named(operation: string, path: string, error: Error | null): Error | null {
  return error === null ? null : new FileError(operation, path, error);
}

class NodeFile implements File {
  readonly path: string;
  readonly #descriptor: number;
  #inFlight = 0;
  #open = true;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  sizeBytes(): number {
    return attempt("stat", this.path, () => fs.fstatSync(this.#descriptor).size);
  }

  read(target: Uint8Array, position: number): number {
    let filled = 0;
    try {
      while (filled < target.length) {
        const rest = target.length - filled;
        const count = fs.readSync(this.#descriptor, target, filled, rest, position + filled);
        if (count === 0) break;
        filled += count;
      }
    } catch (error) {
      throw new FileError("read", this.path, error);
    }
    return filled;
  }

  writeNow(bytes: Uint8Array, position: number): void {
    let written = 0;
    try {
      while (written < bytes.length) {
        const rest = bytes.length - written;
        written += fs.writeSync(this.#descriptor, bytes, written, rest, position + written);
      }
    } catch (error) {
      throw new FileError("write", this.path, error);
    }
  }

  write(bytes: Uint8Array, position: number, done: Done): void {
    assert(this.#open, "write to a closed file");
    this.#inFlight++;
    this.#writeFrom(bytes, 0, position, done);
  }

  sync(done: Done): void {
    assert(this.#open, "sync of a closed file");
    this.#inFlight++;
    fs.fdatasync(this.#descriptor, (error) => {
      this.#inFlight--;
      done(named("sync", this.path, error));
    });
  }

  syncNow(): void {
    attempt("sync", this.path, () => fs.fdatasyncSync(this.#descriptor));
  }

  truncate(sizeBytes: number): void {
    attempt("truncate", this.path, () => fs.ftruncateSync(this.#descriptor, sizeBytes));
  }

  empty(done: Done): void {
    this.#inFlight++;
    let leftBytes = this.sizeBytes();
    const step = (): void => {
      const beganMs = performance.now();
      leftBytes = Math.max(0, leftBytes - EMPTY_STEP_BYTES);
      fs.ftruncate(this.#descriptor, leftBytes, (error) => {
        if (error === null && leftBytes > 0) {
          // Half of the time is the others'.
          setTimeout(step, performance.now() - beganMs);
          return;
        }
        this.#inFlight--;
        done(named("truncate", this.path, error));
      });
    };
    step();
  }

  tryLock(kind: "exclusive" | "shared"): boolean {
    const option = kind === "exclusive" ? "-xn" : "-sn";
    const result = spawnSync("flock", [option, String(LOCK_DESCRIPTOR)], {
      stdio: ["ignore", "ignore", "pipe", this.#descriptor],
    });
    if (result.error !== undefined) throw lockProgramError(this.path, result.error);
    if (result.status === 0) return true;
    if (result.status === LOCK_HELD_STATUS) return false;
    const reason = result.stderr.toString().trim() || `exit status ${result.status}`;
    throw new Error(`cannot lock ${this.path}: flock: ${reason}`);
  }

  close(): void {
    // The pool would go on with the number of the descriptor, which may by then be another file.
    assert(this.#inFlight === 0, "close of a file with writes or syncs under way");
    if (!this.#open) return;
    this.#open = false;
    fs.closeSync(this.#descriptor);
  }

  #writeFrom(bytes: Uint8Array, from: number, position: number, done: Done): void {
    const rest = bytes.length - from;
    fs.write(this.#descriptor, bytes, from, rest, position + from, (error, written) => {
      if (error === null && written < rest) {
        this.#writeFrom(bytes, from + written, position, done);
        return;
      }
      this.#inFlight--;
      done(named("write", this.path, error));
    });
  }
}

function lockProgramError(path: string, cause: Error): Error {
  if ((cause as NodeJS.ErrnoException).code !== "ENOENT") {
    return new Error(`cannot lock ${path}: flock: ${cause.message}`);
  }
  const remedy = "install it (package util-linux) or add its folder to PATH";
  return new Error(`cannot lock ${path}: the program "flock" was not found; ${remedy}`);
}
