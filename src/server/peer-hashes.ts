// The hash of the store at a revision, from each of the other members.

import type { Logger } from "../base/log.ts";
import type { Network, PeerAnswer } from "../io/network.ts";
import { idText, type Member } from "../state/members/member-json.ts";
import { Errors } from "../wire/errors.ts";
import type { RpcError } from "../wire/status.ts";
import { askAll, askPeer } from "./ask-peer.ts";

export interface PeerHash {
  readonly id: bigint;
  readonly urls: readonly string[];
  /** Or why there is none: FutureRev, Compacted, ClusterIDMismatch, or the network's reason. */
  readonly answer: HashAnswer | RpcError | Error;
}

export interface HashAnswer {
  readonly hash: number;
  readonly compactRevision: number;
  /** The member's revision when it answered. */
  readonly currentRevision: number;
}

export interface HashQuestion {
  readonly network: Pick<Network, "ask">;
  readonly log: Logger;
  readonly members: readonly Member[];
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly revision: number;
  readonly timeoutMs: number;
}

/** Asks all but this member. */
export function askHashes(question: HashQuestion, done: (hashes: PeerHash[]) => void): void {
  const { members, memberId, clusterId, revision, timeoutMs, log, network } = question;
  const request = {
    method: "GET",
    path: "/members/hashkv",
    headers: { "content-type": "application/json", "x-etcd-cluster-id": idText(clusterId) },
    body: Buffer.from(JSON.stringify(revision === 0 ? {} : { revision })),
    timeoutMs,
  } as const;
  const askOne = ({ id, peerUrls: urls }: Member, told: (hash: PeerHash) => void): void => {
    let refusal: RpcError | undefined;
    const read = (answer: PeerAnswer): HashAnswer => {
      refusal = refusalOf(answer);
      if (refusal !== undefined) throw new Error(refusal.message);
      return readHash(answer);
    };
    const onFailure = (url: string, error: Error): void =>
      log.warn("failed hash kv request", {
        "local-member-id": idText(memberId),
        "requested-revision": revision,
        "remote-peer-endpoint": url,
        error,
      });
    askPeer({ network, urls, request, read, onFailure }, (answer) => {
      told({ id, urls, answer: answer instanceof Error ? (refusal ?? answer) : answer });
    });
  };
  const others = members.filter(({ id, peerUrls }) => id !== memberId && peerUrls.length > 0);
  askAll(others, askOne, done);
}

/** What a member that is well has against the question. */
function refusalOf({ status, body }: PeerAnswer): RpcError | undefined {
  const text = Buffer.from(body).toString("utf8");
  if (status === 400) {
    return [Errors.Compacted, Errors.FutureRev].find(({ message }) =>
      text.includes(message.replace(/^etcdserver: /, "")),
    );
  }
  const isOther = status === 412 && text.includes("cluster ID mismatch");
  return isOther ? Errors.ClusterIDMismatch : undefined;
}

/** @throws Error */
function readHash({ status, body }: PeerAnswer): HashAnswer {
  const text = Buffer.from(body).toString("utf8");
  if (status !== 200) throw new Error(`unknown error: ${text.trim()}`);
  const parsed = JSON.parse(text) as {
    readonly header?: { readonly revision?: number };
    readonly hash?: number;
    readonly compact_revision?: number;
  } | null;
  return {
    hash: Number(parsed?.hash ?? 0),
    compactRevision: Number(parsed?.compact_revision ?? 0),
    currentRevision: Number(parsed?.header?.revision ?? 0),
  };
}
