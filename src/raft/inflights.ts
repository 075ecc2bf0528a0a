// MsgApps with entries on their way to one peer: a window limited by count and by bytes. Each is
// remembered by the index of its last entry; an acknowledgement of an index frees all up to it.

import { assert } from "../base/assert.ts";

/** The ring grows from here to the limit, so that idle peers cost little. */
const RING_SLOTS_MIN = 16;

export class Inflights {
  readonly countMax: number;
  /** 0: no limit. */
  readonly bytesMax: number;
  count = 0;
  bytes = 0;
  #start = 0;
  #indexes: Float64Array;
  #sizes: Float64Array;

  constructor(countMax: number, bytesMax: number) {
    this.countMax = countMax;
    this.bytesMax = bytesMax;
    const slots = Math.min(RING_SLOTS_MIN, countMax);
    this.#indexes = new Float64Array(slots);
    this.#sizes = new Float64Array(slots);
  }

  /** One message may exceed the limit of bytes; the next one has to wait then. */
  isFull(): boolean {
    return this.count === this.countMax || (this.bytesMax > 0 && this.bytes >= this.bytesMax);
  }

  add(lastIndex: number, bytes: number): void {
    assert(!this.isFull(), "a message is sent only when the window is open");
    if (this.count === this.#indexes.length) this.#grow();
    const slot = (this.#start + this.count) % this.#indexes.length;
    this.#indexes[slot] = lastIndex;
    this.#sizes[slot] = bytes;
    this.count++;
    this.bytes += bytes;
  }

  freeUpTo(index: number): void {
    while (this.count > 0 && this.#indexes[this.#start]! <= index) {
      this.bytes -= this.#sizes[this.#start]!;
      this.count--;
      this.#start = (this.#start + 1) % this.#indexes.length;
    }
  }

  clear(): void {
    this.count = 0;
    this.bytes = 0;
    this.#start = 0;
  }

  #grow(): void {
    const slots = Math.min(this.#indexes.length * 2, this.countMax);
    const indexes = new Float64Array(slots);
    const sizes = new Float64Array(slots);
    for (let at = 0; at < this.count; at++) {
      const slot = (this.#start + at) % this.#indexes.length;
      indexes[at] = this.#indexes[slot]!;
      sizes[at] = this.#sizes[slot]!;
    }
    this.#indexes = indexes;
    this.#sizes = sizes;
    this.#start = 0;
  }
}
