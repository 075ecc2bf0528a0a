// The last streams that we reset. What the client had under way for them is ignored without a
// word (RFC 9113, 5.1); it will come within a round trip, so the last few are enough.

const REMEMBERED_COUNT = 256;

export class RecentIds {
  readonly #ring = new Int32Array(REMEMBERED_COUNT);
  #next = 0;

  add(id: number): void {
    this.#ring[this.#next] = id;
    this.#next = (this.#next + 1) % REMEMBERED_COUNT;
  }

  has(id: number): boolean {
    return this.#ring.includes(id);
  }
}
