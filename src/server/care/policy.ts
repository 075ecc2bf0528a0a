// What a store that looks after itself does next: one function from figures to a decision, so that
// every case is a row of a test and the simulator sees exactly what production does.
//
//   in use        │ up to 1st watermark │ 1st … 2nd              │ above, or NOSPACE
//   history       │ is nobody's matter  │ older than the window  │ all that nobody needs
//
//   file          │ is what it should be for what is in it │ larger by a factor, or near the quota
//                 │ nothing                                │ defragment, when it is my turn
//
//   NOSPACE, mine │ disarmed when the file is well below the quota again
//
// Below the first watermark history is kept: clients may read it, as with etcd's defaults. Never
// compacted is what a watcher has not been given, what was read of late, and anything at all when
// a retention flag says how history is compacted.

/** Of the quota: in use. */
export const FIRST_WATERMARK = 0.5;
export const SECOND_WATERMARK = 0.75;
/** Between the watermarks this much of history stays: informers come back within minutes. */
export const HISTORY_WINDOW_MS: number = 5 * 60_000;
/** Compactions that win less than this, of the quota, are not worth a hash of the store. */
const COMPACTION_WIN_MIN = 0.05;
/** The file against what a fresh copy would take: keeps it under twice that. */
const BLOAT_MAX = 1.6;
/** Of the quota: less is not worth writing the file anew. */
const DEFRAGMENTATION_WIN_MIN = 1 / 256;
/** A file so near its quota is copied for less. */
const FILE_WATERMARK = 0.85;
const NEAR_QUOTA_WIN_MIN = 0.05;
/** Of the quota: the alarm goes when the file is below. */
const DISARM_BELOW = 0.9;
/** Without a quota the watermarks are those of etcd's default. */
const QUOTA_ASSUMED_BYTES: number = 2 * 1024 ** 3;
/** What a record costs beside its bytes: its place in a page. */
const RECORD_OVERHEAD_BYTES = 16;
/** Pages of a fresh copy are so full; metas, freelist and small buckets beside. */
export const COPY_OVERHEAD = 1.05;
const COPY_BASE_BYTES: number = 32 * 1024;

export interface Figures {
  readonly fileBytes: number;
  readonly inUseBytes: number;
  /** Infinity for none. */
  readonly quotaBytes: number;
  readonly liveBytes: number;
  readonly historyBytes: number;
  readonly recordCount: number;
  /** Of the last copy: what it took for each byte of its records; see COPY_OVERHEAD. */
  readonly copyOverhead: number;
  readonly currentRevision: number;
  readonly compactRevision: number;
  /** The revision of one window ago. */
  readonly windowRevision: number;
  /** The oldest revision that a watcher was not given or that was read of late; Infinity: none. */
  readonly neededRevision: number;
  /** Who needs it, for people. */
  readonly neededBy: string;
  /** Where most of the live data lies, for people. */
  readonly fullest: () => string;
  readonly hasRetention: boolean;
  readonly isLeader: boolean;
  /** Some member has raised NOSPACE; this one has. */
  readonly isNoSpace: boolean;
  readonly isNoSpaceMine: boolean;
  /** It failed a short while ago: the other things are looked at meanwhile. */
  readonly isCompactionBlocked: boolean;
  readonly isDefragmentationBlocked: boolean;
  /** A compaction or defragmentation goes on, or waits for its effect. */
  readonly isBusy: boolean;
  /** Members take turns at defragmenting. */
  readonly isMyTurn: boolean;
}

export type Decision =
  | { readonly action: "none" }
  /** Something stands in the way that people should know of. */
  | { readonly action: "warn"; readonly reason: string }
  | { readonly action: "compact"; readonly reason: string; readonly revision: number }
  | { readonly action: "defragment"; readonly reason: string; readonly expectedBytes: number }
  | { readonly action: "disarm"; readonly reason: string };

const NOTHING: Decision = { action: "none" };

export function decide(figures: Figures): Decision {
  if (figures.isBusy) return NOTHING;
  const disarm = decideDisarm(figures);
  if (disarm.action !== "none") return disarm;
  const compaction = decideCompaction(figures);
  if (compaction.action === "compact") return compaction;
  const defragmentation = decideDefragmentation(figures);
  return defragmentation.action === "none" ? compaction : defragmentation;
}

/** What a fresh copy of the file would take, about. */
export function copyBytesOf(
  figures: Pick<Figures, "liveBytes" | "historyBytes" | "recordCount" | "copyOverhead">,
): number {
  return Math.ceil(figures.copyOverhead * recordBytesOf(figures) + COPY_BASE_BYTES);
}

/**
 * What a copy has shown about the shape of the records: two values of 2.1 KB, say, need three pages
 * of 4 KB. Without this such a store would be copied again and again for nothing.
 */
export function overheadOf(
  fileBytes: number,
  figures: Pick<Figures, "liveBytes" | "historyBytes" | "recordCount">,
): number {
  const recordBytes = recordBytesOf(figures);
  const overhead = recordBytes === 0 ? 0 : (fileBytes - COPY_BASE_BYTES) / recordBytes;
  return Math.max(COPY_OVERHEAD, overhead);
}

function recordBytesOf(
  figures: Pick<Figures, "liveBytes" | "historyBytes" | "recordCount">,
): number {
  const { liveBytes, historyBytes, recordCount } = figures;
  return liveBytes + historyBytes + RECORD_OVERHEAD_BYTES * recordCount;
}

function quotaOf({ quotaBytes }: Figures): number {
  return Number.isFinite(quotaBytes) ? quotaBytes : QUOTA_ASSUMED_BYTES;
}

function decideDisarm(figures: Figures): Decision {
  const { fileBytes, isNoSpaceMine } = figures;
  const limit = DISARM_BELOW * quotaOf(figures);
  if (!isNoSpaceMine || fileBytes >= limit) return NOTHING;
  const reason = `the file is below ${percent(DISARM_BELOW)} of the quota again`;
  return { action: "disarm", reason };
}

function decideCompaction(figures: Figures): Decision {
  const { inUseBytes, historyBytes, currentRevision, compactRevision, isNoSpace } = figures;
  const quota = quotaOf(figures);
  const usage = inUseBytes / quota;
  if (!figures.isLeader || figures.isCompactionBlocked) return NOTHING;
  if (usage < FIRST_WATERMARK && !isNoSpace) return NOTHING;
  const isUrgent = isNoSpace || usage >= SECOND_WATERMARK;
  const wanted = isUrgent ? currentRevision : figures.windowRevision;
  const revision = Math.min(wanted, figures.neededRevision);
  const used = isNoSpace ? "NOSPACE is raised" : `${percent(usage)} of the quota is in use`;
  if (figures.hasRetention) {
    return isUrgent ? warning(`${used}; history is kept by --auto-compaction-retention`) : NOTHING;
  }
  // History lies evenly over the revisions, about.
  const span = Math.max(1, currentRevision - Math.max(0, compactRevision));
  const winOf = (to: number): number => (historyBytes * (to - Math.max(0, compactRevision))) / span;
  const winMin = COMPACTION_WIN_MIN * quota;
  if (revision > compactRevision && winOf(revision) >= winMin) {
    return { action: "compact", reason: used, revision };
  }
  if (isUrgent && historyBytes >= winMin && revision < wanted) {
    return warning(`${used}; ${figures.neededBy} holds history from revision ${revision} on`);
  }
  return isUrgent && figures.liveBytes >= SECOND_WATERMARK * quota
    ? warning(`${used} by live data, which no compaction helps: ${figures.fullest()}`)
    : NOTHING;
}

function decideDefragmentation(figures: Figures): Decision {
  const { fileBytes, isNoSpaceMine, isMyTurn } = figures;
  if (figures.isDefragmentationBlocked) return NOTHING;
  const quota = quotaOf(figures);
  const expectedBytes = copyBytesOf(figures);
  const win = fileBytes - expectedBytes;
  const isBloated =
    fileBytes >= BLOAT_MAX * expectedBytes && win >= DEFRAGMENTATION_WIN_MIN * quota;
  const isNear = fileBytes >= FILE_WATERMARK * quota && win >= NEAR_QUOTA_WIN_MIN * quota;
  const isFull = isNoSpaceMine && win >= NEAR_QUOTA_WIN_MIN * quota;
  if (!isBloated && !isNear && !isFull) return NOTHING;
  // A member that is full stops all: it does not wait for its turn.
  if (!isMyTurn && !isFull) return NOTHING;
  const factor = (fileBytes / expectedBytes).toFixed(1);
  const size = `the file is ${factor} times what its records need`;
  const near = `and ${percent(fileBytes / quota)} of the quota`;
  return { action: "defragment", reason: isBloated ? size : `${size} ${near}`, expectedBytes };
}

function warning(reason: string): Decision {
  return { action: "warn", reason };
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
