// Majorities: what half of a configuration agrees on. A joint configuration asks both halves;
// an empty half agrees to everything.

export type VoteResult = "won" | "lost" | "pending";

export function quorumOf(voterCount: number): number {
  return Math.floor(voterCount / 2) + 1;
}

/**
 * The highest value that a majority has reached: the largest v such that a quorum of `values`
 * is ≥ v; Infinity when there are none. `values` is reordered.
 */
export function majorityReached(values: number[]): number {
  const count = values.length;
  if (count === 0) return Number.POSITIVE_INFINITY;
  if (count === 1) return values[0]!;
  // Insertion sort: there are 3 to 7 values, nearly sorted by the call before.
  for (let at = 1; at < count; at++) {
    const value = values[at]!;
    let to = at;
    for (; to > 0 && values[to - 1]! > value; to--) values[to] = values[to - 1]!;
    values[to] = value;
  }
  return values[count - quorumOf(count)]!;
}

/** The outcome of a ballot among `voterCount`, of whom some have not answered yet. */
export function majorityVote(voterCount: number, yes: number, no: number): VoteResult {
  if (voterCount === 0 || yes >= quorumOf(voterCount)) return "won";
  return yes + (voterCount - yes - no) >= quorumOf(voterCount) ? "pending" : "lost";
}

export function jointVote(incoming: VoteResult, outgoing: VoteResult): VoteResult {
  if (incoming === "lost" || outgoing === "lost") return "lost";
  return incoming === "won" && outgoing === "won" ? "won" : "pending";
}
