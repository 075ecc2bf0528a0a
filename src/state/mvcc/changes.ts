// What one transaction changed, for watchers: the encoded records, shared with the store.

const KEPT_MAX = 64;

export class Changes {
  /** Main revision of all of them; sub is the position. */
  revision = 0;
  count = 0;
  /** Record i is `buffers[i][starts[i] … ends[i])`: KeyValue, of a tombstone only its key. */
  readonly buffers: Uint8Array[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  readonly tombstones: boolean[] = [];
  /** Slot of the key in the key index, good until the key is compacted away. */
  readonly slots: number[] = [];
  /** The revision of the key before, for prev_kv; main 0 when it did not exist. */
  readonly previousMains: number[] = [];
  readonly previousSubs: number[] = [];

  clear(revision: number): void {
    // Emptying an array costs an allocation; a few buffers may well be held until the next change.
    if (this.count > KEPT_MAX) this.buffers.length = 0;
    this.revision = revision;
    this.count = 0;
  }

  push(bytes: Uint8Array, start: number, end: number, slot: number, tombstone: boolean): void {
    const at = this.count++;
    this.buffers[at] = bytes;
    this.starts[at] = start;
    this.ends[at] = end;
    this.slots[at] = slot;
    this.tombstones[at] = tombstone;
    this.previousMains[at] = 0;
  }

  /** The revision that the last pushed change replaced. */
  replaced(main: number, sub: number): void {
    this.previousMains[this.count - 1] = main;
    this.previousSubs[this.count - 1] = sub;
  }
}

/**
 * Called once per transaction with changes, before its revision becomes current. `changes` is
 * used again afterwards: who needs it longer copies the columns, never the bytes.
 */
export type ChangesHook = (changes: Changes) => void;
