// Mistakes planted into the watchers, to see that the simulation would notice: one that is not
// found is a hole in the workload or in the checks. Each replaces a method for the time of one run.

import { Mvcc } from "../../src/state/mvcc/mvcc.ts";
import { CatchUp } from "../../src/state/watch/catch-up.ts";
import { EventSender } from "../../src/state/watch/event-sender.ts";
import { FanOut } from "../../src/state/watch/fan-out.ts";
import { PreviousRecords } from "../../src/state/watch/previous-records.ts";
import { WatchableStore } from "../../src/state/watch/watchable-store.ts";
import { WatchFlag } from "../../src/state/watch/watcher.ts";
import { WatcherGroup } from "../../src/state/watch/watcher-index.ts";
import { Backend } from "../../src/storage/backend.ts";
import type { WatchSimulation } from "./simulation.ts";

export interface Mutant {
  readonly name: string;
  /** Plants it; returns how to take it out again. */
  readonly plant: (run: WatchSimulation) => () => void;
}

/** Replaces a method by one that may call the original. */
function replace<Owner extends object, Name extends keyof Owner>(
  owner: Owner,
  name: Name,
  make: (original: Owner[Name]) => Owner[Name],
): () => void {
  const original = owner[name];
  owner[name] = make(original);
  return () => {
    owner[name] = original;
  };
}

const store = WatchableStore.prototype;
const group = WatcherGroup.prototype;

export const mutants: readonly Mutant[] = [
  {
    name: "an event is lost when a slow watcher falls back",
    plant: () =>
      replace(store, "admit", (admit) => {
        return function (this: WatchableStore, watcher, revision) {
          return admit.call(this, watcher, Math.min(revision + 1, this.revision));
        };
      }),
  },
  {
    name: "an event comes again when a slow watcher falls back",
    plant: () =>
      replace(store, "admit", (admit) => {
        return function (this: WatchableStore, watcher, revision) {
          return admit.call(this, watcher, revision - 1);
        };
      }),
  },
  {
    name: "a deletion at the compact revision is lost",
    plant: (run) =>
      replace(FanOut.prototype, "offer", (offer) => {
        return function (this: FanOut, revision, key, tombstone, ...rest) {
          if (tombstone && revision === run.member.mvcc.compactRevision) return false;
          return offer.call(this, revision, key, tombstone, ...rest);
        };
      }),
  },
  {
    name: "a new watcher gets what was gathered before it came",
    plant: () =>
      replace(store, "create", (create) => {
        return function (this: WatchableStore, stream, options) {
          const restore = replace<WatchableStore, "flush">(this, "flush", () => () => {});
          const watcher = create.call(this, stream, options);
          restore();
          return watcher;
        };
      }),
  },
  {
    name: "progress runs ahead of events",
    plant: () => replace(store, "isInStep", () => () => true),
  },
  {
    name: "a watcher of the future gets what is older",
    plant: () =>
      replace(store, "create", (create) => {
        return function (this: WatchableStore, stream, options) {
          const isFuture = options.startRevision > this.revision + 1;
          const startRevision = isFuture ? 0 : options.startRevision;
          return create.call(this, stream, { ...options, startRevision });
        };
      }),
  },
  {
    name: "a new watcher gets what is under way",
    plant() {
      let isCreating = false;
      const restoreFlush = replace(store, "flush", (flush) => {
        return function (this: WatchableStore) {
          if (!isCreating) flush.call(this);
        };
      });
      const restoreCreate = replace(store, "create", (create) => {
        return function (this: WatchableStore, stream, options) {
          isCreating = true;
          const watcher = create.call(this, stream, options);
          isCreating = false;
          return watcher;
        };
      });
      return () => {
        restoreCreate();
        restoreFlush();
      };
    },
  },
  {
    name: "the previous value is that of now",
    plant: () =>
      replace(Mvcc.prototype, "findRecordOf", (find) => {
        return function (this: Mvcc, slot, revision) {
          return find.call(this, slot, revision + 1);
        };
      }),
  },
  {
    name: "the previous value is remembered although records were left out",
    plant: () => replace(PreviousRecords.prototype, "continueAt", () => () => {}),
  },
  {
    name: "filters are ignored",
    plant: () =>
      replace(group, "wants", () => {
        return function (this: WatcherGroup, revision) {
          return revision >= this.since;
        };
      }),
  },
  {
    name: "who shares a slice gets what is before its start",
    plant: () =>
      replace(group, "wants", () => {
        return function (this: WatcherGroup, _revision, tombstone) {
          return (this.flags & (tombstone ? WatchFlag.NoDelete : WatchFlag.NoPut)) === 0;
        };
      }),
  },
  {
    name: "nobody is told of compactions",
    plant: () =>
      replace(store, "openStream", (open) => {
        return function (this: WatchableStore, sink) {
          return open.call(this, sink, () => {});
        };
      }),
  },
  {
    name: "headers promise the current revision",
    plant: (run) =>
      replace(EventSender.prototype, "prepare", (prepare) => {
        return function (this: EventSender, batch, column, places, from, to, _header, isShared) {
          const { revision } = run.member;
          prepare.call(this, batch, column, places, from, to, revision, isShared);
        };
      }),
  },
  {
    name: "a slice ends in the middle of a revision",
    plant() {
      let isSlice = false;
      const restoreStep = replace(CatchUp.prototype, "step", (step) => {
        return function (this: CatchUp) {
          isSlice = true;
          step.call(this);
          isSlice = false;
        };
      });
      const restoreScan = replace(Backend.prototype, "scanRecords", (scan) => {
        return function (this: Backend, fromMain, fromSub, visit) {
          const isCut = isSlice;
          scan.call(this, fromMain, fromSub, (main, sub, ...rest) => {
            return !(isCut && sub === 2) && visit(main, sub, ...rest);
          });
        };
      });
      return () => {
        restoreScan();
        restoreStep();
      };
    },
  },
];
