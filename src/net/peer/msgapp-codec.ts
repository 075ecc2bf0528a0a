// The stream "msgapp" (msgappv2): what a leader sends to a follower that is in step needs neither
// term nor index nor who writes to whom, as both ends can foretell them.
//
//   0   link heartbeat      | 00 |
//   1   entries             | 01 | 8 count | per entry: 8 length, raftpb.Entry | 8 commit |
//   2   any MsgApp          | 02 | 8 length | raftpb.Message |
//
// Both ends keep a term and an index. Kind 2 sets them: to the message's term and its last entry.
// Kind 1 is a MsgApp that goes on from there: its log term and term are the kept term, its index
// the kept index, which grows by its entries.

import {
  decodeMessage,
  type Entry,
  type Message,
  MessageType,
  newEntry,
  newMessage,
  readEntry,
} from "../../wire/messages/raft.ts";
import { Reader } from "../../wire/protobuf/reader.ts";
import { FrameError, FrameInput, writeLength } from "./frame-input.ts";
import {
  isLinkHeartbeat,
  linkHeartbeat,
  sizeRaftMessage,
  writeRaftEntry,
  writeRaftMessage,
} from "./raft-message.ts";
import {
  FRAME_BYTES_MAX,
  type FrameOutput,
  type StreamDecoder,
  type StreamEncoder,
} from "./stream-codec.ts";

const Kind = { LinkHeartbeat: 0, Entries: 1, Message: 2 } as const;

const KIND_BYTES = 1;
const LENGTH_BYTES = 8;
/** No entry is larger than its data, three numbers and their tags. */
const ENTRY_OVERHEAD_BYTES = 48;

export class MsgAppEncoder implements StreamEncoder {
  #term = 0;
  #index = 0;

  encode(message: Message, output: FrameOutput): number {
    if (isLinkHeartbeat(message)) {
      output.ensure(KIND_BYTES);
      output.bytes[output.length++] = Kind.LinkHeartbeat;
      return KIND_BYTES;
    }
    const { term, logTerm, index } = message;
    if (index === this.#index && logTerm === this.#term && logTerm === term) {
      return this.#encodeEntries(message, output);
    }
    return this.#encodeMessage(message, output);
  }

  #encodeEntries(message: Message, output: FrameOutput): number {
    const { entries } = message;
    let sizeMax = KIND_BYTES + 2 * LENGTH_BYTES;
    for (const entry of entries) {
      sizeMax += LENGTH_BYTES + ENTRY_OVERHEAD_BYTES + entry.data.length;
    }
    output.ensure(sizeMax);
    const { bytes, length: start } = output;
    let at = start;
    bytes[at++] = Kind.Entries;
    at = writeLength(bytes, at, entries.length);
    for (const entry of entries) {
      const dataAt = at + LENGTH_BYTES;
      const next = writeRaftEntry(entry, bytes, dataAt);
      writeLength(bytes, at, next - dataAt);
      at = next;
    }
    at = writeLength(bytes, at, message.commit);
    output.length = at;
    this.#index += entries.length;
    return at - start;
  }

  #encodeMessage(message: Message, output: FrameOutput): number {
    const size = sizeRaftMessage(message);
    output.ensure(KIND_BYTES + LENGTH_BYTES + size);
    const { bytes } = output;
    bytes[output.length] = Kind.Message;
    const at = writeLength(bytes, output.length + KIND_BYTES, size);
    output.length = writeRaftMessage(message, bytes, at);
    this.#term = message.term;
    this.#index = lastIndexOf(message);
    return KIND_BYTES + LENGTH_BYTES + size;
  }
}

export class MsgAppDecoder implements StreamDecoder {
  readonly #localId: bigint;
  readonly #remoteId: bigint;
  readonly #input = new FrameInput();
  readonly #reader = new Reader(new Uint8Array(0), 0, 0);
  #term = 0;
  #index = 0;
  /** Of a frame of entries that has not come whole: entries not seen yet, and where they begin. */
  #missing = -1;
  #seenBytes = 0;

  constructor(localId: bigint, remoteId: bigint) {
    this.#localId = localId;
    this.#remoteId = remoteId;
  }

  append(chunk: Uint8Array): void {
    this.#input.append(chunk);
  }

  next(): Message | undefined {
    const input = this.#input;
    if (input.available === 0) return undefined;
    const kind = input.bytes[input.at]!;
    switch (kind) {
      case Kind.LinkHeartbeat:
        input.consume(input.at + KIND_BYTES);
        return linkHeartbeat;
      case Kind.Entries:
        return this.#hasAllEntries() ? this.#decodeEntries() : undefined;
      case Kind.Message:
        return this.#decodeMessage();
      default:
        throw new FrameError(`failed to parse type ${kind} in msgappv2 stream`);
    }
  }

  /** Goes on from where it came to a halt, so that a large frame in small pieces is not costly. */
  #hasAllEntries(): boolean {
    const input = this.#input;
    const { end } = input;
    const start = input.at;
    if (this.#missing < 0) {
      if (input.available < KIND_BYTES + LENGTH_BYTES) return false;
      this.#missing = input.length(start + KIND_BYTES, FRAME_BYTES_MAX);
      this.#seenBytes = KIND_BYTES + LENGTH_BYTES;
    }
    let at = start + this.#seenBytes;
    while (this.#missing > 0) {
      if (end - at < LENGTH_BYTES) break;
      const next = at + LENGTH_BYTES + input.length(at, FRAME_BYTES_MAX);
      if (next - start > FRAME_BYTES_MAX) throw new FrameError("rafthttp: error limit exceeded");
      if (next > end) {
        input.wantedBytes = next - start;
        break;
      }
      at = next;
      this.#missing--;
    }
    this.#seenBytes = at - start;
    return this.#missing === 0 && end - at >= LENGTH_BYTES;
  }

  #decodeEntries(): Message {
    const input = this.#input;
    const message = newMessage();
    message.type = MessageType.MsgApp;
    message.from = this.#remoteId;
    message.to = this.#localId;
    message.term = this.#term;
    message.logTerm = this.#term;
    message.index = this.#index;
    const end = input.at + this.#seenBytes;
    let at = input.at + KIND_BYTES + LENGTH_BYTES;
    while (at < end) {
      const start = at + LENGTH_BYTES;
      at = start + input.length(at, FRAME_BYTES_MAX);
      message.entries.push(this.#readEntry(start, at));
    }
    message.commit = input.length(end, Number.MAX_SAFE_INTEGER);
    this.#index += message.entries.length;
    this.#missing = -1;
    input.consume(end + LENGTH_BYTES);
    return message;
  }

  #readEntry(start: number, end: number): Entry {
    this.#reader.reset(this.#input.bytes, start, end);
    return readEntry(this.#reader, newEntry());
  }

  #decodeMessage(): Message | undefined {
    const input = this.#input;
    const headBytes = KIND_BYTES + LENGTH_BYTES;
    if (input.available < headBytes) return undefined;
    const size = input.length(input.at + KIND_BYTES, FRAME_BYTES_MAX);
    if (input.available < headBytes + size) {
      input.wantedBytes = headBytes + size;
      return undefined;
    }
    const start = input.at + headBytes;
    const message = decodeMessage(input.bytes, start, start + size);
    this.#term = message.term;
    this.#index = lastIndexOf(message);
    input.consume(start + size);
    return message;
  }
}

function lastIndexOf(message: Message): number {
  const last = message.entries.at(-1);
  return last === undefined ? message.index : last.index;
}
