// The history as watchers ask for it: by range and filter, between two revisions, by name.

import { FilterType, type WatchCreateRequest } from "../../src/wire/messages/rpc-watch.ts";
import type { Change } from "./history.ts";

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

export const nameOf = (revision: number, key: string): string => `${key}@${revision}`;

export function rangeOf(request: WatchCreateRequest): (key: string) => boolean {
  const from = request.key.length === 0 ? "\0" : text(request.key);
  if (request.rangeEnd.length === 0) return (key) => key === from;
  const to = text(request.rangeEnd);
  return (key) => key >= from && (to === "\0" || key < to);
}

export function passes(request: WatchCreateRequest, isDelete: boolean): boolean {
  return !request.filters.includes(isDelete ? FilterType.NODELETE : FilterType.NOPUT);
}

export class KnownChanges {
  /** In the order of revisions. */
  readonly #changes: readonly Change[];
  /** Watchers that ask for the same share the answer. */
  readonly #wanted = new Map<string, readonly Change[]>();
  #byName: Map<string, Change> | undefined;

  constructor(changes: readonly Change[]) {
    this.#changes = changes;
  }

  find(name: string): Change | undefined {
    this.#byName ??= new Map(this.#changes.map((c) => [nameOf(c.revision, c.key), c]));
    return this.#byName.get(name);
  }

  /** What such a watcher is to get, between two revisions. */
  wantedBy(request: WatchCreateRequest, from: number, to: number): readonly Change[] {
    const wanted = this.#allWantedBy(request);
    return wanted.slice(placeOf(wanted, from), placeOf(wanted, to + 1));
  }

  countWantedBy(request: WatchCreateRequest, from: number, to: number): number {
    const wanted = this.#allWantedBy(request);
    return Math.max(0, placeOf(wanted, to + 1) - placeOf(wanted, from));
  }

  #allWantedBy(request: WatchCreateRequest): readonly Change[] {
    const name = [text(request.key), text(request.rangeEnd), request.filters].join("\n");
    let wanted = this.#wanted.get(name);
    if (wanted === undefined) {
      const isInRange = rangeOf(request);
      wanted = this.#changes.filter(
        ({ key, kv }) => isInRange(key) && passes(request, kv === undefined),
      );
      this.#wanted.set(name, wanted);
    }
    return wanted;
  }
}

/** How many of `changes` are before `revision`. */
function placeOf(changes: readonly Change[], revision: number): number {
  let [low, high] = [0, changes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (changes[middle]!.revision < revision) low = middle + 1;
    else high = middle;
  }
  return low;
}
