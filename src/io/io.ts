// The four doors to the world. Everything nondeterministic (time, chance, files, peers) comes
// through them, so that a whole cluster can run inside one process from one seed. `raft/`,
// `state/` and `storage/bolt/` do not even see these: they are pure.
//
// Off-thread work reports by callback, not by Promise: the hot path pays for no microtask, and
// the simulator decides the order in which callbacks run.

import type { Network } from "./network.ts";

export interface Clock {
  /** Milliseconds, fractional, since an arbitrary start. Never goes back. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch. May jump. */
  wallMs(): number;
  after(delayMs: number, task: () => void): Timer;
  /** Runs `task` once, after all input that has already arrived was handled (setImmediate). */
  endOfTurn(task: () => void): void;
}

export interface Timer {
  cancel(): void;
}

export interface Random {
  /** A uniform integer in [0, bound), bound ≤ 2^48. */
  below(bound: number): number;
  bytes(length: number): Uint8Array;
  /** An independent stream: a new draw in one part does not reshuffle the others. */
  fork(label: string): Random;
}

/** Called once; `null` means done. The owner of the data decides; a failed sync is fatal. */
export type Done = (error: Error | null) => void;

export interface OpenOptions {
  /** "read": must exist. "write": must exist; reads, too. "create": must not; reads, too. */
  readonly mode: "read" | "write" | "create";
  /** Every `write` is durable when it is done (O_DSYNC): one hop instead of write and sync. */
  readonly durable?: boolean;
  /** Permission bits for "create"; default 0o600. */
  readonly permissions?: number;
}

export interface Disk {
  /** @throws Error with `code` ENOENT, EEXIST, EACCES, EROFS … */
  open(path: string, options: OpenOptions): File;
  exists(path: string): boolean;
  isDirectory(path: string): boolean;
  /** Names in the directory, sorted. */
  list(directory: string): string[];
  /** With all missing parents, each 0700. */
  makeDirectory(path: string): void;
  rename(from: string, to: string): void;
  /** A second name for a file. */
  link(from: string, to: string): void;
  /** A file, or a directory with all that is in it; nothing there is not an error. */
  remove(path: string): void;
  /**
   * Creations, renames and removals in `directory` are at risk until this returns, or until
   * `done`, with which the waiting is done off this thread.
   */
  syncDirectory(directory: string, done?: Done): void;
}

export interface File {
  readonly path: string;
  sizeBytes(): number;
  /** Reads into all of `target` from `position`; returns the bytes read, fewer only at the end. */
  read(target: Uint8Array, position: number): number;
  /** Visible at once, durable after a sync. Blocks for the page cache only: small writes. */
  writeNow(bytes: Uint8Array, position: number): void;
  /** Off this thread; `bytes` must not change until `done`. Durable then if opened so. */
  write(bytes: Uint8Array, position: number, done: Done): void;
  /** fdatasync off this thread. Writes begun earlier but not done are not covered. */
  sync(done: Done): void;
  /** fdatasync on this thread: start-up, tools and shutdown only. */
  syncNow(): void;
  truncate(sizeBytes: number): void;
  /**
   * Gives back all of the file's space, a piece at a time off this thread: what the file system
   * does for 1 GB at once holds up everybody's writes for a second.
   */
  empty(done: Done): void;
  /** An exclusive or shared flock(2) on this open file; false when another process holds it. */
  tryLock(kind: "exclusive" | "shared"): boolean;
  close(): void;
}

export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly network: Network;
}
