// The stream "message": any message, each with its length in front.
//
//   | 8 bytes length, big-endian | raftpb.Message |

import { decodeMessage, type Message } from "../../wire/messages/raft.ts";
import { FrameInput, writeLength } from "./frame-input.ts";
import { sizeRaftMessage, writeRaftMessage } from "./raft-message.ts";
import {
  FRAME_BYTES_MAX,
  type FrameOutput,
  type StreamDecoder,
  type StreamEncoder,
} from "./stream-codec.ts";

const LENGTH_BYTES = 8;

export class MessageEncoder implements StreamEncoder {
  encode(message: Message, output: FrameOutput): number {
    const size = sizeRaftMessage(message);
    output.ensure(LENGTH_BYTES + size);
    const at = writeLength(output.bytes, output.length, size);
    output.length = writeRaftMessage(message, output.bytes, at);
    return LENGTH_BYTES + size;
  }
}

export class MessageDecoder implements StreamDecoder {
  readonly input: FrameInput = new FrameInput();
  readonly #bytesMax: number;

  constructor(bytesMax: number = FRAME_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  append(chunk: Uint8Array): void {
    this.input.append(chunk);
  }

  next(): Message | undefined {
    const { input } = this;
    if (input.available < LENGTH_BYTES) return undefined;
    const size = input.length(input.at, this.#bytesMax);
    if (input.available < LENGTH_BYTES + size) {
      input.wantedBytes = LENGTH_BYTES + size;
      return undefined;
    }
    const start = input.at + LENGTH_BYTES;
    const message = decodeMessage(input.bytes, start, start + size);
    input.consume(start + size);
    return message;
  }
}
