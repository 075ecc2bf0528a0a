import { assert } from "../../src/base/assert.ts";
import type { Random } from "../../src/io/io.ts";

const RANGE_32 = 2 ** 32;
const BOUND_MAX = 2 ** 48;

/** A small fast counter generator (sfc32), so that a seed replays on every platform. */
export class SimRandom implements Random {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number | string) {
    this.#seed = String(seed);
    this.#a = hash(this.#seed, 0x9e3779b9);
    this.#b = hash(this.#seed, 0x243f6a88);
    this.#c = hash(this.#seed, 0xb7e15162);
    for (let round = 0; round < 12; round++) this.next32();
  }

  next32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  below(bound: number): number {
    assert(Number.isInteger(bound) && bound > 0 && bound <= BOUND_MAX, "random bound out of range");
    if (bound <= RANGE_32) return Math.floor((this.next32() / RANGE_32) * bound);
    return ((this.next32() & 0x1fffff) * RANGE_32 + this.next32()) % bound;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0, word = 0; at < length; at++, word >>>= 8) {
      if (at % 4 === 0) word = this.next32();
      bytes[at] = word;
    }
    return bytes;
  }

  /** Depends on the seed and the label only, not on what was drawn before. */
  fork(label: string): SimRandom {
    return new SimRandom(`${this.#seed}/${label}`);
  }

  /** True once in `count` draws. */
  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  /** Uniform in [low, high), fractional. */
  between(low: number, high: number): number {
    return low + (this.next32() / RANGE_32) * (high - low);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}

function hash(text: string, start: number): number {
  let state = start;
  for (let at = 0; at < text.length; at++) {
    state = Math.imul(state ^ text.charCodeAt(at), 0x01000193);
    state = (state << 13) | (state >>> 19);
  }
  return state;
}
