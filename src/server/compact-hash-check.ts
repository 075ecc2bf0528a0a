// The hashes that members took when they compacted, compared by the leader: the newest that all
// members have decides. A majority with one hash is right, the others are corrupt; without a
// majority nobody knows who is, and the alarm is for the whole cluster.

import type { Logger } from "../base/log.ts";
import { idText } from "../state/members/member-json.ts";
import type { KeyValueHash } from "../state/mvcc/hash.ts";
import { RpcError } from "../wire/status.ts";
import type { PeerHash } from "./peer-hashes.ts";

export interface CompactHashCheckParts {
  readonly log: Logger;
  readonly memberId: bigint;
  readonly timeoutMs: number;
  /** Of this member's last compactions, ascending by revision. */
  readonly hashes: () => readonly KeyValueHash[];
  readonly askHashes: (revision: number, done: (hashes: PeerHash[]) => void) => void;
  /** The member's data are corrupt; 0: somebody's are. */
  readonly raise: (id: bigint) => void;
}

export class CompactHashCheck {
  readonly #parts: CompactHashCheckParts;
  #lastCheckedRevision = 0;

  constructor(parts: CompactHashCheckParts) {
    this.#parts = parts;
  }

  check(done: () => void): void {
    const { log, memberId, timeoutMs, hashes } = this.#parts;
    log.info("starting compact hash check", {
      "local-member-id": idText(memberId),
      timeout: `${timeoutMs / 1000}s`,
    });
    const unchecked = hashes()
      .filter(({ revision }) => revision > this.#lastCheckedRevision)
      .reverse();
    this.#checkNext(unchecked, 0, done);
  }

  #checkNext(hashes: readonly KeyValueHash[], at: number, done: () => void): void {
    const { log, askHashes } = this.#parts;
    const finish = (count: number): void => {
      log.info("finished compaction hash check", { "number-of-hashes-checked": count });
      done();
    };
    const own = hashes[at];
    if (own === undefined) {
      finish(hashes.length);
      return;
    }
    askHashes(own.revision, (peers) => {
      if (peers.length > 0 && this.#isDecided(own, peers)) finish(at + 1);
      else this.#checkNext(hashes, at + 1, done);
    });
  }

  /** False when some members had no answer to this one: an older one may tell more. */
  #isDecided(own: KeyValueHash, peers: readonly PeerHash[]): boolean {
    const { memberId } = this.#parts;
    const byHash = new Map<number, bigint[]>([[own.hash, [memberId]]]);
    let checked = 0;
    for (const peer of peers) {
      const hash = this.#comparableHash(own, peer, peers.length);
      if (hash === undefined) continue;
      checked++;
      const members = byHash.get(hash) ?? [];
      members.push(peer.id);
      byHash.set(hash, members);
    }
    if (byHash.size === 1) return this.#isComplete(own, checked, peers.length);
    this.#tellMismatch(own, byHash, peers.length + 1);
    return true;
  }

  #comparableHash(own: KeyValueHash, peer: PeerHash, peers: number): number | undefined {
    const { answer } = peer;
    const isMissing = answer instanceof Error || answer instanceof RpcError;
    if (!isMissing && answer.compactRevision === own.compactRevision) return answer.hash;
    this.#parts.log.warn("Skipped peer's hash", {
      "number-of-peers": peers,
      "leader-id": idText(this.#parts.memberId),
      "peer-id": idText(peer.id),
      reason: isMissing
        ? "no response"
        : `the peer's CompactRevision ${answer.compactRevision} doesn't match leader's ` +
          `CompactRevision ${own.compactRevision}`,
    });
    return undefined;
  }

  #isComplete(own: KeyValueHash, checked: number, peers: number): boolean {
    const { log } = this.#parts;
    const revisions = { revision: own.revision, compactRevision: own.compactRevision };
    if (checked < peers) {
      const text = "skipped revision in compaction hash check; was not able to check all peers";
      const counts = { "number-of-peers-checked": checked, "number-of-peers": peers };
      log.warn(text, { ...counts, ...revisions });
      return false;
    }
    const text = "successfully checked hash on whole cluster";
    log.info(text, { "number-of-peers-checked": checked, ...revisions });
    this.#lastCheckedRevision = Math.max(this.#lastCheckedRevision, own.revision);
    return true;
  }

  #tellMismatch(own: KeyValueHash, byHash: Map<number, bigint[]>, members: number): void {
    const { log, memberId, raise } = this.#parts;
    const leader = {
      "leader-id": idText(memberId),
      "leader-revision": own.revision,
      "leader-compact-revision": own.compactRevision,
      "leader-hash": own.hash,
    };
    const quorum = Math.floor(members / 2) + 1;
    const right = [...byHash].find(([, ids]) => ids.length >= quorum);
    if (right !== undefined) byHash.delete(right[0]);
    else {
      log.error(
        "Detected compaction hash mismatch but cannot identify the corrupted members, " +
          "so intentionally set the memberID as 0",
        leader,
      );
      raise(0n);
    }
    for (const [hash, ids] of byHash) {
      if (right !== undefined) for (const id of ids) raise(id);
      log.error("Detected compaction hash mismatch", {
        ...leader,
        "peer-hash": hash,
        "peer-ids": ids.map(idText).join(","),
        "quorum-exist": right !== undefined,
      });
    }
  }
}
