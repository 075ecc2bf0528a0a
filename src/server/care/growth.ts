// How fast the store grows: sizes noted once a minute for a day, and the straight line through the
// last hour of them. What self-care and compactions take away between two notes is not growth, so
// only rises count.

/** One note a minute … */
export const NOTE_INTERVAL_MS = 60_000;
/** … for a day. */
const NOTES_MAX: number = 24 * 60;
/** The rate is of the last hour, or of what there is. */
const WINDOW_MS: number = 60 * 60_000;

export interface Note {
  readonly atMs: number;
  readonly fileBytes: number;
  readonly inUseBytes: number;
  readonly liveBytes: number;
  readonly historyBytes: number;
  readonly revision: number;
}

export interface Rates {
  readonly windowMs: number;
  readonly inUseBytesPerMs: number;
  readonly liveBytesPerMs: number;
  readonly historyBytesPerMs: number;
  readonly revisionsPerMs: number;
}

export class Growth {
  readonly #notes: Note[] = [];

  note(note: Note): void {
    this.#notes.push(note);
    if (this.#notes.length > NOTES_MAX) this.#notes.shift();
  }

  get latest(): Note | undefined {
    return this.#notes.at(-1);
  }

  /** Rates up to `now`, which is not noted. */
  rates(now: Note): Rates {
    const notes = [...this.#notes.filter(({ atMs }) => now.atMs - atMs <= WINDOW_MS), now];
    const windowMs = now.atMs - notes[0]!.atMs;
    const rate = (of: (note: Note) => number): number => {
      let risen = 0;
      for (let i = 1; i < notes.length; i++) {
        risen += Math.max(0, of(notes[i]!) - of(notes[i - 1]!));
      }
      return windowMs === 0 ? 0 : risen / windowMs;
    };
    // Live data may shrink and grow in turns; what counts is where it goes.
    const live = now.liveBytes - notes[0]!.liveBytes;
    return {
      windowMs,
      inUseBytesPerMs: rate(({ inUseBytes }) => inUseBytes),
      liveBytesPerMs: windowMs === 0 ? 0 : live / windowMs,
      historyBytesPerMs: rate(({ historyBytes }) => historyBytes),
      revisionsPerMs: rate(({ revision }) => revision),
    };
  }
}

/** When `bytes` growing at `rate` reaches `limit`; -1: never, 0: it has. */
export function reachedInMs(bytes: number, bytesPerMs: number, limit: number): number {
  if (!Number.isFinite(limit)) return -1;
  if (bytes >= limit) return 0;
  return bytesPerMs > 0 ? Math.ceil((limit - bytes) / bytesPerMs) : -1;
}
