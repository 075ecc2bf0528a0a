// Where log lines go. Lines of one turn of the event loop are written together at its end, and what
// is left when the process ends is written then. A reader that has stopped reading must not stop
// the server: pipes and terminals are opened once more without blocking, and when they are full the
// lines wait here, up to a limit, above which they are counted instead of kept.
//
//     line ──▶ pending ──end of turn──▶ write(2) ──full──▶ again in 10 ms
//                  └────────────exit──▶ write(2), for at most 100 ms

import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";

/** What may wait for a slow reader: some 10,000 lines, and never a matter of memory. */
const PENDING_BYTES_MAX = 4 * 1024 * 1024;
const RETRY_MS = 10;
/** A turn that logs more than this does not wait for its end. */
const TURN_CHARACTERS_MAX = 64 * 1024;
/** A dying process waits this long for a full pipe. */
const LAST_WORDS_MS = 100;

export interface LogSink {
  write(line: string): void;
  /** Everything that was written is handed to the system, if that takes it. */
  flush(): void;
}

export class FileSink implements LogSink {
  readonly #descriptor: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #lines: string[] = [];
  #lineCharacters = 0;
  #scheduled = false;
  #dropped = 0;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    process.on("exit", () => this.flush());
  }

  write(line: string): void {
    if (this.#pendingBytes + this.#lineCharacters > PENDING_BYTES_MAX) {
      this.#dropped++;
      return;
    }
    this.#lines.push(line);
    this.#lineCharacters += line.length;
    if (this.#lineCharacters > TURN_CHARACTERS_MAX) this.#push();
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#drain());
  }

  flush(): void {
    const endMs = performance.now() + LAST_WORDS_MS;
    while (!this.#push() && performance.now() < endMs) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }

  #drain(): void {
    this.#scheduled = false;
    if (this.#push()) return;
    this.#scheduled = true;
    // Not a reason to keep the process alive: the exit flushes as well.
    setTimeout(() => this.#drain(), RETRY_MS).unref();
  }

  /** False when the reader is full. */
  #push(): boolean {
    this.#collect();
    while (this.#pending.length > 0) {
      const bytes = this.#pending[0]!;
      const written = this.#tryWrite(bytes);
      this.#pendingBytes -= written;
      if (written < bytes.length) {
        this.#pending[0] = bytes.subarray(written);
        return false;
      }
      this.#pending.shift();
      this.#collect();
    }
    return true;
  }

  #collect(): void {
    if (this.#pending.length > 0 && this.#lines.length === 0) return;
    if (this.#dropped > 0 && this.#pendingBytes === 0) {
      this.#lines.push(`{"level":"warn","msg":"dropped log lines","count":${this.#dropped}}\n`);
      this.#dropped = 0;
    }
    if (this.#lines.length === 0) return;
    const bytes = Buffer.from(this.#lines.join(""));
    this.#lines = [];
    this.#lineCharacters = 0;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
  }

  #tryWrite(bytes: Buffer): number {
    try {
      return writeSync(this.#descriptor, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
      // The reader has gone, or the disk is full. The log is not worth the server.
      return bytes.length;
    }
  }
}

const standard = new Map<number, LogSink>();

/** stdout (1) or stderr (2): one sink each, however many loggers write there. */
export function standardSink(descriptor: 1 | 2): LogSink {
  let sink = standard.get(descriptor);
  if (sink === undefined) {
    sink = new FileSink(withoutBlocking(descriptor));
    standard.set(descriptor, sink);
  }
  return sink;
}

/** @throws Error with Go's words */
export function openFileSink(path: string): LogSink {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;
  return new FileSink(openSync(path, flags, 0o666));
}

/**
 * A second opening of the same pipe or terminal: setting O_NONBLOCK on the one we were given would
 * set it for every process that shares it. Files never block, and sockets cannot be opened again.
 */
function withoutBlocking(descriptor: number): number {
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFIFO() && !stat.isCharacterDevice()) return descriptor;
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK;
    const again = openSync(`/proc/self/fd/${descriptor}`, flags);
    // A terminal of someone else's session may open as something different.
    if (fstatSync(again).ino === stat.ino) return again;
    closeSync(again);
  } catch {
    // No /proc, or not allowed to: then a full pipe blocks, as it does in other programs.
  }
  return descriptor;
}
