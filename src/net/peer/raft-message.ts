// raftpb.Message in the form raft 3.7 writes it: what is zero is left out. (The generated codec
// writes all that a decoded message has, as etcd up to 3.6 does; every member reads both.)

import {
  type Entry,
  type Message,
  MessageType,
  newMessage,
  sizeSnapshot,
  writeSnapshot,
} from "../../wire/messages/raft.ts";
import {
  sizeBig,
  sizeDelimited,
  sizeNumber,
  writeBig,
  writeBytes,
  writeNumber,
  writeUint32,
} from "../../wire/protobuf/writer.ts";

/** Keeps an idle stream alive. Never for raft: nobody is member 0. */
export const linkHeartbeat: Message = { ...newMessage(), type: MessageType.MsgHeartbeat };

export function isLinkHeartbeat(message: Message): boolean {
  return message.type === MessageType.MsgHeartbeat && message.from === 0n && message.to === 0n;
}

export function sizeRaftEntry(entry: Entry): number {
  const data = entry.data.length;
  return (
    (entry.type === 0 ? 0 : 1 + sizeNumber(entry.type)) +
    (1 + sizeNumber(entry.term)) +
    (1 + sizeNumber(entry.index)) +
    (data === 0 ? 0 : 1 + sizeDelimited(data))
  );
}

export function writeRaftEntry(entry: Entry, target: Uint8Array, at: number): number {
  let offset = at;
  if (entry.type !== 0) {
    target[offset++] = 8;
    offset = writeNumber(target, offset, entry.type);
  }
  target[offset++] = 16;
  offset = writeNumber(target, offset, entry.term);
  target[offset++] = 24;
  offset = writeNumber(target, offset, entry.index);
  if (entry.data.length > 0) {
    target[offset++] = 34;
    offset = writeBytes(target, offset, entry.data);
  }
  return offset;
}

export function sizeRaftMessage(message: Message): number {
  const { to, from, vote, snapshot, context } = message;
  let size = 1 + sizeNumber(message.type);
  if (to !== 0n) size += 1 + sizeBig(to);
  if (from !== 0n) size += 1 + sizeBig(from);
  size += sizeField(message.term) + sizeField(message.logTerm) + sizeField(message.index);
  for (const entry of message.entries) size += 1 + sizeDelimited(sizeRaftEntry(entry));
  size += sizeField(message.commit) + sizeField(message.rejectHint);
  if (snapshot !== undefined) size += 1 + sizeDelimited(sizeSnapshot(snapshot));
  if (message.reject) size += 2;
  if (context.length > 0) size += 1 + sizeDelimited(context.length);
  if (vote !== 0n) size += 1 + sizeBig(vote);
  for (const one of message.responses) size += 1 + sizeDelimited(sizeRaftMessage(one));
  return size;
}

export function writeRaftMessage(message: Message, target: Uint8Array, at: number): number {
  const { to, from, vote, snapshot, context } = message;
  let offset = at;
  target[offset++] = 8;
  offset = writeNumber(target, offset, message.type);
  if (to !== 0n) {
    target[offset++] = 16;
    offset = writeBig(target, offset, to);
  }
  if (from !== 0n) {
    target[offset++] = 24;
    offset = writeBig(target, offset, from);
  }
  offset = writeField(target, offset, 32, message.term);
  offset = writeField(target, offset, 40, message.logTerm);
  offset = writeField(target, offset, 48, message.index);
  for (const entry of message.entries) {
    target[offset++] = 58;
    offset = writeUint32(target, offset, sizeRaftEntry(entry));
    offset = writeRaftEntry(entry, target, offset);
  }
  offset = writeField(target, offset, 64, message.commit);
  if (snapshot !== undefined) {
    target[offset++] = 74;
    offset = writeUint32(target, offset, sizeSnapshot(snapshot));
    offset = writeSnapshot(snapshot, target, offset);
  }
  offset = writeField(target, offset, 80, message.reject ? 1 : 0);
  offset = writeField(target, offset, 88, message.rejectHint);
  if (context.length > 0) {
    target[offset++] = 98;
    offset = writeBytes(target, offset, context);
  }
  if (vote !== 0n) {
    target[offset++] = 104;
    offset = writeBig(target, offset, vote);
  }
  for (const one of message.responses) {
    target[offset++] = 114;
    offset = writeUint32(target, offset, sizeRaftMessage(one));
    offset = writeRaftMessage(one, target, offset);
  }
  return offset;
}

export function encodeRaftMessage(message: Message): Uint8Array {
  const target = Buffer.allocUnsafeSlow(sizeRaftMessage(message));
  writeRaftMessage(message, target, 0);
  return target;
}

function sizeField(value: number): number {
  return value === 0 ? 0 : 1 + sizeNumber(value);
}

/** Fields up to number 15, whose tag is one byte. */
function writeField(target: Uint8Array, at: number, tag: number, value: number): number {
  if (value === 0) return at;
  target[at] = tag;
  return writeNumber(target, at + 1, value);
}
