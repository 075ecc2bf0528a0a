// The last record of each key that a reader of history passed. Without it each previous KeyValue
// would be looked for from the newest revision of the key backwards: for a watcher that is half a
// million revisions of one key behind that is a walk of half a million steps, again and again.

export interface RecordView {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

interface Passed {
  revision: number;
  /** null: a tombstone. */
  record: RecordView | null;
  /** What the key was before `revision`; undefined: not known. */
  before: RecordView | null | undefined;
}

/** Keys remembered; beyond it all are forgotten and looked up again. */
const KEYS_MAX = 4096;

export class PreviousRecords {
  readonly #passed = new Map<string, Passed>();
  #throughRevision = 0;

  /** What was remembered holds if reading goes on where it ended. */
  continueAt(fromRevision: number): void {
    if (fromRevision !== this.#throughRevision + 1) this.#passed.clear();
  }

  /** All records up to this revision were passed. */
  passedThrough(revision: number): void {
    this.#throughRevision = revision;
  }

  /** The KeyValue before `revision`: null for none, undefined if that is not known here. */
  find(key: string, revision: number): RecordView | null | undefined {
    const passed = this.#passed.get(key);
    if (passed === undefined) return undefined;
    return passed.revision < revision ? passed.record : passed.before;
  }

  /** A record was passed; to be told after `find` for its event. */
  note(key: string, revision: number, record: RecordView | null): void {
    const passed = this.#passed.get(key);
    if (passed === undefined) {
      if (this.#passed.size >= KEYS_MAX) this.#passed.clear();
      this.#passed.set(key, { revision, record, before: undefined });
      return;
    }
    if (passed.revision < revision) passed.before = passed.record;
    passed.revision = revision;
    passed.record = record;
  }
}
