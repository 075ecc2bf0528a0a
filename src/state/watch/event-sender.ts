// Puts WatchResponses together: a header, the id of the watcher, and encoded events that others get
// too. For several watchers of a group the response is made once; each gets a copy with its own id.
//
//   │ header: the same for all │ 0x10 id │ events: the same for the group │

import type { HeaderTemplate } from "../../wire/kv-responses.ts";
import { copyRange, sizeNumber, writeNumber } from "../../wire/protobuf/writer.ts";
import type { EncodedColumn, EventBatch } from "./event-batch.ts";
import type { WatchLimits } from "./watch-limits.ts";
import type { Watcher } from "./watcher.ts";

const WATCH_ID_TAG = 2 << 3;
const FRAGMENT_TAG = 7 << 3;
const FRAGMENT_BYTES = 2;

export class EventSender {
  eventsSent = 0;
  responsesSent = 0;
  readonly #header: HeaderTemplate;
  readonly #term: () => number;
  readonly #limits: WatchLimits;
  /** By the size of the id. */
  readonly #templates: (Uint8Array | undefined)[] = [];
  #batch: EventBatch | undefined;
  #column: EncodedColumn | undefined;
  #places: readonly number[] = [];
  #from = 0;
  #to = 0;
  #revision = 0;
  #termNow = 0;
  #headerSize = 0;
  #eventsSize = 0;
  #isShared = false;

  constructor(parts: { header: HeaderTemplate; term: () => number; limits: WatchLimits }) {
    this.#header = parts.header;
    this.#term = parts.term;
    this.#limits = parts.limits;
  }

  /** What `sendTo` sends: the encoded events at `places[from, to)` of the batch. */
  prepare(
    batch: EventBatch,
    column: EncodedColumn,
    places: readonly number[],
    from: number,
    to: number,
    revision: number,
    isShared: boolean,
  ): void {
    this.#batch = batch;
    this.#column = column;
    this.#places = places;
    this.#from = from;
    this.#to = to;
    this.#revision = revision;
    this.#termNow = this.#term();
    this.#headerSize = this.#header.size(revision, this.#termNow);
    this.#eventsSize = 0;
    for (let i = from; i < to; i++) {
      this.#eventsSize += column.ends[places[i]!]! - column.starts[places[i]!]!;
    }
    this.#isShared = isShared;
    this.#templates.length = 0;
  }

  sendTo(watcher: Watcher): void {
    const { sink } = watcher.stream;
    const idSize = sizeOfId(watcher.id);
    const size = this.#headerSize + idSize + this.#eventsSize;
    this.eventsSent += this.#to - this.#from;
    if (watcher.wantsFragments && size >= this.#limits.fragmentBytes && this.#to - this.#from > 1) {
      this.#sendFragments(watcher, idSize);
      return;
    }
    this.responsesSent++;
    if (this.#isShared) {
      const template = (this.#templates[idSize] ??= this.#newTemplate(watcher.id, size));
      const at = sink.reserve(size);
      const target = sink.buffer;
      target.set(template, at);
      if (idSize > 0) writeNumber(target, at + this.#headerSize + 1, watcher.id);
    } else {
      const at = sink.reserve(size);
      this.#write(sink.buffer, at, watcher.id, this.#from, this.#to, false);
    }
    sink.sendMessage();
  }

  #newTemplate(id: number, size: number): Uint8Array {
    const template = new Uint8Array(size);
    this.#write(template, 0, id, this.#from, this.#to, false);
    return template;
  }

  /** Pieces below the limit, but of one event at least; all but the last are marked. */
  #sendFragments(watcher: Watcher, idSize: number): void {
    const { sink } = watcher.stream;
    const { fragmentBytes } = this.#limits;
    const fixed = this.#headerSize + idSize + FRAGMENT_BYTES;
    let from = this.#from;
    while (from < this.#to) {
      let to = from + 1;
      let size = fixed + this.#sizeOf(from);
      while (to < this.#to && size + this.#sizeOf(to) < fragmentBytes) {
        size += this.#sizeOf(to++);
      }
      const isLast = to === this.#to;
      const at = sink.reserve(isLast ? size - FRAGMENT_BYTES : size);
      this.#write(sink.buffer, at, watcher.id, from, to, !isLast);
      sink.sendMessage();
      this.responsesSent++;
      from = to;
    }
  }

  #sizeOf(index: number): number {
    const place = this.#places[index]!;
    return this.#column!.ends[place]! - this.#column!.starts[place]!;
  }

  #write(
    target: Uint8Array,
    at: number,
    id: number,
    from: number,
    to: number,
    isFragment: boolean,
  ): void {
    let offset = this.#header.write(target, at, this.#revision, this.#termNow);
    if (id !== 0) {
      target[offset] = WATCH_ID_TAG;
      offset = writeNumber(target, offset + 1, id);
    }
    if (isFragment) {
      target[offset++] = FRAGMENT_TAG;
      target[offset++] = 1;
    }
    const { arena } = this.#batch!;
    const { starts, ends } = this.#column!;
    const places = this.#places;
    let i = from;
    while (i < to) {
      // Events that were encoded one after the other are one piece.
      const start = starts[places[i]!]!;
      let end = ends[places[i]!]!;
      for (i++; i < to && starts[places[i]!] === end; i++) end = ends[places[i]!]!;
      offset = copyRange(target, offset, arena, start, end);
    }
  }
}

function sizeOfId(id: number): number {
  return id === 0 ? 0 : 1 + sizeNumber(id);
}
