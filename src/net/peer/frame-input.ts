// What has come of a stream and is not yet a whole frame. Reads of the socket are not copied, as
// long as frames end in them: views into them may be kept for ever. Only a frame that comes in
// several reads is put together.

/** More of a following frame may come with the last read of a large one. */
const READ_BYTES = 64 * 1024;

const nothing = new Uint8Array(0);

/** What arrived is not what the protocol allows: the connection cannot be used any more. */
export class FrameError extends Error {}

export class FrameInput {
  bytes: Uint8Array = nothing;
  /** The frame to be decoded begins here … */
  at = 0;
  /** … and this is the end of what has come. */
  end = 0;
  /** Size of the frame at `at`, when that is known; for memory only. */
  wantedBytes = 0;
  /** The memory is ours: behind `end` nobody has seen it. */
  #isOwned = false;

  get available(): number {
    return this.end - this.at;
  }

  append(chunk: Uint8Array): void {
    const rest = this.end - this.at;
    if (rest === 0) {
      this.bytes = chunk;
      this.at = 0;
      this.end = chunk.length;
      this.#isOwned = false;
      return;
    }
    if (!this.#isOwned || this.bytes.length - this.end < chunk.length) this.#grow(chunk.length);
    this.bytes.set(chunk, this.end);
    this.end += chunk.length;
  }

  /** The frame at `at` ended at `next`. */
  consume(next: number): void {
    this.at = next;
    this.wantedBytes = 0;
  }

  /** A length of 8 bytes. @throws FrameError above `max` */
  length(at: number, max: number): number {
    const bytes = this.bytes;
    const high = word(bytes, at);
    const value = high * 0x1_0000_0000 + word(bytes, at + 4);
    if (value > max) throw new FrameError("rafthttp: error limit exceeded");
    return value;
  }

  #grow(bytes: number): void {
    const rest = this.end - this.at;
    const doubled = this.#isOwned ? 2 * rest : 0;
    const capacity = Math.max(rest + bytes, this.wantedBytes + READ_BYTES, doubled);
    const grown = Buffer.allocUnsafeSlow(capacity);
    grown.set(this.bytes.subarray(this.at, this.end));
    this.bytes = grown;
    this.at = 0;
    this.end = rest;
    this.#isOwned = true;
  }
}

/** 8 bytes, big-endian. */
export function writeLength(target: Uint8Array, at: number, value: number): number {
  writeWord(target, at, Math.floor(value / 0x1_0000_0000));
  writeWord(target, at + 4, value >>> 0);
  return at + 8;
}

function writeWord(target: Uint8Array, at: number, word: number): void {
  target[at] = word >>> 24;
  target[at + 1] = word >>> 16;
  target[at + 2] = word >>> 8;
  target[at + 3] = word;
}

function word(bytes: Uint8Array, at: number): number {
  const high = (bytes[at]! << 24) | (bytes[at + 1]! << 16);
  return (high | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
