import { randomFillSync } from "node:crypto";
import { assert } from "../base/assert.ts";
import type { Random } from "./io.ts";

const RANGE = 2 ** 48;
/** One system call serves this many bytes of small draws. */
const POOL_BYTES = 4096;

/** The operating system's generator. */
export class NodeRandom implements Random {
  readonly #pool = Buffer.alloc(POOL_BYTES);
  #used = POOL_BYTES;

  below(bound: number): number {
    assert(Number.isInteger(bound) && bound > 0 && bound <= RANGE, "random bound out of range");
    // Draws above the last whole multiple of the bound would favour small values.
    const limit = RANGE - (RANGE % bound);
    for (;;) {
      const draw = this.#draw48();
      if (draw < limit) return draw % bound;
    }
  }

  bytes(length: number): Uint8Array {
    return randomFillSync(new Uint8Array(length));
  }

  /** What the system draws is independent already. */
  fork(_label: string): Random {
    return this;
  }

  #draw48(): number {
    if (this.#used + 6 > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const draw = this.#pool.readUIntLE(this.#used, 6);
    this.#used += 6;
    return draw;
  }
}
