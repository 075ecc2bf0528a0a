// Whose turn it is to defragment, without a word between members: wall time is cut into slots, and
// slot i belongs to the i-th member, in the order of ids with the leader last. A member begins in
// the first half of its slot only, so that clocks may differ by minutes. Two that know different
// leaders for a moment may meet: defragmentation stops nobody, only the disks are busier.

/** A copy of a file of some GB takes less than the half of it. */
export const SLOT_MS: number = 10 * 60_000;

export function isTurnOf(
  memberId: bigint,
  memberIds: readonly bigint[],
  leaderId: bigint,
  wallMs: number,
): boolean {
  if (memberIds.length <= 1) return true;
  const order = [...memberIds].sort((a, b) => (a < b ? -1 : 1)).filter((id) => id !== leaderId);
  if (memberIds.includes(leaderId)) order.push(leaderId);
  const slot = Math.floor(wallMs / SLOT_MS);
  return order[slot % order.length] === memberId && wallMs % SLOT_MS < SLOT_MS / 2;
}
