// Sorts the numbers 0 … n-1 by the key that each stands for. `Array.sort` would sort the keys as
// fast, but not say which is whose, and looking that up takes three times as long as the sort.
//
// A merge sort from the bottom: short runs by insertion, then pairs of runs between two arrays.
// Runs that are already in order are copied, so keys that come sorted cost one pass per doubling.

const RUN = 8;

export function sortKeys(keys: readonly string[]): Uint32Array {
  const count = keys.length;
  let from = new Uint32Array(count);
  let to = new Uint32Array(count);
  for (let i = 0; i < count; i++) from[i] = i;
  for (let start = 0; start < count; start += RUN) {
    insertionSort(keys, from, start, Math.min(start + RUN, count));
  }
  for (let width = RUN; width < count; width *= 2) {
    for (let start = 0; start < count; start += 2 * width) {
      const middle = Math.min(start + width, count);
      merge(keys, from, to, start, middle, Math.min(start + 2 * width, count));
    }
    [from, to] = [to, from];
  }
  return from;
}

function insertionSort(
  keys: readonly string[],
  order: Uint32Array,
  start: number,
  end: number,
): void {
  for (let i = start + 1; i < end; i++) {
    const moved = order[i]!;
    const key = keys[moved]!;
    let at = i;
    while (at > start && keys[order[at - 1]!]! > key) {
      order[at] = order[at - 1]!;
      at--;
    }
    order[at] = moved;
  }
}

/** Merges [start, middle) and [middle, end). */
function merge(
  keys: readonly string[],
  from: Uint32Array,
  to: Uint32Array,
  start: number,
  middle: number,
  end: number,
): void {
  if (middle === end || keys[from[middle - 1]!]! <= keys[from[middle]!]!) {
    for (let i = start; i < end; i++) to[i] = from[i]!;
    return;
  }
  let left = start;
  let right = middle;
  let at = start;
  let leftKey = keys[from[left]!]!;
  let rightKey = keys[from[right]!]!;
  for (;;) {
    if (leftKey <= rightKey) {
      to[at++] = from[left++]!;
      if (left === middle) break;
      leftKey = keys[from[left]!]!;
    } else {
      to[at++] = from[right++]!;
      if (right === end) break;
      rightKey = keys[from[right]!]!;
    }
  }
  while (left < middle) to[at++] = from[left++]!;
  while (right < end) to[at++] = from[right++]!;
}
