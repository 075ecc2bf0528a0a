// One pass over the rows of all keys: the largest values, of all and of each prefix, and the keys
// that were written most often. Nothing of this is kept up with every put; a pass over a million
// keys takes some milliseconds and is made in slices, when somebody asks.

import { Heap } from "../../base/heap.ts";
import { PREFIX_NODES_MAX } from "../../state/accounting/prefix-tree.ts";
import type { Mvcc } from "../../state/mvcc/mvcc.ts";

/** How many of the largest and of the most written are remembered. */
const TOP_MAX = 20;

export interface SurveyedKey {
  readonly key: string;
  readonly bytes: number;
  readonly version: number;
  readonly createRevision: number;
  readonly modRevision: number;
}

interface Candidate {
  readonly slot: number;
  readonly weight: number;
}

export class KeySurvey {
  /** By node of the prefix tree: bytes of the largest value directly in it, and its slot. */
  readonly largestBytes: Uint32Array = new Uint32Array(PREFIX_NODES_MAX);
  readonly #largestSlot = new Uint32Array(PREFIX_NODES_MAX);
  readonly #mvcc: Mvcc;
  readonly #largest = new Heap<Candidate>((a, b) => a.weight < b.weight);
  readonly #mostWritten = new Heap<Candidate>((a, b) => a.weight < b.weight);
  #next = 0;

  constructor(mvcc: Mvcc) {
    this.#mvcc = mvcc;
  }

  /** Looks at about `budget` keys; true when there are no more. */
  step(budget: number): boolean {
    const { space, index } = this.#mvcc;
    const end = Math.min(space.slotCount, this.#next + budget);
    for (let slot = this.#next; slot < end; slot++) {
      const bytes = space.sizeOf(slot);
      if (bytes === 0) continue;
      const node = space.nodeOf(slot);
      if (bytes > this.largestBytes[node]!) {
        this.largestBytes[node] = bytes;
        this.#largestSlot[node] = slot;
      }
      offer(this.#largest, slot, bytes);
      if (index.history.findNewest(slot)) {
        offer(this.#mostWritten, slot, index.history.foundVersion);
      }
    }
    this.#next = end;
    return end === space.slotCount;
  }

  /** Largest first. */
  largest(): SurveyedKey[] {
    return this.#resolve(this.#largest);
  }

  mostWritten(): SurveyedKey[] {
    return this.#resolve(this.#mostWritten);
  }

  largestKeyOf(node: number): string {
    const slot = this.#largestSlot[node]!;
    return this.largestBytes[node] === 0 ? "" : this.#mvcc.index.keyOf(slot);
  }

  #resolve(heap: Heap<Candidate>): SurveyedKey[] {
    const { space, index } = this.#mvcc;
    const result: SurveyedKey[] = [];
    for (const candidate of drain(heap)) {
      const { slot } = candidate;
      // It may have been deleted since the pass came by.
      if (space.sizeOf(slot) === 0 || !index.history.findNewest(slot)) continue;
      const { foundVersion, foundCreated, foundMain } = index.history;
      result.push({
        key: index.keyOf(slot),
        bytes: space.sizeOf(slot),
        version: foundVersion,
        createRevision: foundCreated,
        modRevision: foundMain,
      });
    }
    return result;
  }
}

function offer(heap: Heap<Candidate>, slot: number, weight: number): void {
  if (heap.size === TOP_MAX) {
    if (weight <= heap.peek()!.weight) return;
    heap.pop();
  }
  heap.push({ slot, weight });
}

/** Heaviest first; the heap has them again afterwards. */
function drain(heap: Heap<Candidate>): Candidate[] {
  const result: Candidate[] = [];
  for (let one = heap.pop(); one !== undefined; one = heap.pop()) result.push(one);
  for (const one of result) heap.push(one);
  return result.reverse();
}
