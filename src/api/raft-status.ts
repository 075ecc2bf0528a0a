// The state of the agreement as etcd shows it in /debug/vars.

import type { RaftStatus } from "../raft/raft.ts";
import { idText } from "../state/members/member-json.ts";

const STATE_NAMES: Record<RaftStatus["role"], string> = {
  follower: "StateFollower",
  "pre-candidate": "StatePreCandidate",
  candidate: "StateCandidate",
  leader: "StateLeader",
};

export function raftStatus(status: RaftStatus): unknown {
  const progress = [...status.progress].map(([id, { match, next, state }]) => [
    idText(id),
    { match, next, state },
  ]);
  return {
    id: idText(status.id),
    term: status.term,
    vote: idText(status.vote),
    commit: status.commit,
    lead: idText(status.lead),
    raftState: STATE_NAMES[status.role],
    applied: status.applied,
    progress: Object.fromEntries(progress),
    leadtransferee: idText(status.leadTransferee),
  };
}
