// All revisions of all keys, by slot (a small number that stands for a key).
//
// A key lives in generations: born with a put, closed by a tombstone, perhaps born again. Most
// keys have few revisions between two compactions, so the newest one lies in a row of a fixed
// size and only older ones go to a list. Both are typed arrays: a put leaves no garbage behind.
//
//   row of a slot (32 bytes)                       node (16 bytes), newest first
//   ┌──────┬─────────┬─────────┬─────┬──────┐      ┌──────┬─────┬──────┐   ┌──────┬─────┬──────┐
//   │ main │ created │ version │ sub │ list ┼─────►│ main │ sub │ next ┼──►│ main │ sub │ next ┼─►
//   └──────┴─────────┴─────────┴─────┴──────┘      └──────┴─────┴──────┘   └──────┴─────┴──────┘
//   version > 0: live; one more than the number of revisions since creation, those that
//                compaction took included (a record that `etcdutl` made may have version 0)
//   version < 0: `main` is the tombstone that closed the generation; the sign apart as above
//   version = 0: the slot is not in use
//
// A generation before that of the row starts in the list with its tombstone, marked by
// CLOSES in `sub`, followed by two nodes that hold no revision but its `created` and `version`:
//
//   [tombstone | CLOSES] → [created] → [version] → older revisions → [tombstone | CLOSES] → …
//
// Finding a revision walks from the newest, as etcd does: readers mostly want what is recent.

import { assert } from "../../base/assert.ts";

const ROW_BITS = 13;
const ROWS = 1 << ROW_BITS;
const ROW_MASK = ROWS - 1;
/** In 64-bit words; `sub` and `list` share the fourth. */
const ROW_WORDS = 4;
const MAIN = 0;
const CREATED = 1;
const VERSION = 2;
/** In 32-bit words. */
const SUB = 6;
const LIST = 7;

const NODE_BITS = 14;
const NODES = 1 << NODE_BITS;
const NODE_MASK = NODES - 1;
/** In `sub` of a node: a tombstone, and the end of an older generation. */
const CLOSES = 0x8000_0000;

interface Segment {
  readonly doubles: Float64Array;
  readonly words: Uint32Array;
}

function newSegment(words: number): Segment {
  const doubles = new Float64Array(words);
  return { doubles, words: new Uint32Array(doubles.buffer) };
}

export class KeyHistory {
  /** What the last successful `find`, `compact` or `search` found. */
  foundMain = 0;
  foundSub = 0;
  foundCreated = 0;
  foundVersion = 0;
  /** Nodes that the last walk passed. */
  walked = 0;

  readonly #rows: Segment[] = [];
  readonly #nodes: Segment[] = [];
  #nodeCount = 1; // 0 is the end of a list
  #freeNodes = 0;

  /** Nodes ever made: those in lists and those to be used again. */
  get nodeCount(): number {
    return this.#nodeCount - 1;
  }

  /** Makes a row for `slot`; slots come in ascending order or again after `clear`. */
  ensure(slot: number): void {
    if (slot >>> ROW_BITS === this.#rows.length) this.#rows.push(newSegment(ROWS * ROW_WORDS));
  }

  isLive(slot: number): boolean {
    return this.#rows[slot >>> ROW_BITS]!.doubles[(slot & ROW_MASK) * ROW_WORDS + VERSION]! > 0;
  }

  /** Main revision of the newest revision, be it a tombstone. */
  modified(slot: number): number {
    return this.#rows[slot >>> ROW_BITS]!.doubles[(slot & ROW_MASK) * ROW_WORDS + MAIN]!;
  }

  /** Fills the found fields with the newest revision; false when that is a tombstone. */
  findNewest(slot: number): boolean {
    const { doubles, words } = this.#rows[slot >>> ROW_BITS]!;
    const row = (slot & ROW_MASK) * ROW_WORDS;
    const version = doubles[row + VERSION]!;
    if (version <= 0) return false;
    this.foundMain = doubles[row + MAIN]!;
    this.foundCreated = doubles[row + CREATED]!;
    this.foundVersion = version - 1;
    this.foundSub = words[2 * row + SUB]!;
    return true;
  }

  /** Fills the found fields with what the key was at `atMain`; false when it was not there. */
  find(slot: number, atMain: number): boolean {
    const { doubles, words } = this.#rows[slot >>> ROW_BITS]!;
    const row = (slot & ROW_MASK) * ROW_WORDS;
    if (doubles[row + MAIN]! <= atMain) return this.findNewest(slot);
    let created = doubles[row + CREATED]!;
    let version = Math.abs(doubles[row + VERSION]!) - 1;
    let node = words[2 * row + LIST]!;
    this.walked = 0;
    while (node !== 0) {
      const segment = this.#nodes[node >>> NODE_BITS]!;
      const at = (node & NODE_MASK) * 2;
      const main = segment.doubles[at]!;
      const sub = segment.words[2 * at + 2]!;
      node = segment.words[2 * at + 3]!;
      this.walked++;
      if (sub >= CLOSES) {
        if (main <= atMain) return false;
        created = this.#mainOf(node);
        node = this.#nextOf(node);
        version = this.#mainOf(node);
        node = this.#nextOf(node);
        continue;
      }
      version--;
      if (main <= atMain) {
        this.foundMain = main;
        this.foundSub = sub;
        this.foundCreated = created;
        this.foundVersion = version;
        return true;
      }
    }
    return false;
  }

  put(slot: number, main: number, sub: number): void {
    const { doubles, words } = this.#rows[slot >>> ROW_BITS]!;
    const row = (slot & ROW_MASK) * ROW_WORDS;
    const version = doubles[row + VERSION]!;
    if (version !== 0) this.#keepNewest(doubles, words, row, main, sub);
    doubles[row + MAIN] = main;
    words[2 * row + SUB] = sub;
    if (version > 0) {
      doubles[row + VERSION] = version + 1;
    } else {
      doubles[row + CREATED] = main;
      doubles[row + VERSION] = 2;
    }
  }

  /** False when there is nothing to delete. */
  tombstone(slot: number, main: number, sub: number): boolean {
    const { doubles, words } = this.#rows[slot >>> ROW_BITS]!;
    const row = (slot & ROW_MASK) * ROW_WORDS;
    const version = doubles[row + VERSION]!;
    if (version <= 0) return false;
    this.#keepNewest(doubles, words, row, main, sub);
    doubles[row + MAIN] = main;
    words[2 * row + SUB] = sub;
    doubles[row + VERSION] = -(version + 1);
    return true;
  }

  /** The first record of a key that is found at start. */
  restore(slot: number, main: number, sub: number, created: number, version: number): void {
    const { doubles, words } = this.#rows[slot >>> ROW_BITS]!;
    const row = (slot & ROW_MASK) * ROW_WORDS;
    doubles[row + MAIN] = main;
    doubles[row + CREATED] = created;
    doubles[row + VERSION] = version + 1;
    words[2 * row + SUB] = sub;
    words[2 * row + LIST] = 0;
  }

  restoreTombstone(slot: number, main: number, sub: number): void {
    this.restore(slot, main, sub, 0, 1);
    const { doubles } = this.#rows[slot >>> ROW_BITS]!;
    doubles[(slot & ROW_MASK) * ROW_WORDS + VERSION] = -2;
  }

  /** Forgets all revisions of the slot. */
  clear(slot: number): void {
    const { doubles, words } = this.#rows[slot >>> ROW_BITS]!;
    const row = (slot & ROW_MASK) * ROW_WORDS;
    this.#freeList(words[2 * row + LIST]!);
    doubles.fill(0, row, row + ROW_WORDS);
  }

  /**
   * Drops what nobody can see from `atMain` on. True: nothing is left and the key must go. A
   * revision that stays although it is not newer than `atMain` is left in the found fields, with
   * `foundMain` 0 when there is none.
   */
  compact(slot: number, atMain: number): boolean {
    const { doubles, words } = this.#rows[slot >>> ROW_BITS]!;
    const row = (slot & ROW_MASK) * ROW_WORDS;
    if (doubles[row + VERSION]! < 0 && doubles[row + MAIN]! < atMain) {
      this.foundMain = 0;
      return true;
    }
    if (words[2 * row + LIST] === 0) {
      this.search(slot, atMain);
      return false;
    }
    const last = this.search(slot, atMain);
    if (last === 0) {
      this.#freeList(words[2 * row + LIST]!);
      words[2 * row + LIST] = 0;
    } else {
      const segment = this.#nodes[last >>> NODE_BITS]!;
      const next = 4 * (last & NODE_MASK) + 3;
      this.#freeList(segment.words[next]!);
      segment.words[next] = 0;
    }
    return false;
  }

  /**
   * Finds the revision that a compaction at `atMain` keeps, into the found fields (`foundMain` 0:
   * none; `foundVersion` < 0: it is a tombstone). Returns the last node that stays, 0 for none.
   *
   * The generation that counts is the oldest one that is the newest or closed at `atMain` or later;
   * within it, the newest revision not after `atMain`.
   */
  search(slot: number, atMain: number): number {
    const { doubles, words } = this.#rows[slot >>> ROW_BITS]!;
    const row = (slot & ROW_MASK) * ROW_WORDS;
    const closed = doubles[row + VERSION]! < 0;
    this.foundMain = 0;
    this.foundVersion = 1;
    this.walked = 0;
    if (doubles[row + MAIN]! <= atMain) {
      if (closed && doubles[row + MAIN]! < atMain) return 0;
      this.foundMain = doubles[row + MAIN]!;
      this.foundSub = words[2 * row + SUB]!;
      this.foundVersion = closed ? -1 : 1;
      if (this.foundMain < atMain) return 0;
    }
    return this.#searchList(words[2 * row + LIST]!, atMain);
  }

  #searchList(list: number, atMain: number): number {
    let stays = 0;
    let node = list;
    while (node !== 0) {
      const segment = this.#nodes[node >>> NODE_BITS]!;
      const at = (node & NODE_MASK) * 2;
      const main = segment.doubles[at]!;
      const sub = segment.words[2 * at + 2]!;
      this.walked++;
      if (sub >= CLOSES) {
        if (main < atMain) return stays;
        // An older generation reaches to atMain: it counts, not the newer one.
        this.foundMain = 0;
        this.foundVersion = 1;
        stays = this.#nextOf(this.#nextOf(node));
        if (main === atMain) {
          this.foundMain = main;
          this.foundSub = sub - CLOSES;
          this.foundVersion = -1;
        }
        node = this.#nextOf(stays);
        continue;
      }
      if (this.foundMain === 0) {
        stays = node;
        if (main <= atMain) {
          this.foundMain = main;
          this.foundSub = sub;
          if (main < atMain) return stays;
        }
      }
      node = segment.words[2 * at + 3]!;
    }
    return stays;
  }

  /** Visits all revisions, newest first. */
  forEach(slot: number, visit: (main: number, sub: number, tombstone: boolean) => void): void {
    const { doubles, words } = this.#rows[slot >>> ROW_BITS]!;
    const row = (slot & ROW_MASK) * ROW_WORDS;
    const version = doubles[row + VERSION]!;
    if (version === 0) return;
    visit(doubles[row + MAIN]!, words[2 * row + SUB]!, version < 0);
    let node = words[2 * row + LIST]!;
    while (node !== 0) {
      const sub = this.#subOf(node);
      const closes = sub >= CLOSES;
      visit(this.#mainOf(node), closes ? sub - CLOSES : sub, closes);
      if (closes) node = this.#nextOf(this.#nextOf(node));
      node = this.#nextOf(node);
    }
  }

  /** Moves the newest revision from the row to the list, before a newer one takes its place. */
  #keepNewest(
    doubles: Float64Array,
    words: Uint32Array,
    row: number,
    main: number,
    sub: number,
  ): void {
    const oldMain = doubles[row + MAIN]!;
    const oldSub = words[2 * row + SUB]!;
    assert(main > oldMain || (main === oldMain && sub > oldSub), "revisions of a key only grow");
    const version = doubles[row + VERSION]!;
    let list = words[2 * row + LIST]!;
    if (version < 0) {
      list = this.#newNode(-version - 1, 0, list);
      list = this.#newNode(doubles[row + CREATED]!, 0, list);
      list = this.#newNode(oldMain, oldSub + CLOSES, list);
    } else {
      list = this.#newNode(oldMain, oldSub, list);
    }
    words[2 * row + LIST] = list;
  }

  #newNode(main: number, sub: number, next: number): number {
    let node = this.#freeNodes;
    if (node !== 0) {
      this.#freeNodes = this.#nextOf(node);
    } else {
      node = this.#nodeCount++;
      if (node >>> NODE_BITS === this.#nodes.length) this.#nodes.push(newSegment(2 * NODES));
    }
    const { doubles, words } = this.#nodes[node >>> NODE_BITS]!;
    const at = (node & NODE_MASK) * 2;
    doubles[at] = main;
    words[2 * at + 2] = sub;
    words[2 * at + 3] = next;
    return node;
  }

  #freeList(list: number): void {
    let node = list;
    while (node !== 0) {
      const { words } = this.#nodes[node >>> NODE_BITS]!;
      const at = 4 * (node & NODE_MASK) + 3;
      const next = words[at]!;
      words[at] = this.#freeNodes;
      this.#freeNodes = node;
      node = next;
    }
  }

  #mainOf(node: number): number {
    return this.#nodes[node >>> NODE_BITS]!.doubles[(node & NODE_MASK) * 2]!;
  }

  #subOf(node: number): number {
    return this.#nodes[node >>> NODE_BITS]!.words[(node & NODE_MASK) * 4 + 2]!;
  }

  #nextOf(node: number): number {
    return this.#nodes[node >>> NODE_BITS]!.words[(node & NODE_MASK) * 4 + 3]!;
  }
}
