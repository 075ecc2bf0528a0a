// Before a member starts for the first time it asks those who may be there already.
//
//   --initial-cluster-state=existing   who is in the cluster, and is it one that this version can
//                                      join? The ids are those the cluster has given.
//   --initial-cluster-state=new        was this very member started before, and its data lost? It
//                                      must not come back with an empty log.

import type { Logger } from "../base/log.ts";
import type { Network, PeerAnswer } from "../io/network.ts";
import { idText, type Member } from "../state/members/member-json.ts";
import { compareMinor } from "../state/members/members.ts";
import { askPeer } from "./ask-peer.ts";
import { askVersions, clusterVersionOf, type MemberVersions } from "./member-versions.ts";
import { requestTimeoutMs, SERVER_VERSION } from "./options.ts";
import { decodePeerMembers } from "./peer-members.ts";

/** A cluster that exists, and who this member is in it. */
export interface JoinedCluster {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  /** Its members as they are now, this one included. */
  readonly members: readonly Member[];
}

export interface JoinParts {
  readonly network: Pick<Network, "ask">;
  readonly log: Logger;
  readonly name: string;
  /** As configured; the ids do not count. */
  readonly members: readonly Member[];
  readonly options: { readonly electionMs: number; readonly maxLearners: number };
  /** Do two lists of addresses mean the same machines? A text tells why that is not known. */
  readonly sameUrls: (a: readonly string[], b: readonly string[]) => Promise<boolean | string>;
}

/** As long as an election can take twice, and a connection. */
const MEMBERS_TIMEOUT_MS = 10_000;
/** A member that does not answer at once is not asked whether it knows this one. */
const BOOTSTRAP_TIMEOUT_MS = 1000;
/** What any member understands. */
const MIN_CLUSTER_VERSION = "3.0.0";

interface RemoteCluster {
  readonly clusterId: bigint;
  readonly members: readonly Member[];
}

/** @throws Error (rejects): why this member cannot join. */
export async function joinCluster(parts: JoinParts): Promise<JoinedCluster> {
  const { name, log, options } = parts;
  const cluster = await askForCluster(parts, MEMBERS_TIMEOUT_MS, (address, error) =>
    log.warn("failed to get cluster response", { address, error }),
  );
  if (cluster instanceof Error) {
    throw new Error(`cannot fetch cluster info from peer urls: ${cluster.message}`);
  }
  const ids = await matchMembers(parts, cluster.members);
  const memberId = ids.get(name)!;
  if (!(await isCompatible(parts, cluster, memberId))) {
    throw new Error("incompatible with current running cluster");
  }
  checkLearners(cluster.members, options.maxLearners);
  return { memberId, clusterId: cluster.clusterId, members: cluster.members };
}

/** @throws Error (rejects): the others know this member as one that has run. */
export async function refuseIfBootstrapped(
  parts: Pick<JoinParts, "network" | "name" | "members">,
): Promise<void> {
  const cluster = await askForCluster(parts, BOOTSTRAP_TIMEOUT_MS, () => {});
  const own = parts.members.find(({ name }) => name === parts.name);
  if (cluster instanceof Error || own === undefined) return;
  const known = cluster.members.find(({ id }) => id === own.id);
  if (known === undefined || known.clientUrls.length === 0) return;
  throw new Error(`member ${idText(own.id)} has already been bootstrapped`);
}

/** More learners than this member is told to allow: its apply would differ from the others'. */
export function checkLearners(members: readonly Member[], maxLearners: number): void {
  if (members.filter(({ isLearner }) => isLearner).length <= maxLearners) return;
  throw new Error("membership: too many learner members in cluster");
}

/** The first of the other members that answers. */
function askForCluster(
  { network, name, members }: Pick<JoinParts, "network" | "name" | "members">,
  timeoutMs: number,
  onFailure: (address: string, error: Error) => void,
): Promise<RemoteCluster | Error> {
  const others = members.filter((member) => member.name !== name);
  return new Promise((resolve) => {
    askPeer<RemoteCluster>(
      {
        network,
        urls: others.flatMap(({ peerUrls }) => peerUrls).sort(),
        request: { method: "GET", path: "/members", timeoutMs },
        read: readCluster,
        onFailure: (url, error) => onFailure(`${url}/members`, error),
      },
      (result) => {
        const vain = "could not retrieve cluster information from the given URLs";
        if (result instanceof Error) resolve(new Error(vain));
        else if (result.members.length > 0) resolve(result);
        else resolve(new Error("failed to get raft cluster member(s) from the given URLs"));
      },
    );
  });
}

/** @throws Error */
function readCluster({ headers, body }: PeerAnswer): RemoteCluster {
  const members = decodePeerMembers(body);
  const clusterId = headers["x-etcd-cluster-id"] ?? "";
  if (!/^[0-9a-f]{1,16}$/i.test(clusterId)) {
    throw new Error(`no id of a cluster in the answer: "${clusterId}"`);
  }
  return { clusterId: BigInt(`0x${clusterId}`), members };
}

/** Which of the members of the cluster is which of those configured, by their addresses. */
async function matchMembers(
  { members, sameUrls }: JoinParts,
  existing: readonly Member[],
): Promise<Map<string, bigint>> {
  const shown = existing.map(({ id, peerUrls }) => `${idText(id)}=${peerUrls.join(",")}`);
  const fail = (why: string): never => {
    throw new Error(`error validating peerURLs {${shown.join(" ")}}: ${why}`);
  };
  if (existing.length !== members.length) fail("member count is unequal");
  const ids = new Map<string, bigint>();
  for (const { id, peerUrls } of existing) {
    let reason = "";
    let found: Member | undefined;
    for (const member of members) {
      const isSame = await sameUrls(peerUrls, member.peerUrls);
      if (isSame === true) {
        found = member;
        break;
      }
      if (typeof isSame === "string") reason = isSame;
    }
    if (found !== undefined) ids.set(found.name, id);
    else {
      fail(
        `PeerURLs: no match found for existing member (${idText(id)}, [${peerUrls.join(" ")}]), ` +
          `last resolver error (${reason})`,
      );
    }
  }
  if (ids.size < members.length) fail("two members have the same addresses");
  return ids;
}

/** At least one member has told a version of the cluster that is right, and none a wrong one. */
async function isCompatible(
  { network, log, options }: JoinParts,
  { members }: RemoteCluster,
  memberId: bigint,
): Promise<boolean> {
  const timeoutMs = requestTimeoutMs(options);
  const clusterVersion = undefined;
  const question = { network, log, members, memberId, clusterVersion, timeoutMs };
  const versions = await new Promise<readonly MemberVersions[]>((resolve) =>
    askVersions(question, resolve),
  );
  const isDowngrading = await askDowngrade({ network, log }, members, memberId, timeoutMs);
  const own = clusterVersionOf(SERVER_VERSION)!;
  const highest = isDowngrading ? nextMinor(own) : own;
  const lowest = isDowngrading ? highest : MIN_CLUSTER_VERSION;
  let hasOne = false;
  for (const { id, versions: told } of versions) {
    if (id === memberId || told === undefined) continue;
    const fields = {
      "remote-member-id": idText(id),
      "remote-member-cluster-version": told.etcdcluster,
    };
    const version = clusterVersionOf(told.etcdcluster);
    if (version === undefined) {
      log.warn("failed to parse cluster version of remote member", fields);
      continue;
    }
    if (compareMinor(version, lowest) < 0) {
      const text = "cluster version of remote member is not compatible; too low";
      log.warn(text, { ...fields, "minimum-cluster-version-supported": lowest });
      return false;
    }
    if (compareMinor(version, highest) > 0) {
      const text = "cluster version of remote member is not compatible; too high";
      log.warn(text, { ...fields, "maximum-cluster-version-supported": highest });
      return false;
    }
    hasOne = true;
  }
  return hasOne;
}

/** Any member knows; false when none of them says so. */
async function askDowngrade(
  { network, log }: Pick<JoinParts, "network" | "log">,
  members: readonly Member[],
  memberId: bigint,
  timeoutMs: number,
): Promise<boolean> {
  const request = { method: "GET", path: "/downgrade/enabled", timeoutMs } as const;
  for (const { id, peerUrls: urls } of members) {
    if (id === memberId) continue;
    const remote = { "remote-member-id": idText(id) };
    const onFailure = (url: string, error: Error): void =>
      log.warn("failed to reach the peer URL", { address: url + request.path, ...remote, error });
    const told = await new Promise<{ isEnabled: boolean } | Error>((resolve) =>
      askPeer({ network, urls, request, read: readTruth, onFailure }, resolve),
    );
    if (!(told instanceof Error)) return told.isEnabled;
    log.warn("failed to get downgrade enabled status", { ...remote, error: told });
  }
  return false;
}

/** @throws Error */
function readTruth({ status, body }: PeerAnswer): { isEnabled: boolean } {
  const text = Buffer.from(body).toString("utf8").trim();
  if (status !== 200 || !/^(true|false)$/.test(text)) throw new Error(`no truth value: ${text}`);
  return { isEnabled: text === "true" };
}

function nextMinor(version: string): string {
  const [major, minor] = version.split(".").map(Number);
  return `${major}.${minor! + 1}.0`;
}
