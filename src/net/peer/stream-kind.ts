// The streams by the names that their paths have. "msgapp" carries what a leader replicates, and
// "message" all else, so that a heartbeat does not wait behind a megabyte of entries.

import { MessageDecoder, MessageEncoder } from "./message-codec.ts";
import { MsgAppDecoder, MsgAppEncoder } from "./msgapp-codec.ts";
import type { StreamDecoder, StreamEncoder } from "./stream-codec.ts";

export type StreamKind = "msgapp" | "message";

/** In etcd's log lines. */
export const streamNames: Readonly<Record<StreamKind, string>> = {
  msgapp: "stream MsgApp v2",
  message: "stream Message",
};

export function newEncoder(kind: StreamKind): StreamEncoder {
  return kind === "msgapp" ? new MsgAppEncoder() : new MessageEncoder();
}

export function newDecoder(kind: StreamKind, localId: bigint, remoteId: bigint): StreamDecoder {
  return kind === "msgapp" ? new MsgAppDecoder(localId, remoteId) : new MessageDecoder();
}
