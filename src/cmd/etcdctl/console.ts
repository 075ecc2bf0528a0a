// The three standard streams of a command, synchronous, without loading node's stream classes.

import { writeSync } from "node:fs";
import { isatty } from "node:tty";

/** What a command prints: text, or bytes as they are. */
export type Piece = string | Uint8Array;

export interface Console {
  out(...pieces: Piece[]): void;
  err(text: string): void;
  /** The next line with its newline; at the end what is left, then "". */
  readLine(): Promise<string>;
  /** All that is left of standard input. */
  readAll(): Promise<Uint8Array>;
  readonly isInputTerminal: boolean;
  readonly isOutputTerminal: boolean;
  readonly isErrorTerminal: boolean;
}

/** For the reader of a pipe that is full or empty: how long to sleep before the next try. */
const RETRY_MS = 2;

/** Bytes taken from standard input at a time. */
const READ_BYTES = 64 << 10;

/** What a program ends with whose output nobody reads: as if by SIGPIPE. */
const BROKEN_PIPE_EXIT = 141;

function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EPIPE") process.exit(BROKEN_PIPE_EXIT);
      if (code !== "EAGAIN") throw error;
      pause();
    }
  }
}

function toBytes(pieces: readonly Piece[]): Uint8Array {
  const parts = pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece));
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** Standard input as a stream of chunks; watching it does not block the program. */
class Input {
  #left: Uint8Array = new Uint8Array(0);
  #ended = false;

  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    const chunk = await readChunk();
    if (chunk.length === 0) {
      this.#ended = true;
      return false;
    }
    this.#left = this.#left.length === 0 ? chunk : Buffer.concat([this.#left, chunk]);
    return true;
  }

  async line(): Promise<string> {
    for (;;) {
      const end = this.#left.indexOf(10);
      if (end >= 0 || !(await this.#more())) {
        const line = end < 0 ? this.#left : this.#left.subarray(0, end + 1);
        this.#left = this.#left.subarray(line.length);
        return Buffer.from(line).toString();
      }
    }
  }

  async rest(): Promise<Uint8Array> {
    while (await this.#more());
    const all = this.#left;
    this.#left = new Uint8Array(0);
    return all;
  }
}

/** A read on the thread pool: signals and calls go on meanwhile. */
async function readChunk(): Promise<Uint8Array> {
  const { read } = await import("node:fs");
  const target = new Uint8Array(READ_BYTES);
  for (;;) {
    const count = await new Promise<number>((resolve, reject) => {
      read(0, target, 0, READ_BYTES, null, (error, bytesRead) => {
        if (error === null) resolve(bytesRead);
        else if (error.code === "EAGAIN") resolve(-1);
        else if (error.code === "EOF") resolve(0);
        else reject(error);
      });
    });
    if (count >= 0) return target.subarray(0, count);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

export function processConsole(): Console {
  const input = new Input();
  return {
    out: (...pieces) => writeAll(1, toBytes(pieces)),
    err: (text) => writeAll(2, Buffer.from(text)),
    readLine: () => input.line(),
    readAll: () => input.rest(),
    get isInputTerminal() {
      return isatty(0);
    },
    get isOutputTerminal() {
      return isatty(1);
    },
    get isErrorTerminal() {
      return isatty(2);
    },
  };
}
