// The open streams of a connection by their ids: a hash table with open addressing. Ids of clients
// grow by two, so nearly every stream lies at its home slot, whatever old ones (watches) stay on:
//
//   home = id / 2 mod slots        … □ □ 61 63 65 □ 37 □ …     a taken home: the next free slot
//
// Not a Map: V8 gives one a new table after as many additions as it has slots, and the old table
// points to the new one. Once a table has become old garbage it keeps the next one alive, and that
// the one after it, each with the streams that it held: all requests of seconds survived scavenges.

const SLOTS_MIN = 16;

export class StreamTable<Stream extends { readonly id: number }> {
  #slots: (Stream | null)[] = new Array<Stream | null>(SLOTS_MIN).fill(null);
  #mask = SLOTS_MIN - 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): Stream | undefined {
    const slots = this.#slots;
    for (let at = this.#homeOf(id); ; at = (at + 1) & this.#mask) {
      const stream = slots[at]!;
      if (stream === null) return undefined;
      if (stream.id === id) return stream;
    }
  }

  /** No other stream has its id. */
  add(stream: Stream): void {
    if ((this.#size + 1) * 2 > this.#slots.length) this.#grow();
    this.#put(stream);
    this.#size++;
  }

  /** Those behind it that could not lie at their homes move up: no search ends at the gap. */
  delete(id: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let gap = this.#homeOf(id);
    for (; ; gap = (gap + 1) & mask) {
      const stream = slots[gap]!;
      if (stream === null) return;
      if (stream.id === id) break;
    }
    for (let at = (gap + 1) & mask; ; at = (at + 1) & mask) {
      const stream = slots[at]!;
      if (stream === null) break;
      if (((at - this.#homeOf(stream.id)) & mask) < ((at - gap) & mask)) continue;
      slots[gap] = stream;
      gap = at;
    }
    slots[gap] = null;
    this.#size--;
  }

  /** A copy: the table may change meanwhile, and some of these be closed. */
  all(): Stream[] {
    return this.#slots.filter((stream) => stream !== null);
  }

  #homeOf(id: number): number {
    return (id >>> 1) & this.#mask;
  }

  #put(stream: Stream): void {
    let at = this.#homeOf(stream.id);
    while (this.#slots[at] !== null) at = (at + 1) & this.#mask;
    this.#slots[at] = stream;
  }

  #grow(): void {
    const streams = this.all();
    const length = this.#slots.length * 2;
    this.#slots = new Array<Stream | null>(length).fill(null);
    this.#mask = length - 1;
    for (const stream of streams) this.#put(stream);
  }
}
