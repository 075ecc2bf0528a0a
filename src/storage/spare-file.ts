// A second, empty file beside the database, locked like it since the start of the process. The next
// copy is written into it, and the file that was the database becomes the next spare one.
//
//   db ──── locked                     db ──── locked   (was the spare one)
//   db.tmp.spare ── locked, empty ─►   db.tmp.spare ── locked, being emptied
//
// Why not a new file each time: a lock is taken by the `flock` program, and starting a program
// forks this process. With a large database in memory that stops everything for 100 ms; at the
// start the process is small. And a large file that loses its last name is freed at once, which
// holds up the file system for a second; this one is emptied a piece at a time.

import type { Logger } from "../base/log.ts";
import type { Disk, File } from "../io/io.ts";

/** As a copy's name begins: what a killed process leaves is removed at the next start. */
const SPARE_SUFFIX = ".tmp.spare";

export class SpareFile {
  readonly #disk: Disk;
  readonly #log: Logger;
  /** Of the database. */
  readonly #path: string;
  /** It has its name and is empty. */
  #file: File | undefined;
  /** The name stands for a file that is still being read or emptied. */
  #isComing = false;
  #isClosed = false;

  /** Without one all goes on, with the pauses that it would spare. */
  constructor({ disk, log, path }: { disk: Disk; log: Logger; path: string }) {
    this.#disk = disk;
    this.#log = log;
    this.#path = path;
    this.#attempt(() => {
      const file = disk.open(this.#sparePath, { mode: "create" });
      if (file.tryLock("exclusive")) this.#file = file;
      else file.close();
    });
  }

  /** A locked empty file, which gets the name `path`; undefined when there is none now. */
  take(path: string): File | undefined {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return undefined;
    try {
      this.#disk.rename(this.#sparePath, path);
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /**
   * The database's file is about to lose its name to another. What is returned takes it, when that
   * is durable and nobody reads it any more.
   */
  keep(): (file: File) => void {
    const isKept =
      this.#file === undefined &&
      !this.#isComing &&
      this.#attempt(() => this.#disk.link(this.#path, this.#sparePath));
    if (isKept) this.#isComing = true;
    return (file) => {
      file.empty((error) => {
        if (isKept) this.#isComing = false;
        if (isKept && error === null && !this.#isClosed) this.#file = file;
        else file.close();
      });
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#file?.close();
    this.#file = undefined;
    this.#attempt(() => this.#disk.remove(this.#sparePath));
  }

  get #sparePath(): string {
    return this.#path + SPARE_SUFFIX;
  }

  #attempt(step: () => void): boolean {
    try {
      step();
      return true;
    } catch (error) {
      this.#log.warn("there is no spare file for defragmentations", { path: this.#path, error });
      return false;
    }
  }
}
