// What raft says, as lines for people: entries as term/index, ids in decimal.

import type { RaftStatus } from "../../src/raft/raft.ts";
import type { ConfState, Entry, Ready } from "../../src/raft/ready.ts";
import {
  decodeConfChange,
  decodeConfChangeV2,
  type Message,
} from "../../src/wire/messages/raft.ts";

const typeNames = [
  ..."Hup Beat Prop App AppResp Vote VoteResp Snap Heartbeat HeartbeatResp Unreachable".split(" "),
  ..."SnapStatus CheckQuorum TransferLeader TimeoutNow ReadIndex ReadIndexResp PreVote".split(" "),
  "PreVoteResp",
];

export function typeName(type: number): string {
  return typeNames[type] ?? `type-${type}`;
}

export function typeNumber(name: string): number {
  const type = typeNames.indexOf(name);
  if (type < 0) throw new Error(`no message type ${name}`);
  return type;
}

const changeSigns = ["+", "-", "=", "~"];

/** `+4` adds a voter, `~4` adds a learner, `-4` removes, `=4` updates. */
function changeText(entry: Entry): string {
  if (entry.type === 1) {
    const { type, nodeId } = decodeConfChange(entry.data);
    return `conf ${changeSigns[type]}${nodeId}`;
  }
  const { transition, changes } = decodeConfChangeV2(entry.data);
  if (changes.length === 0 && transition === 0) return "conf leave-joint";
  const kind = ["auto", "implicit", "explicit"][transition];
  return `conf ${kind} ${changes.map((c) => `${changeSigns[c.type]}${c.nodeId}`).join(" ")}`;
}

export function entryText(entry: Entry): string {
  const place = `${entry.term}/${entry.index}`;
  if (entry.type !== 0) return `${place} ${changeText(entry)}`;
  return entry.data.length === 0 ? place : `${place} "${bytesText(entry.data)}"`;
}

/** Many entries with a long common shape are told by their ends. */
function entriesText(entries: readonly Entry[]): string {
  if (entries.length <= 6) return entries.map(entryText).join(", ");
  return `${entryText(entries[0]!)}, … ${entries.length - 2} more …, ${entryText(entries.at(-1)!)}`;
}

export function bytesText(bytes: Uint8Array): string {
  const isText = bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
  return isText ? Buffer.from(bytes).toString("latin1") : `x${Buffer.from(bytes).toString("hex")}`;
}

export function confStateText(state: ConfState): string {
  const parts = [`voters (${state.voters.join(" ")})`];
  if (state.votersOutgoing.length > 0) parts.push(`outgoing (${state.votersOutgoing.join(" ")})`);
  if (state.learners.length > 0) parts.push(`learners (${state.learners.join(" ")})`);
  if (state.learnersNext.length > 0) parts.push(`learners-next (${state.learnersNext.join(" ")})`);
  if (state.autoLeave) parts.push("auto-leave");
  return parts.join(" ");
}

export function messageText(message: Message): string {
  const { type, from, to, term, index, logTerm, commit, entries, snapshot, context } = message;
  const name = typeName(type);
  const parts = [`${from}->${to} ${name}`];
  parts.push(term === 0 ? "no term" : `term ${term}`);
  if (name === "App") parts.push(`after ${logTerm}/${index}`);
  else if (name === "Vote" || name === "PreVote") parts.push(`last ${logTerm}/${index}`);
  else if (index !== 0) parts.push(`index ${index}`);
  if (message.reject) parts.push("reject");
  if (name === "AppResp" && message.reject) parts.push(`hint ${logTerm}/${message.rejectHint}`);
  if (commit !== 0) parts.push(`commit ${commit}`);
  if (entries.length > 0) parts.push(`[${entriesText(entries)}]`);
  if (snapshot?.metadata !== undefined) {
    const { metadata } = snapshot;
    parts.push(`snapshot ${metadata.term}/${metadata.index}`);
    if (metadata.confState !== undefined) parts.push(confStateText(metadata.confState));
  }
  if (context.length > 0) parts.push(`context ${bytesText(context)}`);
  return parts.join(" ");
}

export function readyLines(ready: Ready): string[] {
  const lines: string[] = [];
  const { softState, hardState, snapshot, entries, committed, readStates, messages } = ready;
  if (softState !== undefined) lines.push(`${softState.role}, lead ${softState.lead}`);
  if (hardState !== undefined) {
    const { term, vote, commit } = hardState;
    lines.push(`term ${term} vote ${vote} commit ${commit}${ready.mustSync ? "" : " (no sync)"}`);
  }
  const metadata = snapshot?.metadata;
  if (metadata !== undefined) lines.push(`snapshot ${metadata.term}/${metadata.index}`);
  if (entries.length > 0) lines.push(`append ${entriesText(entries)}`);
  if (committed.length > 0) lines.push(`apply ${entriesText(committed)}`);
  for (const { index, context } of readStates) lines.push(`read ${bytesText(context)} at ${index}`);
  for (const message of messages) lines.push(messageText(message));
  return lines;
}

export function statusLines(status: RaftStatus): string[] {
  const { role, lead, term, vote, commit, applied, leadTransferee } = status;
  const transfer = leadTransferee === 0n ? "" : ` transfer to ${leadTransferee}`;
  const lines = [
    `${role}, lead ${lead}, term ${term} vote ${vote} commit ${commit} applied ${applied}${transfer}`,
    confStateText(status.confState),
  ];
  for (const [id, member] of status.progress) {
    const flags = [
      member.isLearner ? " learner" : "",
      member.isPaused ? " paused" : "",
      member.recentActive ? "" : " inactive",
      member.pendingSnapshot > 0 ? ` snapshot ${member.pendingSnapshot}` : "",
      member.inflightCount > 0 ? ` inflight ${member.inflightCount}` : "",
    ];
    lines.push(`${id}: ${member.state} match ${member.match} next ${member.next}${flags.join("")}`);
  }
  return lines;
}
