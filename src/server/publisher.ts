// What a member tells the cluster through the log when it starts, and what its leader looks after:
//
//   attributes        name and client URLs of this member, until it is agreed: then it is ready
//   cluster version   the lowest version of all members, raised when all have been upgraded
//   storage version   follows the cluster version; a mark in the database, outside of the log

import type { Logger } from "../base/log.ts";
import type { Clock, Timer } from "../io/io.ts";
import { idText } from "../state/members/member-json.ts";
import { compareMinor } from "../state/members/members.ts";
import type { State } from "../state/state.ts";
import type { Backend } from "../storage/backend.ts";
import { Bucket, MetaKey } from "../storage/schema.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import {
  encodeClusterMemberAttrSetRequest,
  encodeClusterVersionSetRequest,
} from "../wire/messages/membership.ts";
import { CLUSTER_VERSION, type MemberOptions } from "./options.ts";
import type { Proposals, Waiter } from "./proposals.ts";

const MONITOR_INTERVAL_MS = 4000;

export interface PublisherParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly options: MemberOptions;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly state: State;
  readonly backend: Backend;
  readonly proposals: Proposals;
  readonly isLeader: () => boolean;
  /** The attributes are agreed: requests may come. */
  readonly onPublished: () => void;
}

export class Publisher {
  readonly #parts: PublisherParts;
  #state: "waiting" | "publishing" | "published" = "waiting";
  #isSettingVersion = false;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#schedule();
  }

  /** There is a leader who can take proposals. */
  leaderKnown(): void {
    if (this.#state === "waiting") this.#publish();
  }

  /** A leader's first entry is applied, or time has passed. */
  readonly checkVersion = (): void => {
    const { state, isLeader, log, proposals } = this.#parts;
    const { clusterVersion, downgrade } = state.members;
    const wanted = downgrade.enabled ? `${downgrade.targetVersion}` : CLUSTER_VERSION;
    this.#followStorageVersion();
    if (!isLeader() || this.#isSettingVersion || clusterVersion === wanted) return;
    const isRaise = clusterVersion === undefined || compareMinor(clusterVersion, wanted) < 0;
    if (!isRaise && !downgrade.enabled) return;
    const version = minorOf(wanted);
    if (clusterVersion === undefined) {
      log.info("setting up initial cluster version using v3 API", { "cluster-version": version });
    } else {
      log.info("updating cluster version using v3 API", {
        from: minorOf(clusterVersion),
        to: version,
      });
    }
    this.#isSettingVersion = true;
    const body = encodeClusterVersionSetRequest({ ver: wanted });
    const done = (): void => {
      this.#isSettingVersion = false;
      this.#followStorageVersion();
    };
    proposals.propose(RequestField.ClusterVersionSet, body, 0, body.length, waiter(done, done));
  };

  /** As "3.7.0"; undefined in a database of etcd 3.5. */
  get storageVersion(): string | undefined {
    const bytes = this.#parts.backend.get(Bucket.meta, MetaKey.storageVersion);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString("latin1");
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #publish(): void {
    const { options, memberId, clusterId, proposals, log } = this.#parts;
    this.#state = "publishing";
    const body = encodeClusterMemberAttrSetRequest({
      memberID: memberId,
      memberAttributes: { name: options.name, clientUrls: options.clientUrls },
    });
    const published = (): void => {
      this.#state = "published";
      const urls = options.clientUrls.join(" ");
      log.info("published local member to cluster through raft", {
        "local-member-id": idText(memberId),
        "local-member-attributes": `{Name:${options.name} ClientURLs:[${urls}]}`,
        "cluster-id": idText(clusterId),
        "publish-timeout": `${5 + (2 * options.electionMs) / 1000}s`,
      });
      this.#parts.onPublished();
    };
    const failed = (): void => {
      if (this.#isStopped) return;
      log.warn("failed to publish local member to cluster through raft", {});
      this.#publish();
    };
    const field = RequestField.ClusterMemberAttrSet;
    proposals.propose(field, body, 0, body.length, waiter(published, failed));
  }

  #followStorageVersion(): void {
    const { state, backend, log } = this.#parts;
    const { clusterVersion } = state.members;
    if (clusterVersion === undefined || compareMinor(clusterVersion, "3.6") < 0) return;
    const present = this.storageVersion;
    if (present === clusterVersion) return;
    log.info("cluster version differs from storage version.", {
      "cluster-version": clusterVersion,
      "storage-version": present ?? "3.5.0",
    });
    backend.put(Bucket.meta, MetaKey.storageVersion, Buffer.from(clusterVersion, "latin1"));
    log.info("updated storage version", { "new-storage-version": clusterVersion });
  }

  #schedule(): void {
    this.#timer = this.#parts.clock.after(MONITOR_INTERVAL_MS, () => {
      this.checkVersion();
      this.#schedule();
    });
  }
}

function waiter(settled: () => void, failed: () => void): Waiter {
  return { proposedAtMs: 0, settle: settled, fail: failed };
}

/** "3.7" of "3.7.0". */
export function minorOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}
