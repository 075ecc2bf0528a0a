// A short sorted list of keys that is searched without looking at most of them. Of each key it has
// a head: the four characters behind those that all keys of the list have in common.
//
//   prefix = 14      /registry/pods/default/a7   ─► heads   "/def"
//                    /registry/pods/kube-system/b           "/kub"
//                    /registry/pods/monitoring/c            "/mon"
//
// Heads of a list lie together, while keys are strings all over the heap: a binary search among
// strings waits for memory three times a step, and that was most of what a new key cost.
// Where heads are equal, the keys themselves decide.

/** Characters of keys are below 256, so four fill a word, and with this bit turned it is signed. */
const SIGN = 1 << 31;
const HEAD_MAX = 0x7fff_ffff;

/** What is searched: subclasses keep the keys, this the heads. */
export abstract class HeadedKeys {
  size = 0;
  /** Signed, as V8 keeps those in registers and in arrays of any kind. */
  readonly heads: Int32Array;
  /** So many characters are the same in all keys; fewer may be counted than are. */
  prefix = 0;

  constructor(capacity: number) {
    this.heads = new Int32Array(capacity);
  }

  protected abstract keyAt(at: number): string;

  /** The first position whose key is not less than `key`, or behind it, if `isBehind`. */
  search(key: string, isBehind: boolean): number {
    const { size, heads, prefix } = this;
    if (size === 0) return 0;
    if (prefix > 0) {
      const sample = this.keyAt(0);
      const shared = sharedLength(key, sample, prefix);
      if (shared < prefix) {
        // With all keys alike in what is compared, `key` is before or behind all of them.
        if (shared === key.length) return 0;
        return key.charCodeAt(shared) < sample.charCodeAt(shared) ? 0 : size;
      }
    }
    const head = headOf(key, prefix);
    let low = firstNotBelow(heads, 0, size, head);
    if (low === size || heads[low] !== head) return low;
    let high = head === HEAD_MAX ? size : firstNotBelow(heads, low + 1, size, head + 1);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.keyAt(middle);
      if (other < key || (isBehind && other === key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Makes room in the heads for `key`, which the subclass puts at `at` of its keys before. */
  protected insertHead(at: number, key: string): void {
    this.heads.copyWithin(at + 1, at, this.size);
    this.size++;
    this.replaceHead(at, key);
  }

  /** The key at `at` is `key` now. */
  protected replaceHead(at: number, key: string): void {
    const other = this.size === 1 ? key : this.keyAt(at === 0 ? 1 : 0);
    const shared = sharedLength(key, other, this.prefix);
    if (this.size === 1 || shared < this.prefix) this.rebuild();
    else this.heads[at] = headOf(key, shared);
  }

  protected removeHead(at: number): void {
    this.heads.copyWithin(at, at + 1, this.size);
    this.size--;
  }

  /** Keys were cut off: those that are left may have more in common. */
  protected tighten(): void {
    if (this.size > 0 && this.#sharedByAll() > this.prefix) this.rebuild();
  }

  /** After the keys have changed otherwise. */
  protected rebuild(): void {
    const { size, heads } = this;
    if (size === 0) return;
    this.prefix = this.#sharedByAll();
    for (let at = 0; at < size; at++) heads[at] = headOf(this.keyAt(at), this.prefix);
  }

  /** What the first and the last of a sorted list share, all share. */
  #sharedByAll(): number {
    const first = this.keyAt(0);
    return sharedLength(first, this.keyAt(this.size - 1), first.length);
  }
}

/** Four characters from `at`, those behind the end zero, as a number with the order of strings. */
function headOf(key: string, at: number): number {
  const left = key.length - at;
  let head = 0;
  if (left > 0) head = key.charCodeAt(at) << 24;
  if (left > 1) head |= key.charCodeAt(at + 1) << 16;
  if (left > 2) head |= key.charCodeAt(at + 2) << 8;
  if (left > 3) head |= key.charCodeAt(at + 3);
  return head ^ SIGN;
}

/** How many characters of `a` and `b` are the same, at most `limit`. */
function sharedLength(a: string, b: string, limit: number): number {
  const end = Math.min(a.length, b.length, limit);
  let at = 0;
  while (at < end && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  return at;
}

function firstNotBelow(heads: Int32Array, from: number, to: number, head: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (heads[middle]! < head) low = middle + 1;
    else high = middle;
  }
  return low;
}
