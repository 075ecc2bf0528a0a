// Which old revisions a compaction at some revision keeps: of each key the newest one not after it.
// Asked record by record while scanning the store, so that no set of millions has to be built. A
// key with many newer revisions is walked once and remembered.

import type { KeyIndex } from "./key-index.ts";

/** Walks longer than this are remembered. */
const LONG_WALK = 64;

export class Kept {
  readonly #index: KeyIndex;
  readonly #atMain: number;
  readonly #withTombstones: boolean;
  /** Slot to main and sub of the revision kept; main 0 is none. */
  readonly #longWalks = new Map<number, { main: number; sub: number }>();

  /** `withTombstones`: a deletion exactly at the revision is kept too. */
  constructor(index: KeyIndex, atMain: number, withTombstones: boolean) {
    this.#index = index;
    this.#atMain = atMain;
    this.#withTombstones = withTombstones;
  }

  /** Is this revision, not after the one asked about, kept for its key? */
  has(key: Uint8Array, start: number, end: number, main: number, sub: number): boolean {
    const slot = this.#index.find(key, start, end);
    if (slot < 0) return false;
    const known = this.#longWalks.get(slot);
    if (known !== undefined) return known.main === main && known.sub === sub;
    const history = this.#index.history;
    const isAny = this.hasAnyOf(slot);
    const isThis = isAny && history.foundMain === main && history.foundSub === sub;
    if (history.walked > LONG_WALK) {
      this.#longWalks.set(slot, { main: isAny ? history.foundMain : 0, sub: history.foundSub });
    }
    return isThis;
  }

  /** Is any revision of the key kept? It is then in the found fields of the history. */
  hasAnyOf(slot: number): boolean {
    const history = this.#index.history;
    history.search(slot, this.#atMain);
    return history.foundMain !== 0 && (this.#withTombstones || history.foundVersion > 0);
  }
}
