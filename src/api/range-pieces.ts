// A range whose answer is encoded while it is read: each slice becomes a piece of the message as
// soon as it is there, so that neither the records' pages nor a second copy of it are held.
//
//   head: header │ slice │ slice │ … │ tail: last slice, more, count
//
// The head is written last, but stands first: what follows it has its final form all along.

import type { Member } from "../server/member.ts";
import type { RangeResult } from "../state/mvcc/range.ts";
import {
  sizeKeyValues,
  sizeRangeEnd,
  writeKeyValues,
  writeRangeEnd,
} from "../wire/kv-responses.ts";
import type { UnaryCall } from "../wire/rpc.ts";

export class RangePieces {
  readonly #pieces: Uint8Array[] = [];
  sizeBytes = 0;
  keyCount = 0;

  get isEmpty(): boolean {
    return this.#pieces.length === 0;
  }

  /** Encodes the KeyValues of `result`, and takes them out of it. */
  take({ kvs }: RangeResult): void {
    if (kvs.count === 0) return;
    const piece = this.#add(sizeKeyValues(kvs, 0, kvs.count));
    writeKeyValues(piece, 0, kvs, 0, kvs.count);
    this.keyCount += kvs.count;
    kvs.clear();
  }

  /** Sends all with the rest of `result`. */
  send(member: Member, call: UnaryCall, result: RangeResult): void {
    this.take(result);
    const { more, total, revision } = result;
    writeRangeEnd(this.#add(sizeRangeEnd(more, total)), 0, more, total);
    const { header, term } = member;
    const head = new Uint8Array(header.size(revision, term));
    header.write(head, 0, revision, term);
    this.sizeBytes += head.length;
    const pieces = [head, ...this.#pieces];
    this.#pieces.length = 0;
    if (call.sendPieces !== undefined) call.sendPieces(pieces, this.sizeBytes);
    else {
      let at = call.reserve(this.sizeBytes);
      for (const piece of pieces) {
        call.buffer.set(piece, at);
        at += piece.length;
      }
      call.send();
    }
  }

  #add(sizeBytes: number): Uint8Array {
    // Not of the pool, which would keep other memory alive with it; every byte is written.
    const piece = Buffer.allocUnsafeSlow(sizeBytes);
    this.#pieces.push(piece);
    this.sizeBytes += sizeBytes;
    return piece;
  }
}
