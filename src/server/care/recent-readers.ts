// Which old revisions were read of late: somebody who pages through a list at a revision, or
// compares with the past, comes back for more. Two buckets of a minute: what was read is remembered
// for one to two minutes.

const BUCKET_MS = 60_000;

export class RecentReaders {
  #bucket = 0;
  #current = Number.POSITIVE_INFINITY;
  #previous = Number.POSITIVE_INFINITY;

  /** A read at a revision, other than now. */
  note(revision: number, nowMs: number): void {
    this.#turn(nowMs);
    if (revision < this.#current) this.#current = revision;
  }

  /** Infinity: none. */
  oldest(nowMs: number): number {
    this.#turn(nowMs);
    return Math.min(this.#current, this.#previous);
  }

  #turn(nowMs: number): void {
    const bucket = Math.floor(nowMs / BUCKET_MS);
    if (bucket === this.#bucket) return;
    this.#previous = bucket === this.#bucket + 1 ? this.#current : Number.POSITIVE_INFINITY;
    this.#current = Number.POSITIVE_INFINITY;
    this.#bucket = bucket;
  }
}
