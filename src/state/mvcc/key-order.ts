// The slots in the order of their keys: a tree of fixed height three.
//
//   groups        [ ≤ … ]                         live keys below, first keys of leaves
//     leaves      [ ≤ 256 ] [ ≤ 256 ] …           live keys
//       slots     [ ≤ 256 ] [ ≤ 256 ] [ ≤ 256 ] …
//
// 65,536 keys fill a group, so the array of groups stays short (some 250 at ten million keys) and
// needs no fourth level. Live counts at each level answer "how many keys in [from, to) now" with
// two descents, a sum over groups and a look at two leaves. Both levels are searched by the heads
// of their keys (headed-keys.ts).
//
// Places (group, leaf, position) are good until the next change. Work that pauses remembers the
// key at which it goes on and seeks it again.

import { HeadedKeys } from "./headed-keys.ts";
import type { KeyHistory } from "./key-history.ts";

const LEAF_SLOTS = 256;
const GROUP_LEAVES = 256;
/** Neighbours together not fuller than this become one when one of them has lost a key. */
const MERGED_LEAF_SLOTS = 160;
/** What moves to the new leaf or group when a full last one is split. */
const APPENDED = 16;

type KeyOf = (slot: number) => string;

class Leaf extends HeadedKeys {
  live = 0;
  readonly slots = new Uint32Array(LEAF_SLOTS);
  readonly #keyOf: KeyOf;

  constructor(keyOf: KeyOf) {
    super(LEAF_SLOTS);
    this.#keyOf = keyOf;
  }

  keyAt(at: number): string {
    return this.#keyOf(this.slots[at]!);
  }

  insert(at: number, slot: number, key: string): void {
    this.slots.copyWithin(at + 1, at, this.size);
    this.slots[at] = slot;
    this.insertHead(at, key);
  }

  remove(at: number): void {
    this.slots.copyWithin(at, at + 1, this.size);
    this.removeHead(at);
  }

  append(slots: Uint32Array): void {
    this.slots.set(slots, this.size);
    this.size += slots.length;
    this.rebuild();
  }

  /** Cuts off what is behind the first `size`. */
  keep(size: number): void {
    this.size = size;
    this.tighten();
  }
}

class Group extends HeadedKeys {
  live = 0;
  readonly leaves: Leaf[] = [];
  readonly #firsts: string[] = [];

  constructor() {
    // One more, until a full group is split.
    super(GROUP_LEAVES + 1);
  }

  get first(): string {
    return this.#firsts[0]!;
  }

  keyAt(at: number): string {
    return this.#firsts[at]!;
  }

  insert(at: number, leaf: Leaf): void {
    const first = leaf.keyAt(0);
    this.leaves.splice(at, 0, leaf);
    this.#firsts.splice(at, 0, first);
    this.insertHead(at, first);
  }

  remove(at: number): void {
    this.leaves.splice(at, 1);
    this.#firsts.splice(at, 1);
    this.removeHead(at);
  }

  /** The first key of the leaf at `at` is another one. */
  firstChanged(at: number): void {
    const first = this.leaves[at]!.keyAt(0);
    this.#firsts[at] = first;
    this.replaceHead(at, first);
  }

  /** Cuts off the leaves from `from` on, and makes them a group. */
  splitOff(from: number): Group {
    const next = new Group();
    next.leaves.push(...this.leaves.splice(from));
    next.#firsts.push(...this.#firsts.splice(from));
    next.size = next.leaves.length;
    next.rebuild();
    for (const { live } of next.leaves) next.live += live;
    this.live -= next.live;
    this.size = from;
    this.tighten();
    return next;
  }
}

export class KeyOrder {
  readonly #keyOf: KeyOf;
  readonly #history: KeyHistory;
  readonly #groups: Group[] = [];
  /** Where the last `#seek` ended. */
  #group = 0;
  #leaf = 0;
  #position = 0;

  constructor(keyOf: KeyOf, history: KeyHistory) {
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
      const leaf = new Leaf(this.#keyOf);
      leaf.insert(0, slot, key);
      this.#groups.push(new Group());
      this.#groups[0]!.insert(0, leaf);
    } else {
      this.#seek(key, true);
      if (this.#groups[this.#group]!.leaves[this.#leaf]!.size === LEAF_SLOTS) {
        this.#makeRoom();
        this.#seek(key, true);
      }
      const group = this.#groups[this.#group]!;
      group.leaves[this.#leaf]!.insert(this.#position, slot, key);
      if (this.#position === 0) group.firstChanged(this.#leaf);
    }
    if (isLive) this.#addLive(1);
  }

  /** A key was born again or died. */
  changeLive(key: string, by: 1 | -1): void {
    this.#seek(key, true);
    this.#addLive(by);
  }

  /** At the place. */
  #addLive(by: 1 | -1): void {
    const group = this.#groups[this.#group]!;
    group.live += by;
    group.leaves[this.#leaf]!.live += by;
  }

  /** Takes out a key that is not live. */
  remove(key: string): void {
    this.#seek(key, true);
    const group = this.#groups[this.#group]!;
    const leaf = group.leaves[this.#leaf]!;
    leaf.remove(this.#position);
    if (leaf.size === 0) {
      group.remove(this.#leaf);
      if (group.size === 0) this.#groups.splice(this.#group, 1);
      return;
    }
    if (this.#position === 0) group.firstChanged(this.#leaf);
    this.#mergeWithNext(group, Math.max(0, this.#leaf - 1));
  }

  /** Fills an empty tree from slots in the order of their keys. */
  build(slots: Uint32Array): void {
    // Three quarters full: room for keys to come.
    const size = (LEAF_SLOTS * 3) / 4;
    let group: Group | undefined;
    for (let at = 0; at < slots.length; at += size) {
      const leaf = new Leaf(this.#keyOf);
      leaf.append(slots.subarray(at, at + size));
      leaf.live = this.#countLiveSlots(leaf, 0, leaf.size);
      if (group === undefined || group.size >= (GROUP_LEAVES * 3) / 4) {
        group = new Group();
        this.#groups.push(group);
      }
      group.insert(group.size, leaf);
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
    this.#leaf = Math.max(0, group.search(key, true) - 1);
    const leaf = group.leaves[this.#leaf]!;
    low = leaf.search(key, false);
    this.#position = low;
    if (inside || low < leaf.size) return;
    this.#position = 0;
    this.#leaf++;
    if (this.#leaf < group.size) return;
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
    const atEnd = this.#position === leaf.size && this.#leaf === group.size - 1;
    const kept = atEnd ? leaf.size - APPENDED : leaf.size >>> 1;
    const next = new Leaf(this.#keyOf);
    next.live = this.#countLiveSlots(leaf, kept, leaf.size);
    next.append(leaf.slots.subarray(kept, leaf.size));
    leaf.keep(kept);
    leaf.live -= next.live;
    group.insert(this.#leaf + 1, next);
    if (group.size <= GROUP_LEAVES) return;
    const from = atEnd ? GROUP_LEAVES - APPENDED : GROUP_LEAVES >>> 1;
    this.#groups.splice(this.#group + 1, 0, group.splitOff(from));
  }

  #mergeWithNext(group: Group, at: number): void {
    const leaf = group.leaves[at];
    const next = group.leaves[at + 1];
    if (leaf === undefined || next === undefined) return;
    if (leaf.size + next.size > MERGED_LEAF_SLOTS) return;
    leaf.append(next.slots.subarray(0, next.size));
    leaf.live += next.live;
    group.remove(at + 1);
  }
}
