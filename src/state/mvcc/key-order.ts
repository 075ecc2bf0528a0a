// The slots in the order of their keys: a tree of fixed height three.
//
//   groups        [ ≤ … ]                         live keys below, first key
//     leaves      [ ≤ 256 ] [ ≤ 256 ] …           live keys, first key
//       slots     [ ≤ 256 ] [ ≤ 256 ] [ ≤ 256 ] …
//
// 65,536 keys fill a group, so the array of groups stays short (some 250 at ten million keys) and
// needs no fourth level. Live counts at each level answer "how many keys in [from, to) now" with
// two descents, a sum over groups and a look at two leaves. All keys are compared as strings.
//
// Places (group, leaf, position) are good until the next change. Work that pauses remembers the
// key at which it goes on and seeks it again.

import type { KeyHistory } from "./key-history.ts";

const LEAF_SLOTS = 256;
const GROUP_LEAVES = 256;
/** Neighbours together not fuller than this become one when one of them has lost a key. */
const MERGED_LEAF_SLOTS = 160;
/** What moves to the new leaf or group when a full last one is split. */
const APPENDED = 16;

interface Leaf {
  first: string;
  live: number;
  size: number;
  readonly slots: Uint32Array;
}

interface Group {
  first: string;
  live: number;
  leaves: Leaf[];
}

export class KeyOrder {
  readonly #keyOf: (slot: number) => string;
  readonly #history: KeyHistory;
  readonly #groups: Group[] = [];
  /** Where the last `#seek` ended. */
  #group = 0;
  #leaf = 0;
  #position = 0;

  constructor(keyOf: (slot: number) => string, history: KeyHistory) {
    this.#keyOf = keyOf;
    this.#history = history;
  }

  get live(): number {
    let live = 0;
    for (const group of this.#groups) live += group.live;
    return live;
  }

  /** Adds a slot whose key is new. */
  insert(slot: number, key: string, isLive: boolean): void {
    if (this.#groups.length === 0) {
      this.#groups.push({ first: key, live: 0, leaves: [newLeaf(key)] });
    }
    this.#seek(key, true);
    if (this.#groups[this.#group]!.leaves[this.#leaf]!.size === LEAF_SLOTS) {
      this.#makeRoom();
      this.#seek(key, true);
    }
    const group = this.#groups[this.#group]!;
    const leaf = group.leaves[this.#leaf]!;
    const at = this.#position;
    leaf.slots.copyWithin(at + 1, at, leaf.size);
    leaf.slots[at] = slot;
    leaf.size++;
    if (at === 0) {
      leaf.first = key;
      if (this.#leaf === 0) group.first = key;
    }
    if (isLive) {
      leaf.live++;
      group.live++;
    }
  }

  /** A key was born again or died. */
  changeLive(key: string, by: 1 | -1): void {
    this.#seek(key, true);
    const group = this.#groups[this.#group]!;
    group.live += by;
    group.leaves[this.#leaf]!.live += by;
  }

  /** Takes out a key that is not live. */
  remove(key: string): void {
    this.#seek(key, true);
    const group = this.#groups[this.#group]!;
    const leaf = group.leaves[this.#leaf]!;
    leaf.slots.copyWithin(this.#position, this.#position + 1, leaf.size);
    leaf.size--;
    if (leaf.size === 0) {
      group.leaves.splice(this.#leaf, 1);
      if (group.leaves.length === 0) this.#groups.splice(this.#group, 1);
      else group.first = group.leaves[0]!.first;
      return;
    }
    leaf.first = this.#keyOf(leaf.slots[0]!);
    group.first = group.leaves[0]!.first;
    this.#mergeWithNext(group, Math.max(0, this.#leaf - 1));
  }

  /** Fills an empty tree from slots in the order of their keys. */
  build(slots: Uint32Array): void {
    // Three quarters full: room for keys to come.
    const size = (LEAF_SLOTS * 3) / 4;
    let group: Group | undefined;
    for (let at = 0; at < slots.length; at += size) {
      const leaf = newLeaf(this.#keyOf(slots[at]!));
      leaf.slots.set(slots.subarray(at, at + size));
      leaf.size = Math.min(size, slots.length - at);
      leaf.live = this.#countLiveSlots(leaf, 0, leaf.size);
      if (group === undefined || group.leaves.length >= (GROUP_LEAVES * 3) / 4) {
        group = { first: leaf.first, live: 0, leaves: [] };
        this.#groups.push(group);
      }
      group.leaves.push(leaf);
      group.live += leaf.live;
    }
  }

  /** Live keys now in [from, to); `to` undefined: to the end. */
  countLive(from: string, to: string | undefined): number {
    if (to !== undefined && to <= from) return 0;
    this.#seek(from, false);
    const fromGroup = this.#group;
    const fromLeaf = this.#leaf;
    const fromPosition = this.#position;
    if (to === undefined) {
      return (
        this.#liveUpTo(this.#groups.length, 0, 0) -
        this.#liveUpTo(fromGroup, fromLeaf, fromPosition)
      );
    }
    this.#seek(to, false);
    if (fromGroup === this.#group && fromLeaf === this.#leaf) {
      const leaf = this.#groups[fromGroup]?.leaves[fromLeaf];
      return leaf === undefined ? 0 : this.#countLiveSlots(leaf, fromPosition, this.#position);
    }
    return (
      this.#liveUpTo(this.#group, this.#leaf, this.#position) -
      this.#liveUpTo(fromGroup, fromLeaf, fromPosition)
    );
  }

  /** Slots of keys in [from, to) into `target`, in order, at most `limit`; returns how many. */
  collect(from: string, to: string | undefined, target: Uint32Array, limit: number): number {
    this.#seek(from, false);
    let count = 0;
    let position = this.#position;
    let leafAt = this.#leaf;
    for (let groupAt = this.#group; groupAt < this.#groups.length; groupAt++) {
      const leaves = this.#groups[groupAt]!.leaves;
      for (; leafAt < leaves.length; leafAt++) {
        const leaf = leaves[leafAt]!;
        const all = to === undefined || this.#keyOf(leaf.slots[leaf.size - 1]!) < to;
        for (; position < leaf.size; position++) {
          const slot = leaf.slots[position]!;
          if (!all && this.#keyOf(slot) >= to) return count;
          if (count === limit) return count;
          target[count++] = slot;
        }
        if (!all) return count;
        position = 0;
      }
      leafAt = 0;
    }
    return count;
  }

  /**
   * Sets the place to the first key not less than `key`, which is one behind the last of its leaf
   * when `inside` asks for the leaf that `key` belongs into.
   */
  #seek(key: string, inside: boolean): void {
    const groups = this.#groups;
    let low = 0;
    let high = groups.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (groups[middle]!.first <= key) low = middle + 1;
      else high = middle;
    }
    this.#group = low === 0 ? 0 : low - 1;
    this.#leaf = 0;
    this.#position = 0;
    const group = groups[this.#group];
    if (group === undefined) return;
    const leaves = group.leaves;
    low = 0;
    high = leaves.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (leaves[middle]!.first <= key) low = middle + 1;
      else high = middle;
    }
    this.#leaf = low === 0 ? 0 : low - 1;
    const leaf = leaves[this.#leaf]!;
    low = 0;
    high = leaf.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keyOf(leaf.slots[middle]!) < key) low = middle + 1;
      else high = middle;
    }
    this.#position = low;
    if (inside || low < leaf.size) return;
    this.#position = 0;
    this.#leaf++;
    if (this.#leaf < leaves.length) return;
    this.#leaf = 0;
    this.#group++;
  }

  #liveUpTo(groupEnd: number, leafEnd: number, positionEnd: number): number {
    let live = 0;
    for (let i = 0; i < groupEnd; i++) live += this.#groups[i]!.live;
    const group = this.#groups[groupEnd];
    if (group === undefined) return live;
    for (let i = 0; i < leafEnd; i++) live += group.leaves[i]!.live;
    return live + this.#countLiveSlots(group.leaves[leafEnd]!, 0, positionEnd);
  }

  #countLiveSlots(leaf: Leaf, start: number, end: number): number {
    if (leaf.live === leaf.size) return end - start;
    let live = 0;
    for (let i = start; i < end; i++) if (this.#history.isLive(leaf.slots[i]!)) live++;
    return live;
  }

  /** Splits the full leaf at the place, and its group when that is full too. */
  #makeRoom(): void {
    const group = this.#groups[this.#group]!;
    const leaf = group.leaves[this.#leaf]!;
    // Keys that arrive in ascending order leave full leaves and groups behind.
    const atEnd = this.#position === leaf.size && this.#leaf === group.leaves.length - 1;
    const kept = atEnd ? leaf.size - APPENDED : leaf.size >>> 1;
    const next = newLeaf(this.#keyOf(leaf.slots[kept]!));
    next.live = this.#countLiveSlots(leaf, kept, leaf.size);
    next.slots.set(leaf.slots.subarray(kept, leaf.size));
    next.size = leaf.size - kept;
    leaf.size = kept;
    leaf.live -= next.live;
    group.leaves.splice(this.#leaf + 1, 0, next);
    if (group.leaves.length <= GROUP_LEAVES) return;
    const leaves = group.leaves.splice(atEnd ? GROUP_LEAVES - APPENDED : GROUP_LEAVES >>> 1);
    let live = 0;
    for (const { live: leafLive } of leaves) live += leafLive;
    group.live -= live;
    this.#groups.splice(this.#group + 1, 0, { first: leaves[0]!.first, live, leaves });
  }

  #mergeWithNext(group: Group, at: number): void {
    const leaf = group.leaves[at];
    const next = group.leaves[at + 1];
    if (leaf === undefined || next === undefined) return;
    if (leaf.size + next.size > MERGED_LEAF_SLOTS) return;
    leaf.slots.set(next.slots.subarray(0, next.size), leaf.size);
    leaf.size += next.size;
    leaf.live += next.live;
    group.leaves.splice(at + 1, 1);
  }
}

function newLeaf(first: string): Leaf {
  return { first, live: 0, size: 0, slots: new Uint32Array(LEAF_SLOTS) };
}
