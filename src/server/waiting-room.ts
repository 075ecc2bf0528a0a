// Who waits for which proposal. Ids of proposals only grow, mostly by one, so a ring of slots finds
// a waiter by its id without hashing and without garbage, and the oldest is always at its tail:
//
//   slot of an id = id mod size        tail ─► … □ ■ □ ■ ■ ■ ◄─ newest
//
// A Map in its place took 5 % of the time of a put. Ids from `tail` to the newest have a slot; one
// that waits for long keeps those behind it, which the request timeout ends.

import { assert } from "../base/assert.ts";

/** More than the clients of a busy member; the ring grows by doubling. */
const SLOTS_MIN = 1024;

export class WaitingRoom<Waiter> {
  #slots: (Waiter | undefined)[] = emptySlots(SLOTS_MIN);
  /** Nobody with a smaller id waits. */
  #tail = 0;
  #newest = -1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** `id` is greater than all before it. */
  add(id: number, waiter: Waiter): void {
    assert(id > this.#newest, "ids grow");
    if (this.#size === 0) this.#tail = id;
    if (id - this.#tail >= this.#slots.length) this.#makeRoom(id);
    this.#newest = id;
    this.#slots[id & (this.#slots.length - 1)] = waiter;
    this.#size++;
  }

  get(id: number): Waiter | undefined {
    if (id < this.#tail || id > this.#newest) return undefined;
    return this.#slots[id & (this.#slots.length - 1)];
  }

  /** @returns who waited, and does no longer. */
  take(id: number): Waiter | undefined {
    const waiter = this.get(id);
    if (waiter === undefined) return undefined;
    this.#slots[id & (this.#slots.length - 1)] = undefined;
    this.#size--;
    return waiter;
  }

  /** The smallest id that is waited for, or undefined. */
  oldest(): number | undefined {
    if (this.#size === 0) return undefined;
    while (this.get(this.#tail) === undefined) this.#tail++;
    return this.#tail;
  }

  /** Ids that are waited for, ascending. */
  ids(): number[] {
    const ids: number[] = [];
    for (let id = this.oldest() ?? this.#newest + 1; id <= this.#newest; id++) {
      if (this.get(id) !== undefined) ids.push(id);
    }
    return ids;
  }

  /** The answered ones at the tail make room; when that is not enough, the ring grows. */
  #makeRoom(id: number): void {
    const tail = this.oldest()!;
    let length = this.#slots.length;
    while (id - tail >= length) length *= 2;
    if (length === this.#slots.length) return;
    const slots = emptySlots<Waiter>(length);
    for (let at = tail; at <= this.#newest; at++) slots[at & (length - 1)] = this.get(at);
    this.#slots = slots;
  }
}

/** Filled, so that V8 keeps it an array. */
function emptySlots<Waiter>(length: number): (Waiter | undefined)[] {
  return new Array<Waiter | undefined>(length).fill(undefined);
}
