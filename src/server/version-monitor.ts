// The leader looks after the version of the cluster: the lowest version that any member runs, so
// that nothing is written which one of them does not know.
//
//   nobody knows one yet   the lowest of all; if a member cannot be reached, 3.0.0 for now
//   all were reached       raised when all run a newer version
//   downgrade enabled      lowered to its target, although all still run the newer version; when
//                          all run the target, the downgrade is over
//
// Each member for itself lets the version of its storage follow: a mark in the database.

import type { Logger } from "../base/log.ts";
import type { Clock, Timer } from "../io/io.ts";
import type { Network } from "../io/network.ts";
import { idText } from "../state/members/member-json.ts";
import { compareMinor } from "../state/members/members.ts";
import type { State } from "../state/state.ts";
import type { Backend } from "../storage/backend.ts";
import { Bucket, MetaKey } from "../storage/schema.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import {
  encodeClusterVersionSetRequest,
  encodeDowngradeInfoSetRequest,
} from "../wire/messages/membership.ts";
import { askVersions, clusterVersionOf, type MemberVersions } from "./member-versions.ts";
import { DEFAULT_DUTIES, requestTimeoutMs, SERVER_VERSION } from "./options.ts";
import type { Proposals, Waiter } from "./proposals.ts";

/** As etcd's monitorVersionInterval. */
const INTERVAL_MS = 4000;
/** What any member understands. */
const MIN_CLUSTER_VERSION = "3.0.0";

export interface VersionMonitorParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly options: { readonly electionMs: number; readonly downgradeCheckMs?: number };
  readonly memberId: bigint;
  readonly state: State;
  readonly backend: Pick<Backend, "get" | "put">;
  readonly proposals: Pick<Proposals, "propose">;
  readonly network: Pick<Network, "ask">;
  readonly isLeader: () => boolean;
}

export class VersionMonitor {
  readonly #parts: VersionMonitorParts;
  /** A question to the members, or a proposal, is under way. */
  #isBusy = false;
  #isEnding = false;
  #timers: Timer[] = [];
  #isStopped = false;

  constructor(parts: VersionMonitorParts) {
    this.#parts = parts;
    this.#repeat(0, INTERVAL_MS, () => this.check());
    const { downgradeCheckMs = DEFAULT_DUTIES.downgradeCheckMs } = parts.options;
    if (downgradeCheckMs > 0) this.#repeat(1, downgradeCheckMs, () => this.#checkDowngrade());
  }

  /** A leader's first entry is applied, or time has passed. */
  check(): void {
    this.followStorageVersion();
    if (!this.#parts.isLeader() || this.#isBusy) return;
    this.#isBusy = true;
    this.#ask((versions) => {
      this.#isBusy = false;
      const wanted = this.#decide(this.#lowest(versions));
      if (wanted !== undefined && this.#parts.isLeader()) this.#setVersion(wanted);
    });
  }

  /** As "3.7.0"; undefined in a database of etcd 3.5. */
  get storageVersion(): string | undefined {
    const bytes = this.#parts.backend.get(Bucket.meta, MetaKey.storageVersion);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString("latin1");
  }

  /** The version of the cluster may be another now. */
  followStorageVersion(): void {
    const { state, backend, log } = this.#parts;
    const { clusterVersion, downgrade } = state.members;
    if (clusterVersion === undefined || compareMinor(clusterVersion, "3.6") < 0) return;
    const present = this.storageVersion;
    if (present === clusterVersion) return;
    log.info("cluster version differs from storage version.", {
      "cluster-version": clusterVersion,
      "storage-version": present ?? "3.5.0",
    });
    backend.put(Bucket.meta, MetaKey.storageVersion, Buffer.from(clusterVersion, "latin1"));
    log.info("updated storage version", { "new-storage-version": clusterVersion });
    if (!downgrade.enabled) return;
    log.info("The server is ready to downgrade", {
      "target-version": downgrade.targetVersion,
      "server-version": SERVER_VERSION,
    });
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) timer.cancel();
  }

  // ---

  #repeat(at: number, everyMs: number, task: () => void): void {
    this.#timers[at] = this.#parts.clock.after(everyMs, () => {
      task();
      this.#repeat(at, everyMs, task);
    });
  }

  #ask(done: (versions: readonly MemberVersions[]) => void): void {
    const { network, log, memberId, state, options } = this.#parts;
    const { members } = state;
    const timeoutMs = requestTimeoutMs(options);
    const { clusterVersion } = members;
    const question = { network, log, memberId, clusterVersion, timeoutMs, members: members.all() };
    askVersions(question, (versions) => {
      if (!this.#isStopped) done(versions);
    });
  }

  /** The lowest version that a member runs; undefined when one of them is not known. */
  #lowest(all: readonly MemberVersions[]): string | undefined {
    const { log } = this.#parts;
    let lowest: string | undefined;
    for (const { id, versions } of all) {
      if (versions === undefined) return undefined;
      const version = clusterVersionOf(versions.etcdserver);
      const fields = {
        "remote-member-id": idText(id),
        "remote-member-version": versions.etcdserver,
      };
      if (version === undefined) {
        log.warn("failed to parse server version of remote member", fields);
        return undefined;
      }
      if (compareMinor(SERVER_VERSION, version) < 0) {
        const local = { "local-member-version": SERVER_VERSION };
        log.warn("leader found higher-versioned member", { ...local, ...fields });
      }
      if (lowest === undefined || compareMinor(version, lowest) < 0) lowest = version;
    }
    return lowest;
  }

  /** What the version of the cluster should be, when it should change. */
  #decide(lowest: string | undefined): string | undefined {
    const { clusterVersion, downgrade } = this.#parts.state.members;
    if (clusterVersion === undefined) return lowest ?? MIN_CLUSTER_VERSION;
    if (lowest === undefined) return undefined;
    if (!downgrade.enabled) return compareMinor(clusterVersion, lowest) < 0 ? lowest : undefined;
    const target = downgrade.targetVersion;
    if (compareMinor(target, clusterVersion) === 0) return undefined;
    for (const [name, version] of [
      ["cluster-version", clusterVersion],
      ["minimal-server-version", lowest],
    ] as const) {
      if (isMinorBelow(target, version)) continue;
      const text = `Cannot downgrade from ${name} to downgrade-target`;
      this.#parts.log.error(text, { "downgrade-target": target, [name]: version });
      const error = "invalid downgrade target";
      this.#parts.log.error("Failed to monitor cluster version", { error });
      return undefined;
    }
    return target;
  }

  #setVersion(wanted: string): void {
    const { state, log } = this.#parts;
    const { clusterVersion } = state.members;
    const version = minorOf(wanted);
    if (clusterVersion === undefined) {
      log.info("setting up initial cluster version using v3 API", { "cluster-version": version });
    } else {
      log.info("updating cluster version using v3 API", {
        from: minorOf(clusterVersion),
        to: version,
      });
    }
    this.#isBusy = true;
    const body = encodeClusterVersionSetRequest({ ver: wanted });
    this.#propose(RequestField.ClusterVersionSet, body, (error) => {
      this.#isBusy = false;
      if (error !== undefined) log.warn("failed to update cluster version", { error });
      else log.info("cluster version is updated", { "cluster-version": version });
      this.followStorageVersion();
    });
  }

  /** All members run the version that was the target: the downgrade is over. */
  #checkDowngrade(): void {
    const { isLeader, state, log } = this.#parts;
    const { downgrade } = state.members;
    if (!isLeader() || !downgrade.enabled || this.#isEnding) return;
    this.#isEnding = true;
    this.#ask((versions) => {
      this.#isEnding = false;
      if (!this.#runAll(versions, downgrade.targetVersion)) return;
      const fields = { "cluster-version": downgrade.targetVersion };
      log.info("the cluster has been downgraded", fields);
      const body = encodeDowngradeInfoSetRequest({ enabled: false, ver: "" });
      this.#propose(RequestField.DowngradeInfoSet, body, (error) => {
        if (error !== undefined) log.warn("failed to cancel downgrade", { error });
      });
    });
  }

  #runAll(all: readonly MemberVersions[], target: string): boolean {
    for (const { id, versions } of all) {
      const version = clusterVersionOf(versions?.etcdserver ?? "");
      if (version === undefined) return false;
      if (compareMinor(version, target) === 0) continue;
      this.#parts.log.warn("remotes server has mismatching etcd version", {
        "remote-member-id": idText(id),
        "current-server-version": version,
        "target-version": target,
      });
      return false;
    }
    return true;
  }

  #propose(field: number, body: Uint8Array, done: (error: string | undefined) => void): void {
    const waiter: Waiter = {
      proposedAtMs: 0,
      settle: ({ error }) => done(error?.message),
      fail: ({ message }) => done(message),
    };
    this.#parts.proposals.propose(field, body, 0, body.length, waiter);
  }
}

/** "3.7" of "3.7.0". */
export function minorOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

/** One minor version lower, of the same major one. */
function isMinorBelow(lower: string, version: string): boolean {
  const [lowerMajor, lowerMinor] = lower.split(".").map(Number);
  const [major, minor] = version.split(".").map(Number);
  return lowerMajor === major && lowerMinor === minor! - 1;
}
