// What a start tells: the whole configuration in one line with the names of the flags as keys,
// which operators and their tools look for, and warnings of settings that are unwise.

import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { formatDuration } from "../../base/duration-text.ts";
import { humanSize } from "../../base/human-size.ts";
import type { Logger } from "../../base/log.ts";
import { SERVER_VERSION } from "../../server/options.ts";
import { retentionNumber } from "./auto-compaction.ts";
import type { EtcdConfig } from "./config.ts";
import { showGates } from "./feature-gates.ts";
import { findFlag } from "./flag-table.ts";
import type { ClusterUrls } from "./initial-cluster.ts";
import { architectureName, PRODUCT_VERSION, runtimeName } from "./product-version.ts";
import { type EtcdUrl, showClusterUrls } from "./urls.ts";

const DEFAULT_QUOTA_BYTES = 2 * 1024 ** 3;
/** Above these etcd warns: nobody tests databases and requests of that size. */
const QUOTA_BYTES_ADVISED = 8 * 1024 ** 3;
const REQUEST_BYTES_ADVISED = 10 * 1024 ** 2;

export interface StartFacts {
  readonly config: EtcdConfig;
  readonly memberInitialized: boolean;
  readonly initialCluster: ClusterUrls;
}

export function logListening(config: EtcdConfig, log: Logger): void {
  if (config.socketReuseAddress || config.socketReusePort) {
    log.info("configuring socket options", {
      "reuse-address": config.socketReuseAddress,
      "reuse-port": config.socketReusePort,
    });
  }
  log.info("configuring peer listeners", { "listen-peer-urls": texts(config.listenPeerUrls) });
  log.info("configuring client listeners", {
    "listen-client-urls": texts(config.listenClientUrls),
  });
}

export function logStart(facts: StartFacts, log: Logger): void {
  log.info("starting an etcd server", {
    ...programFields(),
    ...memberFields(facts),
    ...addressFields(facts),
    ...limitFields(facts.config),
    ...discoveryFields(),
    "downgrade-check-interval": shown(facts.config.downgradeCheckMs),
    "max-learners": facts.config.maxLearners,
    "v2-deprecation": "write-only",
  });
  warnOfSizes(facts.config, log);
  if (/^simple\b/.test(facts.config.authToken)) {
    log.warn("simple token is not cryptographically signed");
  }
}

function programFields() {
  return {
    "etcd-version": SERVER_VERSION,
    "git-sha": `none (Quorate ${PRODUCT_VERSION})`,
    "go-version": runtimeName(),
    "go-os": process.platform,
    "go-arch": architectureName(),
    "max-cpu-set": availableParallelism(),
    "max-cpu-available": cpus().length,
  };
}

function memberFields({ config, memberInitialized }: StartFacts) {
  return {
    "member-initialized": memberInitialized,
    name: config.name,
    "data-dir": config.dataDir,
    "wal-dir": config.walDir,
    "wal-dir-dedicated": config.walDir,
    "member-dir": join(config.dataDir, "member"),
    "force-new-cluster": false,
    "heartbeat-interval": shown(config.heartbeatMs),
    "election-timeout": shown(config.electionMs),
    "initial-election-tick-advance": config.initialElectionTickAdvance,
    "snapshot-count": config.snapshotCount,
    "max-wals": config.maxWals,
    "max-snapshots": config.maxSnapshots,
    "snapshot-catchup-entries": config.snapshotCatchupEntries,
  };
}

function addressFields({ config, initialCluster, memberInitialized }: StartFacts) {
  return {
    "initial-advertise-peer-urls": texts(config.advertisePeerUrls),
    "listen-peer-urls": texts(config.listenPeerUrls),
    "advertise-client-urls": texts(config.advertiseClientUrls),
    "listen-client-urls": texts(config.listenClientUrls),
    "listen-metrics-urls": texts(config.listenMetricsUrls),
    "local-address": "",
    cors: config.cors,
    "host-whitelist": config.hostWhitelist,
    "initial-cluster": showClusterUrls(initialCluster),
    "initial-cluster-state": config.initialClusterState,
    "initial-cluster-token": memberInitialized ? "" : config.initialClusterToken,
  };
}

function limitFields(config: EtcdConfig) {
  const { autoCompactionMode, autoCompactionRetention } = config;
  const retention = formatDuration(retentionNumber(autoCompactionMode, autoCompactionRetention));
  return {
    "quota-backend-bytes": config.quotaBackendBytes || DEFAULT_QUOTA_BYTES,
    "max-request-bytes": config.maxRequestBytes,
    "max-concurrent-streams": config.maxConcurrentStreams,
    "pre-vote": config.preVote,
    "feature-gates": showGates(config.featureGates),
    "initial-corrupt-check": false,
    "corrupt-check-time-interval": shown(config.corruptCheckMs),
    "compact-check-time-interval": shown(config.compactHashCheckMs),
    "auto-compaction-mode": config.autoCompactionMode,
    "auto-compaction-retention": retention,
    "auto-compaction-interval": retention,
  };
}

/** Discovery is refused for now; its defaults are shown, as etcd shows them. */
function discoveryFields() {
  const names = [
    ...["token", "endpoints", "dial-timeout", "request-timeout", "keepalive-time"],
    ...["keepalive-timeout", "insecure-transport", "insecure-skip-tls-verify", "cert", "key"],
    ...["cacert", "user"],
  ];
  return Object.fromEntries(
    names.map((name) => {
      const flag = findFlag(`discovery-${name}`)!;
      const plain = flag.kind.goType === "bool" ? flag.initial : flag.kind.show(flag.initial);
      return [flag.name, plain];
    }),
  );
}

function warnOfSizes(config: EtcdConfig, log: Logger): void {
  if (config.maxRequestBytes > REQUEST_BYTES_ADVISED) {
    log.warn("exceeded recommended request limit", {
      "max-request-bytes": config.maxRequestBytes,
      "max-request-size": humanSize(config.maxRequestBytes),
      "recommended-request-bytes": REQUEST_BYTES_ADVISED,
      "recommended-request-size": humanSize(REQUEST_BYTES_ADVISED),
    });
  }
  const quota = config.quotaBackendBytes;
  const name = { "quota-name": "v3-applier" };
  if (quota < 0) {
    log.info("disabled backend quota", { ...name, "quota-size-bytes": quota });
    return;
  }
  if (quota > QUOTA_BYTES_ADVISED) {
    log.warn("quota exceeds the maximum value", {
      ...name,
      "quota-size-bytes": quota,
      "quota-size": humanSize(quota),
      "quota-maximum-size-bytes": QUOTA_BYTES_ADVISED,
      "quota-maximum-size": humanSize(QUOTA_BYTES_ADVISED),
    });
  }
  const bytes = quota || DEFAULT_QUOTA_BYTES;
  log.info(quota === 0 ? "enabled backend quota with default value" : "enabled backend quota", {
    ...name,
    "quota-size-bytes": bytes,
    "quota-size": humanSize(bytes),
  });
}

function texts(urls: readonly EtcdUrl[]): string[] {
  return urls.map((url) => url.text);
}

function shown(ms: number): string {
  return formatDuration(ms * 1e6);
}
