// The file that the log goes on in when the present one is full, made ready ahead: preallocated
// with real zeros, which keeps writes short later, under a name that readers ignore. It is filled
// in small pieces with pauses between them, so that the log's own writes do not queue behind it.

import type { Logger } from "../../base/log.ts";
import type { Clock, Disk, File, Timer } from "../../io/io.ts";

const PIECE_BYTES = 256 * 1024;
/** 64 MB take about a second then; the log needs longer for the rest of its segment. */
const PAUSE_MS = 4;

const zeros = new Uint8Array(PIECE_BYTES);

type Taker = (error: Error | null, file: File | undefined) => void;

export class NextSegment {
  readonly path: string;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #sizeBytes: number;
  readonly #durable: boolean;
  #file: File | undefined;
  #filledBytes = 0;
  #isWriting = false;
  #isClosed = false;
  #pause: Timer | undefined;
  #taker: Taker | undefined;

  constructor(options: {
    disk: Disk;
    clock: Clock;
    log: Logger;
    path: string;
    sizeBytes: number;
    durable: boolean;
  }) {
    this.#disk = options.disk;
    this.#clock = options.clock;
    this.#log = options.log;
    this.path = options.path;
    this.#sizeBytes = options.sizeBytes;
    this.#durable = options.durable;
  }

  get isFilled(): boolean {
    return this.#file !== undefined && this.#filledBytes === this.#sizeBytes;
  }

  /** Begins to fill it. A failure is reported when it is taken, after another attempt. */
  prepare(): void {
    if (this.#file !== undefined || this.#isClosed) return;
    try {
      this.#create();
      this.#step();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** Hands the file over as soon as it is full; from then on it is the taker's. */
  take(taker: Taker): void {
    this.#taker = taker;
    this.#pause?.cancel();
    try {
      if (this.#file === undefined) this.#create();
      if (!this.#isWriting) this.#step();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#pause?.cancel();
    if (!this.#isWriting) this.#discard();
  }

  #create(): void {
    this.#disk.remove(this.path);
    this.#file = this.#disk.open(this.path, { mode: "create", durable: this.#durable });
    this.#filledBytes = 0;
  }

  readonly #step = (): void => {
    const file = this.#file!;
    const rest = this.#sizeBytes - this.#filledBytes;
    if (rest > 0) {
      this.#isWriting = true;
      file.write(
        zeros.subarray(0, Math.min(rest, PIECE_BYTES)),
        this.#filledBytes,
        this.#onWritten,
      );
      return;
    }
    const taker = this.#taker;
    if (taker === undefined) return;
    this.#taker = undefined;
    this.#file = undefined;
    this.#isClosed = true;
    taker(null, file);
  };

  readonly #onWritten = (error: Error | null): void => {
    this.#isWriting = false;
    if (this.#isClosed) {
      this.#discard();
      return;
    }
    if (error !== null) {
      this.#fail(error);
      return;
    }
    this.#filledBytes = Math.min(this.#sizeBytes, this.#filledBytes + PIECE_BYTES);
    if (this.#taker !== undefined) this.#step();
    else this.#pause = this.#clock.after(PAUSE_MS, this.#step);
  };

  #fail(error: Error): void {
    this.#discard();
    const taker = this.#taker;
    this.#taker = undefined;
    if (taker !== undefined) {
      taker(error, undefined);
      return;
    }
    const fields = { path: this.path, error };
    this.#log.warn("failed to prepare the next segment of the write-ahead log", fields);
  }

  #discard(): void {
    this.#file?.close();
    this.#file = undefined;
    try {
      this.#disk.remove(this.path);
    } catch {
      // It is ignored by readers, and removed when the log is opened the next time.
    }
  }
}
