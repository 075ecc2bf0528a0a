// Who may talk to whom: the headers that members show each other, and the checks of them.
//
//   X-Server-From, X-Server-Version, X-Min-Cluster-Version, X-Etcd-Cluster-ID, X-PeerURLs
//
// Versions are compared by major and minor: the other must not be older than what this member
// understands, nor expect more than this member is.

import type { Logger } from "../../base/log.ts";
import type { PeerHandlers } from "../../io/network.ts";

export const INCOMPATIBLE_VERSION = "incompatible version";
export const CLUSTER_ID_MISMATCH = "cluster ID mismatch";

/** What etcd takes the version for when a peer does not tell. */
const VERSION_BEFORE_HEADERS = "2.0.0";
/** The first and the last that are known to have the streams. */
const FIRST_WITH_STREAMS = "2.1.0";

export interface Version {
  readonly major: number;
  readonly minor: number;
}

export function parseVersion(text: string): Version | undefined {
  const match = /^(\d{1,9})\.(\d{1,9})\.\d{1,9}(?:[-+][0-9A-Za-z.+-]*)?$/.exec(text);
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

export function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor;
}

export function hexId(id: bigint): string {
  return id.toString(16);
}

/** Undefined for what is no hexadecimal number of 64 bits. */
export function parseHexId(text: string): bigint | undefined {
  return /^[0-9a-fA-F]{1,16}$/.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** The headers of every request between members. */
export function ownHeaders(self: PeerHandlers): Record<string, string> {
  return {
    "X-Server-From": hexId(self.memberId),
    "X-Server-Version": self.version,
    "X-Min-Cluster-Version": self.minClusterVersion,
    "X-Etcd-Cluster-ID": hexId(self.clusterId),
    "X-PeerURLs": self.peerUrls().join(","),
  };
}

/** The text of the answer 412, or null when the two may talk. */
export function refusal(
  self: PeerHandlers,
  header: (name: string) => string | undefined,
  log: Logger,
): string | null {
  const from = header("x-server-from") ?? "";
  const version = header("x-server-version") || VERSION_BEFORE_HEADERS;
  const minVersion = header("x-min-cluster-version") || VERSION_BEFORE_HEADERS;
  const fields = {
    "local-member-id": hexId(self.memberId),
    "local-member-cluster-id": hexId(self.clusterId),
    "local-member-server-version": self.version,
    "local-member-server-minimum-cluster-version": self.minClusterVersion,
    "remote-peer-server-name": from,
    "remote-peer-server-version": version,
    "remote-peer-server-minimum-cluster-version": minVersion,
  };
  const error = versionError(self, from, version, minVersion);
  if (error !== null) {
    log.warn("failed version compatibility check", { ...fields, error });
    return INCOMPATIBLE_VERSION;
  }
  const clusterId = header("x-etcd-cluster-id") ?? "";
  if (clusterId === hexId(self.clusterId)) return null;
  log.warn("request cluster ID mismatch", { ...fields, "remote-peer-cluster-id": clusterId });
  return CLUSTER_ID_MISMATCH;
}

function versionError(
  self: PeerHandlers,
  from: string,
  version: string,
  minVersion: string,
): string | null {
  const remote = parseVersion(version);
  const remoteMin = parseVersion(minVersion);
  const tail = `remote[${from}]=${version}, local=${self.version}`;
  if (remote === undefined || compareVersions(remote, parseVersion(self.minClusterVersion)!) < 0) {
    return `remote version is too low: ${tail}`;
  }
  if (remoteMin === undefined || compareVersions(remoteMin, parseVersion(self.version)!) > 0) {
    return `local version is too low: ${tail}`;
  }
  return null;
}

/** Whether a peer that answered with this version can send streams. Newer ones always can. */
export function hasStreams(version: string | undefined): boolean {
  const remote = parseVersion(version || VERSION_BEFORE_HEADERS);
  return remote !== undefined && compareVersions(remote, parseVersion(FIRST_WITH_STREAMS)!) >= 0;
}
