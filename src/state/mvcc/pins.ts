// Revisions that readers go on to read in a later turn. A compaction takes nothing from who reads
// at its revision or above, so it waits for older readers only: new ones cannot hold it up.

/** For `add`: of a reader to whom every compaction makes a difference. */
export const ALL_REVISIONS = -1;

export class Pins {
  readonly #counts = new Map<number, number>();
  count = 0;
  /** Readers who may take long: what ends them when the records are about to be replaced. */
  readonly revocable: Set<() => void> = new Set<() => void>();

  add(revision: number): void {
    this.#counts.set(revision, (this.#counts.get(revision) ?? 0) + 1);
    this.count++;
  }

  remove(revision: number): void {
    const left = this.#counts.get(revision)! - 1;
    if (left === 0) this.#counts.delete(revision);
    else this.#counts.set(revision, left);
    this.count--;
  }

  /** Those who depend on their client's speed must go now; all others end by themselves. */
  revoke(): void {
    for (const end of [...this.revocable]) end();
  }

  /** Whether somebody reads below `revision`. */
  hasBelow(revision: number): boolean {
    if (this.count === 0) return false;
    for (const pinned of this.#counts.keys()) if (pinned < revision) return true;
    return false;
  }
}
