// Encoded KeyValues as views into the bytes of the store: nothing is decoded or copied between a
// record on disk and the answer or event it becomes part of.

import type { KeyValueColumns } from "../../wire/kv-responses.ts";

const KEPT_MAX = 64;

export class KeyValueList implements KeyValueColumns {
  readonly buffers: Uint8Array[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  count = 0;

  push(bytes: Uint8Array, start: number, end: number): void {
    const at = this.count++;
    this.buffers[at] = bytes;
    this.starts[at] = start;
    this.ends[at] = end;
  }

  /** Entry `at`; those before it come, or came, in any order. */
  put(at: number, bytes: Uint8Array, start: number, end: number): void {
    if (at >= this.count) this.count = at + 1;
    this.buffers[at] = bytes;
    this.starts[at] = start;
    this.ends[at] = end;
  }

  /** Forgets the entries. A few buffers may be held until the next ones: emptying costs. */
  clear(): void {
    if (this.count > KEPT_MAX) this.buffers.length = 0;
    this.count = 0;
  }

  /** The first `count` entries in the order of `order`. */
  reorder(order: readonly number[], count: number): void {
    const { buffers, starts, ends } = this;
    const oldBuffers = buffers.slice();
    const oldStarts = starts.slice();
    const oldEnds = ends.slice();
    for (let i = 0; i < count; i++) {
      buffers[i] = oldBuffers[order[i]!]!;
      starts[i] = oldStarts[order[i]!]!;
      ends[i] = oldEnds[order[i]!]!;
    }
    buffers.length = count;
    this.count = count;
  }

  /** All of them, as views; for callers that are not hot. */
  views(): Uint8Array[] {
    const views: Uint8Array[] = [];
    for (let at = 0; at < this.count; at++) {
      views.push(this.buffers[at]!.subarray(this.starts[at], this.ends[at]));
    }
    return views;
  }

  /** A copy of entry `at`; for callers that are not hot. */
  at(at: number): Uint8Array {
    return this.buffers[at]!.slice(this.starts[at]!, this.ends[at]!);
  }
}

export const NO_KEY_VALUES: KeyValueColumns = { buffers: [], starts: [], ends: [], count: 0 };
