// How much is done at once for watchers, and how much may wait. One object for all parts, so that a
// simulation can make everything small.

export interface WatchLimits {
  /** Handed over to one stream and not yet taken by its client. */
  streamBytesMax: number;
  /** The same for all streams together, as long as there are not too many of them … */
  totalBytes: number;
  /** … each may always hold so much. */
  streamBytesMin: number;
  /** A response that is as large gets no further revision. */
  responseBytes: number;
  /** As in etcd, whose clients then need not be ready for more. */
  responseRevisions: number;
  /** A slice of history: about a millisecond, and never more revisions than a response. */
  sliceRecords: number;
  sliceBytes: number;
  /** Responses as large are cut for watchers that allow it. */
  fragmentBytes: number;
  /** After responses, so long for each of them, changes are gathered … */
  restMsPerResponse: number;
  /** … unless that is less … */
  restMsMin: number;
  /** … and never for longer. */
  restMsMax: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export function defaultWatchLimits(fragmentBytes: number): WatchLimits {
  return {
    // As much as a hundred watchers of a stream are given at once when changes were gathered.
    streamBytesMax: MIB,
    totalBytes: 256 * MIB,
    streamBytesMin: 16 * KIB,
    responseBytes: 256 * KIB,
    responseRevisions: 1000,
    sliceRecords: 1000,
    sliceBytes: MIB,
    fragmentBytes,
    // A response costs its client ten times as much as an event in it (measured: 9 µs and 1 µs with
    // etcd's Go client). Where one change goes to a thousand watchers, the next one would come
    // before they are through with it: they get the next ones together.
    restMsPerResponse: 0.02,
    // Less is not worth a timer.
    restMsMin: 4,
    // Nobody hears of a change later because others have much to hear.
    restMsMax: 25,
  };
}

/** The budget of a stream, when there are so many. */
export function streamBudgetBytes(limits: WatchLimits, streamCount: number): number {
  const share = Math.floor(limits.totalBytes / Math.max(1, streamCount));
  return Math.min(limits.streamBytesMax, Math.max(limits.streamBytesMin, share));
}
