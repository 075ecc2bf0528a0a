// What a member tells the cluster through the log when it starts: its name and its client URLs.
// Until that is agreed it is not ready. The versions of members, cluster and storage are looked
// after by the version monitor.

import type { Logger } from "../base/log.ts";
import type { Clock, Timer } from "../io/io.ts";
import type { Network } from "../io/network.ts";
import { idText } from "../state/members/member-json.ts";
import type { State } from "../state/state.ts";
import type { Backend } from "../storage/backend.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import { encodeClusterMemberAttrSetRequest } from "../wire/messages/membership.ts";
import type { MemberOptions } from "./options.ts";
import type { Proposals, Waiter } from "./proposals.ts";
import { VersionMonitor } from "./version-monitor.ts";

export interface PublisherParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly options: MemberOptions;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly state: State;
  readonly backend: Backend;
  readonly proposals: Proposals;
  /** Without: the member is alone. */
  readonly network?: Pick<Network, "ask">;
  readonly isLeader: () => boolean;
  /** The attributes are agreed: requests may come. */
  readonly onPublished: () => void;
}

/** After a refusal; a timeout has taken longer by itself. */
const RETRY_MS = 100;

const NOBODY: Pick<Network, "ask"> = {
  ask: (url, _, done) => done(new Error(`there is no way to ${url}`)),
};

export class Publisher {
  readonly #parts: PublisherParts;
  #state: "waiting" | "publishing" | "published" = "waiting";
  readonly #monitor: VersionMonitor;
  #retry: Timer | undefined;
  #isStopped = false;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#monitor = new VersionMonitor({ network: NOBODY, ...parts });
  }

  /** There is a leader who can take proposals. */
  leaderKnown(): void {
    if (this.#state === "waiting") this.#publish();
  }

  /** A leader's first entry is applied, or the version of the cluster may have to change. */
  checkVersion(): void {
    this.#monitor.check();
  }

  /** The version of the cluster may be another now. */
  followVersion(): void {
    this.#monitor.followStorageVersion();
  }

  /** As "3.7.0"; undefined in a database of etcd 3.5. */
  get storageVersion(): string | undefined {
    return this.#monitor.storageVersion;
  }

  stop(): void {
    this.#isStopped = true;
    this.#retry?.cancel();
    this.#monitor.stop();
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
      // Not at once: a leader that is about to hand over refuses at once, too.
      this.#retry = this.#parts.clock.after(RETRY_MS, () => this.#publish());
    };
    const field = RequestField.ClusterMemberAttrSet;
    proposals.propose(field, body, 0, body.length, waiter(published, failed));
  }
}

function waiter(settled: () => void, failed: () => void): Waiter {
  return { proposedAtMs: 0, settle: settled, fail: failed };
}
