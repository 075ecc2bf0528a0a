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
}

const KIB = 1024;
const MIB = 1024 * KIB;

export function defaultWatchLimits(fragmentBytes: number): WatchLimits {
  return {
    // Measured: above it a client is behind anyway, and takes many revisions in a response for less
    // than one each. With 1 MiB the events of 1,000 watchers came at less than half the rate.
    streamBytesMax: 32 * KIB,
    totalBytes: 256 * MIB,
    streamBytesMin: 16 * KIB,
    responseBytes: 256 * KIB,
    responseRevisions: 1000,
    sliceRecords: 1000,
    sliceBytes: MIB,
    fragmentBytes,
  };
}

/** The budget of a stream, when there are so many. */
export function streamBudgetBytes(limits: WatchLimits, streamCount: number): number {
  const share = Math.floor(limits.totalBytes / Math.max(1, streamCount));
  return Math.min(limits.streamBytesMax, Math.max(limits.streamBytesMin, share));
}
