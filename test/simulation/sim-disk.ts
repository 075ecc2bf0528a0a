// A disk that loses what disks lose. Reads and changes of names take no virtual time; writes and
// syncs end after a drawn delay, in any order. At a crash every write whose sync has not finished
// is kept, lost, torn at a sector or half garbage, each for itself, and every creation, rename or
// removal not covered by `syncDirectory` has happened or has not. Any call can be made to fail.

import { assert } from "../../src/base/assert.ts";
import type { Clock, Disk, Done, File, OpenOptions } from "../../src/io/io.ts";
import type { SimRandom } from "./sim-random.ts";
import {
  type Change,
  type Fate,
  SECTOR_BYTES,
  SimDirectoryNode,
  SimFileNode,
  type SimNode,
} from "./sim-tree.ts";

export type Operation =
  | "open"
  | "list"
  | "makeDirectory"
  | "rename"
  | "remove"
  | "link"
  | "syncDirectory"
  | "read"
  | "write"
  | "sync"
  | "truncate";

export type FaultCode = "EIO" | "ENOSPC" | "EROFS" | "EACCES";

const FAULT_TEXT: Record<FaultCode | "ENOENT" | "EEXIST" | "ENOTDIR" | "EISDIR", string> = {
  EIO: "i/o error",
  ENOSPC: "no space left on device",
  EROFS: "read-only file system",
  EACCES: "permission denied",
  ENOENT: "no such file or directory",
  EEXIST: "file already exists",
  ENOTDIR: "not a directory",
  EISDIR: "illegal operation on a directory",
};

export const FATES: readonly Fate[] = ["kept", "lost", "torn", "garbled"];

export interface SimDiskOptions {
  readonly clock: Clock;
  readonly random: SimRandom;
  /** What may become of a write that was at risk. */
  readonly fates?: readonly Fate[];
  /** How long an asynchronous write or sync takes: [low, high). */
  readonly writeMs?: readonly [number, number];
  readonly syncMs?: readonly [number, number];
}

/** What every call throws after `dieAt`: the process has lost its power. */
export class PowerLoss extends Error {
  override name = "PowerLoss";
}

interface Fault {
  readonly operation: Operation | "any";
  readonly code: FaultCode;
  remaining: number;
}

export class SimDisk implements Disk {
  clock: Clock;
  readonly random: SimRandom;
  fates: readonly Fate[];
  writeMs: readonly [number, number];
  syncMs: readonly [number, number];
  /** Calls made so far, of each kind and altogether. */
  readonly calls: Record<Operation | "any", number> = newCounts();
  #root = new SimDirectoryNode();
  #faults: Fault[] = [];
  #callsUntilDeath = Infinity;
  /** Asynchronous writes and syncs that have begun and not ended: what a crash now may tear. */
  underWay = 0;
  /** Raised by a crash: what was open or under way before belongs to a dead process. */
  epoch = 0;

  constructor(options: SimDiskOptions) {
    this.clock = options.clock;
    this.random = options.random;
    this.fates = options.fates ?? FATES;
    this.writeMs = options.writeMs ?? [0.01, 0.1];
    this.syncMs = options.syncMs ?? [0.05, 0.5];
  }

  /** The n-th call from now (1 is the next) of this kind fails, once. */
  failAt(operation: Operation | "any", n: number, code: FaultCode): void {
    this.#faults.push({ operation, code, remaining: n });
  }

  clearFaults(): void {
    this.#faults = [];
    this.#callsUntilDeath = Infinity;
  }

  /** From the n-th call on nothing happens any more; the test then calls `crash`. */
  dieAt(n: number): void {
    this.#callsUntilDeath = n - 1;
  }

  get dead(): boolean {
    return this.#callsUntilDeath < 0;
  }

  /** Open files, locks and work under way are gone; what was at risk meets its fate. */
  crash(): void {
    this.#root = this.#root.afterCrash(this.random, this.fates);
    this.epoch++;
    this.underWay = 0;
    this.clearFaults();
  }

  /** The process dies, the system lives on: written means kept; open files and locks are gone. */
  kill(): void {
    this.#root.abandon(this.random);
    this.epoch++;
    this.underWay = 0;
    this.clearFaults();
  }

  /** One of the disks that a crash now could leave; this one goes on undisturbed. */
  crashedCopy(clock: Clock, random: SimRandom): SimDisk {
    const { fates, writeMs, syncMs } = this;
    const copy = new SimDisk({ clock, random, fates, writeMs, syncMs });
    copy.#root = this.#root.afterCrash(random, fates);
    return copy;
  }

  flipBit(path: string, bit: number): void {
    this.#fileNode(path, "open").flipBit(bit);
  }

  open(path: string, options: OpenOptions): File {
    this.count("open", path);
    const [parent, name] = this.#parentOf(path, "open");
    let node = name === "" ? parent : parent.entries.get(name);
    if (options.mode === "create") {
      if (node !== undefined) throw diskError("EEXIST", "open", path);
      node = new SimFileNode();
      parent.set(name, node);
    } else if (node === undefined) {
      throw diskError("ENOENT", "open", path);
    }
    if (node.kind === "directory" && options.mode !== "read") {
      throw diskError("EISDIR", "open", path);
    }
    return new SimFile(this, path, node, options);
  }

  exists(path: string): boolean {
    return this.#find(path) !== undefined;
  }

  isDirectory(path: string): boolean {
    return this.#find(path)?.kind === "directory";
  }

  list(directory: string): string[] {
    this.count("list", directory);
    return [...this.#directoryNode(directory, "scandir").entries.keys()].sort();
  }

  makeDirectory(path: string): void {
    this.count("makeDirectory", path);
    let directory = this.#root;
    for (const name of partsOf(path)) {
      let next = directory.entries.get(name);
      if (next === undefined) {
        next = new SimDirectoryNode();
        directory.set(name, next);
      }
      if (next.kind !== "directory") throw diskError("EEXIST", "mkdir", path);
      directory = next;
    }
  }

  rename(from: string, to: string): void {
    this.count("rename", from);
    const [fromParent, fromName] = this.#parentOf(from, "rename");
    const [toParent, toName] = this.#parentOf(to, "rename");
    const node = fromParent.entries.get(fromName);
    if (node === undefined) throw diskError("ENOENT", "rename", from);
    const replaced = toParent.entries.get(toName);
    if (replaced?.kind === "directory" && replaced.entries.size > 0) {
      throw diskError("EEXIST", "rename", to);
    }
    if (replaced === node) return;
    const change = {};
    toParent.set(toName, node, change);
    fromParent.set(fromName, undefined, change);
  }

  link(from: string, to: string): void {
    this.count("link", from);
    const node = this.#fileNode(from, "link");
    const [parent, name] = this.#parentOf(to, "link");
    if (parent.entries.has(name)) throw diskError("EEXIST", "link", to);
    parent.set(name, node);
  }

  remove(path: string): void {
    this.count("remove", path);
    const node = this.#find(path);
    if (node === undefined) return;
    if (node.kind === "directory") {
      for (const name of [...node.entries.keys()]) this.remove(`${path}/${name}`);
    }
    const [parent, name] = this.#parentOf(path, "rm");
    parent.set(name, undefined);
  }

  syncDirectory(directory: string, done?: Done): void {
    const node = this.#directoryNode(directory, "fsync");
    if (done === undefined) {
      this.count("syncDirectory", directory);
      node.settle(node.unsynced());
      return;
    }
    const error = this.countQuietly("syncDirectory", directory);
    const covered = node.unsynced();
    const epoch = this.epoch;
    this.clock.after(this.random.between(...this.syncMs), () => {
      if (epoch !== this.epoch || this.dead) return;
      if (error === null) node.settle(covered);
      done(error);
    });
  }

  /** @throws what was planned for this call. */
  count(operation: Operation, path: string): void {
    const error = this.countQuietly(operation, path);
    if (error !== null) throw error;
  }

  countQuietly(operation: Operation, path: string): Error | null {
    if (this.#callsUntilDeath-- <= 0) {
      this.#callsUntilDeath = -1;
      throw new PowerLoss(`power lost at ${operation} of ${path}`);
    }
    this.calls[operation]++;
    this.calls.any++;
    let failed: Fault | undefined;
    for (const fault of this.#faults) {
      if (fault.operation !== "any" && fault.operation !== operation) continue;
      if (--fault.remaining === 0) failed = fault;
    }
    if (failed === undefined) return null;
    this.#faults = this.#faults.filter((fault) => fault.remaining > 0);
    return diskError(failed.code, operation, path);
  }

  #find(path: string): SimNode | undefined {
    let node: SimNode | undefined = this.#root;
    for (const name of partsOf(path)) {
      if (node?.kind !== "directory") return undefined;
      node = node.entries.get(name);
    }
    return node;
  }

  #parentOf(path: string, call: string): [SimDirectoryNode, string] {
    const parts = partsOf(path);
    const name = parts.pop() ?? "";
    return [this.#directoryNode(`/${parts.join("/")}`, call), name];
  }

  #directoryNode(path: string, call: string): SimDirectoryNode {
    const node = this.#find(path);
    if (node === undefined) throw diskError("ENOENT", call, path);
    if (node.kind !== "directory") throw diskError("ENOTDIR", call, path);
    return node;
  }

  #fileNode(path: string, call: string): SimFileNode {
    const node = this.#find(path);
    if (node === undefined) throw diskError("ENOENT", call, path);
    if (node.kind !== "file") throw diskError("EISDIR", call, path);
    return node;
  }
}

class SimFile implements File {
  readonly path: string;
  readonly #disk: SimDisk;
  readonly #node: SimNode;
  readonly #options: OpenOptions;
  readonly #epoch: number;
  #open = true;
  #inFlight = 0;

  constructor(disk: SimDisk, path: string, node: SimNode, options: OpenOptions) {
    this.path = path;
    this.#disk = disk;
    this.#node = node;
    this.#options = options;
    this.#epoch = disk.epoch;
  }

  sizeBytes(): number {
    return this.#file("fstat").visible.sizeBytes;
  }

  read(target: Uint8Array, position: number): number {
    this.#disk.count("read", this.path);
    return this.#file("read").visible.read(target, position);
  }

  writeNow(bytes: Uint8Array, position: number): void {
    const node = this.#writable();
    const error = this.#disk.countQuietly("write", this.path);
    const change = newChange(position, error === null ? bytes : this.#partOf(bytes, position));
    node.apply(change);
    if (error !== null) throw error;
    if (this.#options.durable === true) node.settle([change], null);
  }

  write(bytes: Uint8Array, position: number, done: Done): void {
    const node = this.#writable();
    const error = this.#disk.countQuietly("write", this.path);
    const change = newChange(position, error === null ? bytes : this.#partOf(bytes, position));
    for (const other of node.inFlight) {
      const apart =
        other.position + other.bytes!.length <= position ||
        position + bytes.length <= other.position;
      assert(apart, `two writes under way overlap in ${this.path}`);
    }
    node.inFlight.add(change);
    const durable = this.#options.durable === true;
    const extraMs = durable ? this.#drawMs(this.#disk.syncMs) : 0;
    this.#later(this.#drawMs(this.#disk.writeMs) + extraMs, () => {
      const unchanged = error !== null || equal(change.bytes!, bytes);
      assert(unchanged, `bytes changed while they were written to ${this.path}`);
      node.inFlight.delete(change);
      node.apply(change);
      if (durable && error === null) node.settle([change], null);
      done(error);
    });
  }

  sync(done: Done): void {
    const node = this.#writable();
    const error = this.#disk.countQuietly("sync", this.path);
    const covered = node.unsynced();
    this.#later(this.#drawMs(this.#disk.syncMs), () => {
      node.settle(covered, error);
      done(error);
    });
  }

  syncNow(): void {
    const node = this.#file("fdatasync");
    const error = this.#disk.countQuietly("sync", this.path);
    node.settle(node.unsynced(), error);
    if (error !== null) throw error;
  }

  truncate(sizeBytes: number): void {
    const node = this.#writable();
    this.#disk.count("truncate", this.path);
    node.apply({ position: sizeBytes, bytes: undefined, synced: false, orphaned: false });
  }

  empty(done: Done): void {
    const node = this.#writable();
    const error = this.#disk.countQuietly("truncate", this.path);
    this.#later(this.#drawMs(this.#disk.syncMs), () => {
      if (error === null) {
        node.apply({ position: 0, bytes: undefined, synced: false, orphaned: false });
      }
      done(error);
    });
  }

  tryLock(kind: "exclusive" | "shared"): boolean {
    this.#check();
    for (const [holder, held] of this.#node.locks) {
      if (holder !== this && (kind === "exclusive" || held === "exclusive")) return false;
    }
    this.#node.locks.set(this, kind);
    return true;
  }

  close(): void {
    if (this.#epoch !== this.#disk.epoch) return;
    assert(this.#inFlight === 0, "close of a file with writes or syncs under way");
    this.#open = false;
    this.#node.locks.delete(this);
  }

  #later(delayMs: number, finish: () => void): void {
    this.#inFlight++;
    this.#disk.underWay++;
    this.#disk.clock.after(delayMs, () => {
      if (this.#epoch !== this.#disk.epoch || this.#disk.dead) return;
      this.#inFlight--;
      this.#disk.underWay--;
      finish();
    });
  }

  #drawMs([low, high]: readonly [number, number]): number {
    return this.#disk.random.between(low, high);
  }

  /** How far a failing write came: to the end of a sector of the file, or nowhere. */
  #partOf(bytes: Uint8Array, position: number): Uint8Array {
    const before = position % SECTOR_BYTES;
    const sectors = Math.ceil((before + bytes.length) / SECTOR_BYTES);
    const end = this.#disk.random.below(sectors + 1) * SECTOR_BYTES - before;
    return bytes.slice(0, Math.max(0, end));
  }

  #check(): void {
    assert(this.#open, `${this.path} is closed`);
    assert(this.#epoch === this.#disk.epoch, `${this.path} was opened before the crash`);
  }

  #file(call: string): SimFileNode {
    this.#check();
    if (this.#node.kind === "file") return this.#node;
    throw diskError("EISDIR", call, this.path);
  }

  #writable(): SimFileNode {
    assert(this.#options.mode !== "read", `${this.path} is open for reading only`);
    return this.#file("write");
  }
}

function newChange(position: number, bytes: Uint8Array): Change {
  return { position, bytes: bytes.slice(), synced: false, orphaned: false };
}

function newCounts(): Record<Operation | "any", number> {
  return {
    open: 0,
    list: 0,
    makeDirectory: 0,
    rename: 0,
    remove: 0,
    link: 0,
    syncDirectory: 0,
    read: 0,
    write: 0,
    sync: 0,
    truncate: 0,
    any: 0,
  };
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

export function diskError(code: keyof typeof FAULT_TEXT, call: string, path: string): Error {
  const error = new Error(`${code}: ${FAULT_TEXT[code]}, ${call} '${path}'`);
  return Object.assign(error, { code, syscall: call, path });
}
