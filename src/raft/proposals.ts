// New entries: who takes them, and which are let in. Only a leader appends; a follower forwards.
// Those of one turn share a message. Nobody is told when a forwarded proposal is lost, so one that
// has effects is never repeated.
//
// A conf change passes a gate, since only one may be under way. What is refused still takes its
// place in the log, as an empty entry: the proposer learns nothing and times out.

import {
  decodeConfChange,
  decodeConfChangeV2,
  type Message,
  MessageType,
} from "../wire/messages/raft.ts";
import { EMPTY_BYTES } from "../wire/protobuf/reader.ts";
import { asV2, isLeaveJoint } from "./confchange.ts";
import { type Core, messageTo } from "./core.ts";
import { payloadBytes } from "./log.ts";
import { type Entry, EntryType } from "./ready.ts";

/** "no leader": nobody to propose to. "dropped": the leader refused, for now. */
export type ProposeResult = "ok" | "dropped" | "no leader";

/** `data` belongs to the log from here on. */
export function propose(core: Core, type: EntryType, data: Uint8Array): ProposeResult {
  if (core.role !== "leader") {
    return forwardProposal(core, [{ term: 0, index: 0, type, data }]);
  }
  if (!takesProposals(core) || !hasRoomFor(core, data.length)) return "dropped";
  appendGated(core, type, data);
  return "ok";
}

/** A proposal that a member has forwarded: all its entries or none. */
export function handleProposal(core: Core, message: Message): ProposeResult {
  if (core.role !== "leader") return forwardProposal(core, message.entries);
  const bytes = payloadBytes(message.entries);
  if (!takesProposals(core) || !hasRoomFor(core, bytes)) return "dropped";
  for (const entry of message.entries) appendGated(core, entry.type, entry.data);
  core.tracker.get(message.from)?.tellSoon(core.log.last);
  return "ok";
}

function forwardProposal(core: Core, entries: Entry[]): ProposeResult {
  if (core.role !== "follower" || core.lead === 0n) return "no leader";
  const bytes = payloadBytes(entries);
  const open = core.forwarding;
  const limit = core.options.maxSizePerMessageBytes;
  if (open !== undefined && open.message.to === core.lead && open.bytes + bytes <= limit) {
    for (const entry of entries) open.message.entries.push(entry);
    open.bytes += bytes;
    return "ok";
  }
  const message = messageTo(core.lead, MessageType.MsgProp);
  // Without a term: it is not the sender's statement about one.
  message.from = core.id;
  message.entries = [...entries];
  core.messages.push(message);
  core.forwarding = { message, bytes };
  return "ok";
}

function takesProposals(core: Core): boolean {
  // A leader that was removed goes on replicating, but must not add anything.
  return core.leadTransferee === 0n && core.tracker.self !== undefined;
}

/** Something is always let in when nothing waits, and what has no payload always is. */
function hasRoomFor(core: Core, bytes: number): boolean {
  const limit = core.options.uncommittedBytesMax;
  const waiting = core.uncommittedBytes;
  return limit === 0 || bytes === 0 || waiting === 0 || waiting + bytes <= limit;
}

function appendGated(core: Core, type: EntryType, data: Uint8Array): void {
  if (type === EntryType.Normal) {
    appendOwn(core, type, data);
    return;
  }
  const refusal = refusalOf(core, type, data);
  if (refusal !== undefined) {
    core.logger.info(`${core.idHex} ignores a conf change: ${refusal}`);
    appendOwn(core, EntryType.Normal, EMPTY_BYTES);
    return;
  }
  appendOwn(core, type, data);
  core.pendingConfIndex = core.log.last;
}

function refusalOf(core: Core, type: EntryType, data: Uint8Array): string | undefined {
  const leaves = leavesJoint(type, data);
  if (leaves === undefined) return "it cannot be decoded";
  if (core.pendingConfIndex > core.log.applied) {
    return `one at index ${core.pendingConfIndex} is not applied yet`;
  }
  if (core.tracker.isJoint && !leaves) return "the joint configuration must be left first";
  if (!core.tracker.isJoint && leaves) return "the configuration is not joint";
  return undefined;
}

function leavesJoint(type: EntryType, data: Uint8Array): boolean | undefined {
  try {
    if (type === EntryType.ConfChange) {
      decodeConfChange(data);
      return false;
    }
    return type === EntryType.ConfChangeV2
      ? isLeaveJoint(asV2(decodeConfChangeV2(data)))
      : undefined;
  } catch {
    return undefined;
  }
}

/** On the leader: the next entry of its term. */
export function appendOwn(core: Core, type: EntryType, data: Uint8Array): void {
  const log = core.log;
  log.append({ term: core.term, index: log.last + 1, type, data });
  core.uncommittedBytes += data.length;
  core.appendsPending = true;
}
