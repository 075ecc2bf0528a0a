// Ids of proposals: 16 bits of the member's id ‖ 40 bits of milliseconds ‖ 8 bits of counter, as
// etcd makes them (pkg/idutil), so that ids of two members, or of one before and after a restart,
// do not meet. The lower 48 bits are one growing Number; the upper 16 never change.

const MILLISECOND_BITS = 40;
const COUNTER_SIZE = 256;
const LOW_SIZE = 2 ** 48;

export class RequestIds {
  /** The upper 16 of the 64 bits. */
  readonly high: number;
  #low: number;

  constructor(memberId: bigint, wallMs: number) {
    this.high = Number(memberId & 0xffffn);
    this.#low = (Math.floor(wallMs) % 2 ** MILLISECOND_BITS) * COUNTER_SIZE;
  }

  /** The lower 48 bits of the next id. */
  nextLow(): number {
    this.#low = (this.#low + 1) % LOW_SIZE;
    return this.#low;
  }

  /** The whole id, for contexts that are not hot. */
  whole(low: number): bigint {
    return (BigInt(this.high) << 48n) | BigInt(low);
  }
}
