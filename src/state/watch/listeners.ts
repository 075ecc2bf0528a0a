// Parts of the server that wait for changes of keys: locks and elections. They are told of every
// event at once and never lag, so what they do must be short.

import { IntervalTree } from "../../base/interval-tree.ts";

export interface KeyEvent {
  readonly key: string;
  readonly revision: number;
  readonly tombstone: boolean;
  /** The record: KeyValue, of a tombstone only its key. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** `null`: there may have been events that nobody has seen; look for yourself. */
export type Listener = (event: KeyEvent | null) => void;

export class Listeners {
  readonly #exact = new Map<string, Set<Listener>>();
  readonly #ranges = new IntervalTree<Set<Listener>>();
  readonly #found: Set<Listener>[] = [];
  #told: { listener: Listener; event: KeyEvent }[] = [];

  get isEmpty(): boolean {
    return this.#exact.size === 0 && this.#ranges.size === 0;
  }

  /** The range [from, to); `to` as `from` is the one key. Returns how to end it. */
  add(from: string, to: string | undefined, listener: Listener): () => void {
    let set = from === to ? this.#exact.get(from) : this.#ranges.get(from, to);
    if (set === undefined) {
      set = new Set();
      if (from === to) this.#exact.set(from, set);
      else this.#ranges.set(from, to, set);
    }
    const own = set;
    own.add(listener);
    return () => {
      if (!own.delete(listener) || own.size > 0) return;
      if (from === to) this.#exact.delete(from);
      else this.#ranges.delete(from, to);
    };
  }

  /** Keeps the event for those who wait for it, until `tell`. */
  offer(event: KeyEvent): void {
    const found = this.#found;
    found.length = 0;
    const exact = this.#exact.get(event.key);
    if (exact !== undefined) found.push(exact);
    this.#ranges.find(event.key, found);
    for (const set of found) for (const listener of set) this.#told.push({ listener, event });
  }

  /** Much has happened at once, and not in single events. */
  tellAll(): void {
    const all = [...this.#exact.values(), ...this.#ranges.values()].flatMap((set) => [...set]);
    for (const listener of all) listener(null);
  }

  /** Tells all that was offered; a listener may add and end listeners. */
  tell(): void {
    if (this.#told.length === 0) return;
    const told = this.#told;
    this.#told = [];
    for (const { listener, event } of told) listener(event);
  }
}
