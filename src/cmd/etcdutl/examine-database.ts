// What a database file looks like to somebody who only reads it: pages, records one by one, the
// index that a member would build from them, and where the bytes lie. The sizes are counted here
// record by record in plain maps, independently of the account that a running member keeps, and the
// two are compared.

import { latin1 } from "../../base/latin1.ts";
import { silentLogger } from "../../base/log.ts";
import { Column } from "../../state/accounting/prefix-tree.ts";
import { KeyIndex } from "../../state/mvcc/key-index.ts";
import { Mvcc } from "../../state/mvcc/mvcc.ts";
import { Restore } from "../../state/mvcc/restore.ts";
import { Bucket, MetaKey, readRevision, readUint64 } from "../../storage/schema.ts";
import type { Store } from "../../storage/store.ts";
import { KeyValueView, viewKeyValue } from "../../wire/key-value.ts";
import { decodeAlarmMember } from "../../wire/messages/rpc-maintenance.ts";
import { FileRecords } from "./file-records.ts";
import type { Report } from "./report.ts";

const STEP = 10_000;
const HASH_SEED = 1;
/** Free or of dead history: more is worth a word. */
const FREE_SHARE_NOTED = 0.4;
const HISTORY_SHARE_NOTED = 0.5;
const PREFIX_LEVELS = 3;

export interface DirectorySize {
  readonly prefix: string;
  keys: number;
  liveBytes: number;
  historyBytes: number;
  records: number;
}

export interface DatabaseLook {
  readonly sizeBytes: number;
  readonly freeBytes: number;
  readonly appliedIndex: number;
  readonly term: number;
  readonly revision: number;
  readonly compactRevision: number;
  readonly keys: number;
  readonly records: number;
  readonly tombstones: number;
  readonly liveBytes: number;
  readonly historyBytes: number;
  /** Largest first. */
  readonly directories: readonly DirectorySize[];
  /** The key with most revisions in the file. */
  readonly mostWritten: { readonly key: string; readonly records: number } | undefined;
}

export function examineDatabase(store: Store, path: string, report: Report): DatabaseLook {
  const problems = store.problems();
  for (const problem of problems) {
    report.bad(path, `page check: ${problem}`, "do not start on it: restore from a snapshot");
  }
  const meta = store.db.view.bucket(Bucket.meta);
  const number = (key: Uint8Array): number => readUint64(meta?.get(key) ?? new Uint8Array(8));
  const scan = new RecordScan(path, report);
  if (problems.length === 0) {
    new FileRecords(store).scanRecords(1, 0, scan.visit);
    compareWithAccount(store, path, scan, report);
  }
  const finished = meta?.get(MetaKey.finishedCompactRev);
  const scheduled = meta?.get(MetaKey.scheduledCompactRev);
  const compactRevision = finished === undefined ? 0 : readRevision(finished).main;
  if (scheduled !== undefined && readRevision(scheduled).main > compactRevision) {
    const revision = readRevision(scheduled).main;
    report.note(
      path,
      `a compaction at revision ${revision} is not finished`,
      "it goes on at start",
    );
  }
  new FileRecords(store).forEach(Bucket.alarm, (key) => {
    const { memberID, alarm } = decodeAlarmMember(key);
    const name = alarm === 1 ? "NOSPACE" : "CORRUPT";
    const advice =
      alarm === 1 ? "etcdctl recover" : "find the member that differs: etcdctl endpoint hashkv";
    report.note(path, `alarm ${name} of member ${memberID.toString(16)}`, advice);
  });
  const { sizeBytes, freeBytes } = store.db;
  const look = {
    ...{ sizeBytes, freeBytes, compactRevision },
    appliedIndex: number(MetaKey.consistentIndex),
    term: number(MetaKey.term),
    ...scan.result(),
  };
  noteSizes(path, look, report);
  return look;
}

function noteSizes(path: string, look: DatabaseLook, report: Report): void {
  const { sizeBytes, freeBytes, liveBytes, historyBytes, mostWritten } = look;
  if (freeBytes > FREE_SHARE_NOTED * sizeBytes && freeBytes > 1 << 20) {
    const share = Math.round((100 * freeBytes) / sizeBytes);
    report.note(path, `${share} % of the file are free pages`, "etcdutl defrag, or etcdctl defrag");
  }
  const held = liveBytes + historyBytes;
  if (historyBytes > HISTORY_SHARE_NOTED * held && historyBytes > 1 << 20) {
    const share = Math.round((100 * historyBytes) / held);
    const most = mostWritten === undefined ? "" : `; most written: ${mostWritten.key}`;
    report.note(
      path,
      `${share} % of the records are history${most}`,
      "compact: etcdctl compaction",
    );
  }
}

/** The index as a member would build it, and its account, against what the scan has counted. */
function compareWithAccount(store: Store, path: string, scan: RecordScan, report: Report): void {
  const index = new KeyIndex(HASH_SEED);
  const leases = { isAnyAttached: false, attach() {}, detach() {} };
  const records = new FileRecords(store);
  const mvcc = new Mvcc({ records, leases, index, onChanges() {} });
  const restore = new Restore(mvcc, silentLogger);
  while (!restore.step(STEP));
  restore.finish(leases, () => true);
  const { keys, liveBytes, historyBytes } = scan.result();
  const { space } = mvcc;
  const pairs = [
    ["keys", index.liveCount, keys],
    ["live bytes", space.total(Column.LiveBytes), liveBytes],
    ["history bytes", space.total(Column.HistoryBytes), historyBytes],
  ] as const;
  for (const [what, accounted, counted] of pairs) {
    if (accounted === counted) continue;
    const text = `${what}: the index has ${accounted}, a count of the records ${counted}`;
    report.bad(path, text, "report it as a bug, with the file");
  }
}

class RecordScan {
  readonly #path: string;
  readonly #report: Report;
  readonly #view = new KeyValueView();
  /** Bytes of the newest record of each live key. */
  readonly #newest = new Map<string, number>();
  readonly #counts = new Map<string, number>();
  readonly #directories = new Map<string, DirectorySize>();
  #lastMain = 0;
  #lastSub = 0;
  #records = 0;
  #tombstones = 0;

  constructor(path: string, report: Report) {
    this.#path = path;
    this.#report = report;
  }

  readonly visit = (
    main: number,
    sub: number,
    tombstone: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean => {
    const view = this.#view;
    viewKeyValue(bytes, start, end, view);
    const key = latin1(bytes, view.keyStart, view.keyEnd);
    this.#check(main, sub, tombstone, key);
    this.#records++;
    if (tombstone) this.#tombstones++;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    const sizeBytes = end - start + (tombstone ? 18 : 17);
    const previous = this.#newest.get(key) ?? 0;
    for (const directory of this.#directoriesOf(key)) {
      directory.records++;
      directory.liveBytes += (tombstone ? 0 : sizeBytes) - previous;
      directory.historyBytes += previous + (tombstone ? sizeBytes : 0);
      directory.keys += (tombstone ? 0 : 1) - (previous > 0 ? 1 : 0);
    }
    if (tombstone) this.#newest.delete(key);
    else this.#newest.set(key, sizeBytes);
    return true;
  };

  result() {
    const all = this.#directories.get("");
    let mostWritten: { key: string; records: number } | undefined;
    for (const [key, records] of this.#counts) {
      if (mostWritten === undefined || records > mostWritten.records)
        mostWritten = { key, records };
    }
    const held = (one: DirectorySize): number => one.liveBytes + one.historyBytes;
    return {
      revision: this.#lastMain,
      keys: all?.keys ?? 0,
      records: this.#records,
      tombstones: this.#tombstones,
      liveBytes: all?.liveBytes ?? 0,
      historyBytes: all?.historyBytes ?? 0,
      directories: [...this.#directories.values()].sort((a, b) => held(b) - held(a)),
      mostWritten,
    };
  }

  #check(main: number, sub: number, tombstone: boolean, key: string): void {
    const report = this.#report;
    const at = `revision ${main}.${sub}`;
    const isOrdered = main > this.#lastMain || (main === this.#lastMain && sub > this.#lastSub);
    if (!isOrdered && this.#records > 0) report.bad(this.#path, `${at} is out of order`, RESTORE);
    if (!tombstone && this.#view.modRevision !== main) {
      const text = `${at} of key ${key} says it is of revision ${this.#view.modRevision}`;
      report.bad(this.#path, text, RESTORE);
    }
    this.#lastMain = main;
    this.#lastSub = sub;
  }

  /** All, and the directories of the key down to some levels. */
  *#directoriesOf(key: string): Iterable<DirectorySize> {
    let end = 0;
    for (let level = 0; level <= PREFIX_LEVELS; level++) {
      const prefix = key.slice(0, end);
      let directory = this.#directories.get(prefix);
      if (directory === undefined) {
        directory = { prefix, keys: 0, liveBytes: 0, historyBytes: 0, records: 0 };
        this.#directories.set(prefix, directory);
      }
      yield directory;
      const slash = key.indexOf("/", end);
      if (slash < 0) return;
      end = slash + 1;
    }
  }
}

const RESTORE = "restore from a snapshot: etcdutl snapshot restore";
