// One watcher: what it wants, and how far it is. In step with the store it needs no position: all
// up to the current revision was given to its stream. Only those behind (or ahead) have a cursor.

import type { WatchStream } from "./watch-stream.ts";
import type { WatcherGroup } from "./watcher-index.ts";

/**
 * PrevKv     events come with the KeyValue before
 * NoPut      … without those of puts
 * NoDelete   … without those of deletions
 * Fragments  a revision may come in several responses
 * Progress   when nothing happens it wants to be told
 */
export const WatchFlag = { PrevKv: 1, NoPut: 2, NoDelete: 4, Fragments: 8, Progress: 16 } as const;

/** Those by which the events of two watchers of a range, or their bytes, differ. */
export const EVENT_FLAGS: number = WatchFlag.PrevKv | WatchFlag.NoPut | WatchFlag.NoDelete;

/**
 * synced    gets each event as it happens
 * lagging   reads history from `nextRevision` on
 * future    waits until `nextRevision` is next
 * gone      cancelled, or its stream is closed
 */
export type WatcherState = "synced" | "lagging" | "future" | "gone";

/** What a client asks for, checked and with its defaults. */
export interface WatcherOptions {
  /** The range [from, to) as latin1 strings; `to` as `from` is the one key, undefined no end. */
  readonly from: string;
  readonly to: string | undefined;
  /** Bits of WatchFlag. */
  readonly flags: number;
  /** 0: from now on. */
  readonly startRevision: number;
  /** 0: any id that is free. */
  readonly id: number;
}

export class Watcher {
  readonly stream: WatchStream;
  readonly id: number;
  /** Its group's, once it had one: of a thousand equal keys one is kept. */
  from: string;
  to: string | undefined;
  readonly flags: number;
  /** As it was asked for; 0: from its creation on. */
  readonly startRevision: number;
  state: WatcherState = "gone";
  /** The first revision that it was not given; means nothing while it is synced. */
  nextRevision = 0;
  /** It was given something since its last progress notification was due. */
  hasNews = false;
  /** In this slice of catching up its stream could take no more; `nextRevision` says where. */
  isHeld = false;
  /** Where the index has it. */
  group: WatcherGroup | null = null;
  at = -1;

  constructor(stream: WatchStream, id: number, options: WatcherOptions) {
    this.stream = stream;
    this.id = id;
    this.from = options.from;
    this.to = options.to;
    this.flags = options.flags;
    this.startRevision = options.startRevision;
  }

  get wantsFragments(): boolean {
    return (this.flags & WatchFlag.Fragments) !== 0;
  }

  get wantsProgress(): boolean {
    return (this.flags & WatchFlag.Progress) !== 0;
  }

  get wantsPrevious(): boolean {
    return (this.flags & WatchFlag.PrevKv) !== 0;
  }
}
