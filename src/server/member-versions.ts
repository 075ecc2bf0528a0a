// Which version each member of the cluster runs, and which version of the cluster it knows.

import type { Logger } from "../base/log.ts";
import type { Network, PeerAnswer } from "../io/network.ts";
import { idText, type Member } from "../state/members/member-json.ts";
import { askAll, askPeer } from "./ask-peer.ts";
import { SERVER_VERSION } from "./options.ts";

/** As GET /version tells it. */
export interface Versions {
  readonly etcdserver: string;
  /** "not_decided" before the first agreement. */
  readonly etcdcluster: string;
}

export interface VersionQuestion {
  readonly network: Pick<Network, "ask">;
  readonly log: Logger;
  readonly members: readonly Member[];
  readonly memberId: bigint;
  /** What this member knows itself. */
  readonly clusterVersion: string | undefined;
  readonly timeoutMs: number;
}

export interface MemberVersions {
  readonly id: bigint;
  /** Undefined: the member could not be reached. */
  readonly versions: Versions | undefined;
}

export function askVersions(
  question: VersionQuestion,
  done: (versions: readonly MemberVersions[]) => void,
): void {
  const { network, log, members, memberId, timeoutMs } = question;
  const askOne = (member: Member, told: (result: MemberVersions) => void): void => {
    const { id, peerUrls: urls } = member;
    if (id === memberId) {
      const etcdcluster = question.clusterVersion ?? "not_decided";
      told({ id, versions: { etcdserver: SERVER_VERSION, etcdcluster } });
      return;
    }
    const remote = { "remote-member-id": idText(id) };
    const request = { method: "GET", path: "/version", timeoutMs } as const;
    const onFailure = (url: string, error: Error): void =>
      log.warn("failed to reach the peer URL", { address: `${url}/version`, ...remote, error });
    askPeer({ network, urls, request, read: readVersions, onFailure }, (result) => {
      const isMissing = result instanceof Error;
      if (isMissing) log.warn("failed to get version", { ...remote, error: result });
      told({ id, versions: isMissing ? undefined : result });
    });
  };
  askAll(members, askOne, done);
}

/** @throws SyntaxError */
function readVersions({ status, body }: PeerAnswer): Versions {
  const parsed: unknown = JSON.parse(Buffer.from(body).toString("utf8"));
  if (status !== 200 || typeof parsed !== "object" || parsed === null) {
    throw new SyntaxError(`status ${status} instead of versions`);
  }
  const { etcdserver = "", etcdcluster = "" } = parsed as Partial<Versions>;
  return { etcdserver: String(etcdserver), etcdcluster: String(etcdcluster) };
}

/** "3.7.0" of "3.7.3"; undefined when it is no version. */
export function clusterVersionOf(version: string): string | undefined {
  const parts = /^(\d+)\.(\d+)\.(\d+)(?:[-+].*)?$/.exec(version);
  return parts === null ? undefined : `${parts[1]}.${parts[2]}.0`;
}
