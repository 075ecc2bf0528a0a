// The pieces of a header block that came in more than one frame. Bounded in bytes and in frames,
// before anything is stored: endless CONTINUATION frames are a known attack.

import { ConnectionError, ErrorCode } from "./frames.ts";
import { CONTINUATION_FRAMES_MAX, HEADER_BLOCK_BYTES_MAX } from "./limits.ts";

export class HeaderBlock {
  isOpen = false;
  streamId = 0;
  /** Flags of the HEADERS frame that began it. */
  flags = 0;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  begin(streamId: number, flags: number, bytes: Uint8Array, start: number, end: number): void {
    this.isOpen = true;
    this.streamId = streamId;
    this.flags = flags;
    this.#add(bytes, start, end);
  }

  /** @throws ConnectionError when the block grows beyond its limits */
  append(bytes: Uint8Array, start: number, end: number): void {
    this.#add(bytes, start, end);
    if (this.#pieces.length > CONTINUATION_FRAMES_MAX + 1) {
      throw new ConnectionError(ErrorCode.EnhanceYourCalm, "too many CONTINUATION frames");
    }
  }

  finish(): Uint8Array {
    const block = Buffer.concat(this.#pieces);
    this.isOpen = false;
    this.#pieces = [];
    this.#bytes = 0;
    return block;
  }

  #add(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes += end - start;
    if (this.#bytes > HEADER_BLOCK_BYTES_MAX) {
      throw new ConnectionError(ErrorCode.EnhanceYourCalm, "header block too large");
    }
    this.#pieces.push(bytes.slice(start, end));
  }
}
