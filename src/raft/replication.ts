// What a leader sends to whom. New entries and a new commit index only mark `appendsPending`;
// the messages are made once, when the next Ready is taken, so that all proposals of one turn
// travel in one message per member. (etcd-io/raft makes a message per proposal.)
//
// Which entries a member is sent, and how many messages may be under way, is told by its Progress.
//
// A commit index without entries costs a member a turn, and the leader one for the answer. When the
// server says that more entries are due at once (`holdsCommits`), members where nobody waits for
// the index are told it together with those; the server sees to it that this is soon
// (`tellCommits`).

import { assert } from "../base/assert.ts";
import { MessageType } from "../wire/messages/raft.ts";
import { EMPTY_BYTES } from "../wire/protobuf/reader.ts";
import { type Core, messageTo } from "./core.ts";
import { payloadBytes, UNKNOWN_TERM } from "./log.ts";
import type { Progress } from "./progress.ts";

/** When the next Ready is taken: tells every member what it has not been told. */
export function flushAppends(core: Core): void {
  core.appendsPending = false;
  for (const member of core.tracker.members) {
    if (member === core.tracker.self) continue;
    let evenEmpty = hasCommitToTell(core, member);
    // As many messages as there are entries for and the window allows.
    while (sendAppend(core, member, evenEmpty)) evenEmpty = false;
  }
}

/** The member should hear of a new commit index even if there are no entries to send. */
export function hasCommitToTell(core: Core, member: Progress): boolean {
  const { commit } = core.log;
  if (member === core.tracker.self || !member.canBumpCommit(commit)) return false;
  if (!core.holdsCommits || member.isAwaiting) return true;
  // A member that is removed is not sent anything afterwards: it should learn of it now.
  return core.pendingConfIndex > member.sentCommit && core.pendingConfIndex <= commit;
}

/** Some member has not been told the commit index. */
export function owesCommits(core: Core): boolean {
  const { commit } = core.log;
  for (const member of core.tracker.members) {
    if (member !== core.tracker.self && member.canBumpCommit(commit)) return true;
  }
  return false;
}

/** At most one message; one without entries only if `evenEmpty`. False if nothing was sent. */
export function sendAppend(core: Core, member: Progress, evenEmpty: boolean): boolean {
  if (member.isPaused()) return false;
  const log = core.log;
  const previousTerm = log.term(member.next - 1);
  if (previousTerm === UNKNOWN_TERM) return sendSnapshot(core, member);
  const isFull = member.state === "replicate" && member.inflights.isFull();
  const limit = core.options.maxSizePerMessageBytes;
  const entries = isFull ? [] : log.slice(member.next, log.last, limit);
  if (entries.length === 0 && !evenEmpty) return false;
  const message = messageTo(member.id, MessageType.MsgApp);
  message.index = member.next - 1;
  message.logTerm = previousTerm;
  message.entries = entries;
  message.commit = log.commit;
  core.send(message);
  member.sent(entries.length, payloadBytes(entries), log.commit);
  return true;
}

/** What the member needs is compacted. The server adds the state machine's data. */
function sendSnapshot(core: Core, member: Progress): boolean {
  // It would be sent into the void, and occupy the member's place until that is noticed.
  if (!member.recentActive) return false;
  const metadata = core.log.snapshot;
  assert(metadata.index > 0, "a log is compacted only up to a snapshot");
  member.becomeSnapshot(metadata.index);
  const message = messageTo(member.id, MessageType.MsgSnap);
  message.snapshot = { data: EMPTY_BYTES, metadata };
  core.send(message);
  core.logger.debug(`${core.idHex} sends snapshot ${metadata.index} to ${member.id.toString(16)}`);
  return true;
}
