// What a write-ahead log may do wrong, as replacements of its methods.

import type { WalSnapshot } from "../../../src/storage/wal/read-log.ts";
import type { Wal, WalOptions } from "../../../src/storage/wal/wal.ts";

type Append = Wal["append"];
type Open = (options: WalOptions, from: WalSnapshot) => ReturnType<typeof Wal.open>;

/** Says that it is done when it has begun. */
export function ackBeforeWritten(append: Append): Append {
  const queues = new WeakMap<Wal, (() => void)[]>();
  return function (this: Wal, entries, hardState, mustSync, done) {
    const queue = queues.get(this) ?? [];
    queues.set(this, queue);
    const next = (): void => {
      append.call(this, entries, hardState, mustSync, (error) => {
        if (error !== null) return;
        queue.shift();
        queue[0]?.();
      });
    };
    queue.push(next);
    if (queue.length === 1) next();
    done(null);
  };
}

/** Finds the term, but not who got the vote in it. */
export function openForgetting(open: Open): Open {
  return (options, from) => {
    const opened = open(options, from);
    const { hardState } = opened.contents;
    if (hardState === undefined) return opened;
    const contents = { ...opened.contents, hardState: { ...hardState, vote: 0n } };
    return { ...opened, contents };
  };
}

/** What is left of a torn record becomes an entry. */
export function openWithTornEntry(open: Open): Open {
  return (options, from) => {
    let isTorn = false;
    const warn = (message: string, fields?: object): void => {
      isTorn ||= message.startsWith("repaired the write-ahead log");
      options.log.warn(message, fields as Record<string, unknown>);
    };
    const opened = open({ ...options, log: { ...options.log, warn } }, from);
    const last = opened.contents.entries.at(-1);
    if (!isTorn || last === undefined) return opened;
    const torn = { ...last, index: last.index + 1, data: new Uint8Array(0) };
    const contents = { ...opened.contents, entries: [...opened.contents.entries, torn] };
    return { ...opened, contents };
  };
}
