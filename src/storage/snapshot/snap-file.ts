// `<term>-<index>.snap`, both as 16 hexadecimal digits: where raft's log began when it was written.
// The keys are not in it, they are in the database.
//
//   snappb.snapshot { crc = CRC-32C of data, data = raftpb.Snapshot {
//       data = membership as a v2 store, metadata { conf_state, index, term } } }

import { crc32c } from "../../base/crc32c.ts";
import type { ConfState, ConfStateInit } from "../../wire/messages/raft.ts";
import { decodeSnapshot, encodeSnapshot } from "../../wire/messages/raft.ts";
import {
  decodeSnapshot as decodeEnvelope,
  encodeSnapshot as encodeEnvelope,
} from "../../wire/messages/snap.ts";
import { hex16 } from "../wal/segment.ts";
import { encodeV2Store, type Membership } from "./v2-store.ts";

export const SNAP_SUFFIX = ".snap";

const NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.snap$/;
const REMEDY =
  "move the file away: etcd 3.7 starts without it, from the log and the database; older ones use " +
  "the snapshot before it";

/** A `.snap` file that cannot be trusted. */
export class SnapError extends Error {
  override readonly name: string = "SnapError";
  readonly path: string;

  constructor(path: string, offset: number | undefined, what: string) {
    const where = offset === undefined ? path : `${path} at byte ${offset}`;
    super(`snapshot file ${where}: ${what}; ${REMEDY}`);
    this.path = path;
  }
}

/** Where the log begins, and who belongs to the cluster there. */
export interface LogSnapshot {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfStateInit;
}

export interface LoadedSnapshot extends LogSnapshot {
  readonly confState: ConfState;
  readonly path: string;
  /** The v2 store, as JSON. */
  readonly data: Uint8Array;
}

export function snapName({ term, index }: { term: number; index: number }): string {
  return `${hex16(term)}-${hex16(index)}${SNAP_SUFFIX}`;
}

export function parseSnapName(name: string): { term: number; index: number } | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  return { term: Number.parseInt(match[1]!, 16), index: Number.parseInt(match[2]!, 16) };
}

/** `membership` may be given as the v2 store that somebody else made of it. */
export function encodeSnapFile(
  snapshot: LogSnapshot,
  membership: Membership | Uint8Array,
): Uint8Array {
  const { index, term, confState } = snapshot;
  const data = encodeSnapshot({
    data: membership instanceof Uint8Array ? membership : encodeV2Store(membership),
    metadata: { confState, index, term },
  });
  return encodeEnvelope({ crc: crc32c(data), data });
}

/** @throws SnapError */
export function decodeSnapFile(path: string, bytes: Uint8Array): LoadedSnapshot {
  if (bytes.length === 0) throw new SnapError(path, 0, "it is empty");
  const envelope = decode(path, "its envelope", () => decodeEnvelope(bytes));
  const { crc, data } = envelope;
  if (data.length === 0 || crc === 0) throw new SnapError(path, 0, "it has no data or no checksum");
  if (crc32c(data) !== crc) {
    const offset = data.byteOffset - bytes.byteOffset;
    throw new SnapError(path, offset, "the checksum of the data does not match");
  }
  // Bits that decoders ignore are damage all the same.
  if (!isSame(encodeEnvelope({ crc, data }), bytes)) {
    throw new SnapError(path, 0, "its envelope is not as it was written");
  }
  const snapshot = decode(path, "its content", () => decodeSnapshot(data));
  const metadata = snapshot.metadata;
  if (metadata?.confState === undefined) throw new SnapError(path, 0, "it has no metadata");
  const { index, term, confState } = metadata;
  return { path, index, term, confState, data: snapshot.data };
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

function decode<T>(path: string, what: string, attempt: () => T): T {
  try {
    return attempt();
  } catch (error) {
    throw new SnapError(path, undefined, `${what} is not valid: ${(error as Error).message}`);
  }
}
