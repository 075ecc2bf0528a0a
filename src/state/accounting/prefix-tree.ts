// Where in the space of keys the bytes lie: a tree of directories ("/registry/", "pods/", …) with a
// row of counters each, in bounded memory.
//
//   key "/registry/pods/default/web-1"
//        └┬┘└───┬───┘└┬──┘└──┬───┘└─┬─┘
//        root  nodes, one per "/"   the key itself is counted in its directory
//
// A node counts what lies directly in it; sums over subtrees are made by those who ask. When there
// A node counts what lies directly in it; sums over subtrees are made by those who ask. When there
// are too many nodes, the lightest leaves are added to their parents, which are then *closed*: an
// unknown child of a closed node is counted in the node itself. So what was counted in a node and
// goes later is subtracted where it is now, and all sums stay exact; the picture becomes coarser
// where little lies. A closed node that is empty opens again.
import { assert } from "../../base/assert.ts";
import { latin1, writeLatin1 } from "../../base/latin1.ts";

/** About 100 bytes each and a name: half a megabyte. Ids fit into 16 bits. */
export const PREFIX_NODES_MAX = 4096;
/** What lies deeper is counted at this depth. */
const DEPTH_MAX = 12;
/** No name of a directory is longer; below such a one nothing is told apart. */
const NAME_MAX = 128;
/** Of the limit; what one pruning leaves. */
const KEPT_SHARE = 0.75;
const SLASH = "/";

/** Columns of a node's row. The first five are what is there, the others only grow. */
export const Column = {
  LiveBytes: 0,
  HistoryBytes: 1,
  Keys: 2,
  HistoryRecords: 3,
  Tombstones: 4,
  Creates: 5,
  Updates: 6,
  Deletes: 7,
  WrittenBytes: 8,
  /** Creations with a lease, and those of them whose key ends with the lease's id. */
  LeasedCreates: 9,
  LockCreates: 10,
} as const;
export const COLUMNS = 11;
export const ROOT = 0;

export class PrefixTree {
  /** Row of node `id` begins at `id * COLUMNS`. */
  readonly counters: Float64Array;
  readonly #nodesMax: number;
  readonly #names: string[] = [""];
  readonly #parents: Uint16Array;
  readonly #closed: Uint8Array;
  readonly #children: (Map<string, number> | undefined)[] = [undefined];
  readonly #free: number[] = [];
  readonly #pinned = new Set<number>();
  #count = 1;
  readonly #scratch = new Uint8Array(NAME_MAX);

  constructor(nodesMax: number = PREFIX_NODES_MAX) {
    this.#nodesMax = nodesMax;
    this.counters = new Float64Array(nodesMax * COLUMNS);
    this.#parents = new Uint16Array(nodesMax);
    this.#closed = new Uint8Array(nodesMax);
  }

  /** All ids are below it. */
  get idEnd(): number {
    return this.#names.length;
  }

  get count(): number {
    return this.#count;
  }

  /** No room for the directories of one more key. */
  get isFull(): boolean {
    return this.#count + DEPTH_MAX > this.#nodesMax;
  }

  /** The node that counts `key`. */
  find(key: string): number {
    let node = ROOT;
    let from = 0;
    for (let depth = 0; depth < DEPTH_MAX; depth++) {
      const slash = key.indexOf(SLASH, from);
      if (slash < 0) break;
      const child = this.#children[node]?.get(key.slice(from, slash + 1));
      if (child === undefined) break;
      node = child;
      from = slash + 1;
    }
    return node;
  }

  /** The same for a key that is new: makes nodes where that is allowed. `isFull` must be false. */
  findOrAdd(key: string): number {
    let node = ROOT;
    let from = 0;
    for (let depth = 0; depth < DEPTH_MAX; depth++) {
      const slash = key.indexOf(SLASH, from);
      if (slash < 0 || slash - from >= NAME_MAX) break;
      const name = key.slice(from, slash + 1);
      const child = this.#children[node]?.get(name) ?? this.#add(node, name);
      if (child === undefined) break;
      node = child;
      from = slash + 1;
    }
    return node;
  }

  /** Gives the prefix, which ends with a slash, a node of its own for ever. */
  pin(prefix: string): void {
    const node = this.findOrAdd(prefix);
    if (this.pathOf(node) === prefix) this.#pinned.add(node);
  }

  /** Is there a node of exactly this prefix? Else undefined. */
  at(prefix: string): number | undefined {
    const node = this.find(prefix);
    return this.pathOf(node) === prefix ? node : undefined;
  }

  pathOf(node: number): string {
    let path = "";
    for (let at = node; at !== ROOT; at = this.#parents[at]!) path = this.#names[at]! + path;
    return path;
  }

  nameOf(node: number): string {
    return this.#names[node]!;
  }

  childrenOf(node: number): Iterable<number> {
    return this.#children[node]?.values() ?? [];
  }

  /** Some of its directories are counted in the node itself. */
  isClosed(node: number): boolean {
    return this.#closed[node] === 1;
  }

  /**
   * Makes room: the lightest leaves are added to their parents. Returns, for every id, where its
   * counters are now.
   */
  prune(): Uint16Array {
    const moved = Uint16Array.from({ length: this.#nodesMax }, (_, id) => id);
    const target = Math.floor(this.#nodesMax * KEPT_SHARE);
    while (this.#count > target) {
      const leaves = this.#leaves();
      const weights = new Map(leaves.map((id) => [id, this.#weight(id)]));
      leaves.sort((a, b) => weights.get(a)! - weights.get(b)! || a - b);
      for (const leaf of leaves.slice(0, this.#count - target)) {
        moved[leaf] = this.#parents[leaf]!;
        this.#fold(leaf);
      }
    }
    // A parent may have been folded after its child.
    for (let id = 0; id < moved.length; id++) {
      let at = moved[id]!;
      while (moved[at] !== at) at = moved[at]!;
      moved[id] = at;
    }
    return moved;
  }

  #add(parent: number, name: string): number | undefined {
    if (this.#closed[parent] === 1) {
      if (this.#holdsRecords(parent)) return undefined;
      this.#closed[parent] = 0;
    }
    assert(this.#count < this.#nodesMax, "the tree is pruned before it is full");
    const id = this.#free.pop() ?? this.#names.length;
    // A copy: the part of a key would keep the whole key in memory.
    this.#names[id] = latin1(this.#scratch, 0, writeLatin1(name, this.#scratch, 0));
    this.#parents[id] = parent;
    this.#closed[id] = 0;
    this.#children[id] = undefined;
    this.#count++;
    const siblings = (this.#children[parent] ??= new Map());
    siblings.set(this.#names[id]!, id);
    return id;
  }

  #holdsRecords(node: number): boolean {
    const row = node * COLUMNS;
    const { counters } = this;
    return counters[row + Column.Keys]! + counters[row + Column.HistoryRecords]! > 0;
  }

  #leaves(): number[] {
    const result: number[] = [];
    const visit = (node: number): void => {
      const children = this.#children[node];
      if (children === undefined || children.size === 0) {
        if (node !== ROOT && !this.#pinned.has(node)) result.push(node);
      } else for (const child of children.values()) visit(child);
    };
    visit(ROOT);
    return result;
  }

  #weight(node: number): number {
    const row = node * COLUMNS;
    const { counters } = this;
    return (
      counters[row + Column.LiveBytes]! +
      counters[row + Column.HistoryBytes]! +
      counters[row + Column.WrittenBytes]!
    );
  }

  #fold(leaf: number): void {
    const parent = this.#parents[leaf]!;
    if (this.#holdsRecords(leaf) || this.#closed[leaf] === 1) this.#closed[parent] = 1;
    const { counters } = this;
    const from = leaf * COLUMNS;
    for (let i = 0; i < COLUMNS; i++) counters[parent * COLUMNS + i]! += counters[from + i]!;
    counters.fill(0, from, from + COLUMNS);
    this.#children[parent]!.delete(this.#names[leaf]!);
    this.#names[leaf] = "";
    this.#free.push(leaf);
    this.#count--;
  }
}
