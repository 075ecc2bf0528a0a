// Who wants to hear of a key? Watchers that want the very same (range, flags, first revision) are a
// group: an event is matched against groups, and its bytes are put together once for all members.
//
//   key ──► exact: Map ──────────► group ──next──► group …     same key, other flags
//     └───► ranges: IntervalTree ► group ──next──► group …

import { assert } from "../../base/assert.ts";
import { IntervalTree } from "../../base/interval-tree.ts";
import { EVENT_FLAGS, type Watcher, WatchFlag } from "./watcher.ts";

/** A longer list of pending events is given back to the collector after use. */
const KEPT_PENDING_MAX = 256;

// Most groups have one member and seldom an event, and are as many as watchers: 200 bytes less.
const noMembers: Watcher[] = [];
const nothingPending: number[] = [];

export class WatcherGroup {
  readonly from: string;
  readonly to: string | undefined;
  readonly flags: number;
  /** Events before this revision are not for its members. */
  readonly since: number;
  members: Watcher[] = noMembers;
  next: WatcherGroup | null = null;
  /** The first `pendingCount` are places of events in the batch, in their order. */
  pending: number[] = nothingPending;
  pendingCount = 0;

  constructor(watcher: Watcher, since: number) {
    this.from = watcher.from;
    this.to = watcher.to;
    this.flags = watcher.flags & EVENT_FLAGS;
    this.since = since;
  }

  get isSingleKey(): boolean {
    return this.to === this.from;
  }

  get wantsPrevious(): boolean {
    return (this.flags & WatchFlag.PrevKv) !== 0;
  }

  wants(revision: number, tombstone: boolean): boolean {
    const unwanted = tombstone ? WatchFlag.NoDelete : WatchFlag.NoPut;
    return (this.flags & unwanted) === 0 && revision >= this.since;
  }

  /** Returns its place in the group. */
  join(watcher: Watcher): number {
    // Not an empty list and a push, which makes room for seventeen.
    if (this.members === noMembers) this.members = [watcher];
    else this.members.push(watcher);
    return this.members.length - 1;
  }

  addPending(place: number): void {
    if (this.pending === nothingPending) this.pending = [place];
    else this.pending[this.pendingCount] = place;
    this.pendingCount++;
  }

  clearPending(): void {
    if (this.pending.length > KEPT_PENDING_MAX) this.pending = nothingPending;
    this.pendingCount = 0;
  }
}

export class WatcherIndex {
  count = 0;
  readonly #exact = new Map<string, WatcherGroup>();
  readonly #ranges = new IntervalTree<WatcherGroup>();

  /** `since`: of what is found, the watcher wants nothing older. */
  add(watcher: Watcher, since: number): void {
    assert(watcher.group === null, "a watcher is in one index at a time");
    const group = this.#groupFor(watcher, since);
    watcher.group = group;
    watcher.from = group.from;
    watcher.to = group.to;
    watcher.at = group.join(watcher);
    this.count++;
  }

  remove(watcher: Watcher): void {
    const { group } = watcher;
    assert(group !== null, "a watcher is removed from where it is");
    // The last member takes its place: who goes through the members from the end misses nobody.
    const { members } = group;
    const last = members.pop()!;
    if (last !== watcher) {
      members[watcher.at] = last;
      last.at = watcher.at;
    }
    watcher.group = null;
    watcher.at = -1;
    this.count--;
    if (members.length === 0) this.#drop(group);
  }

  /** Appends the groups whose range contains the key. */
  find(key: string, found: WatcherGroup[]): void {
    const exact = this.#exact.get(key);
    if (exact !== undefined) found.push(exact);
    if (this.#ranges.size > 0) this.#ranges.find(key, found);
    for (let i = found.length - 1; i >= 0; i--) {
      for (let other = found[i]!.next; other !== null; other = other.next) found.push(other);
    }
  }

  #groupFor(watcher: Watcher, since: number): WatcherGroup {
    const { from, to } = watcher;
    const flags = watcher.flags & EVENT_FLAGS;
    const isSingleKey = to === from;
    const first = isSingleKey ? this.#exact.get(from) : this.#ranges.get(from, to);
    for (let group = first ?? null; group !== null; group = group.next) {
      if (group.flags === flags && group.since === since) return group;
    }
    const group = new WatcherGroup(watcher, since);
    if (first !== undefined) {
      group.next = first.next;
      first.next = group;
    } else if (isSingleKey) {
      this.#exact.set(from, group);
    } else {
      this.#ranges.set(from, to, group);
    }
    return group;
  }

  #drop(group: WatcherGroup): void {
    const { from, to, isSingleKey } = group;
    const first = isSingleKey ? this.#exact.get(from) : this.#ranges.get(from, to);
    assert(first !== undefined, "a group is where its range is");
    if (first !== group) {
      let before = first;
      while (before.next !== group) before = before.next!;
      before.next = group.next;
    } else if (group.next !== null) {
      if (isSingleKey) this.#exact.set(from, group.next);
      else this.#ranges.set(from, to, group.next);
    } else if (isSingleKey) {
      this.#exact.delete(from);
    } else {
      this.#ranges.delete(from, to);
    }
  }
}
