// The configuration of a start, with every option resolved: types instead of texts, milliseconds
// instead of Go's durations, lists and URLs taken apart. `load-config.ts` makes it and checks it.

import type { PeerTlsOptions } from "../../net/peer/peer-tls-options.ts";
import type { BackupOptions } from "../../server/care/backups.ts";
import type { GateSettings } from "./feature-gates.ts";
import type { FlagValues } from "./flag-table.ts";
import type { EtcdUrl } from "./urls.ts";

export interface EtcdConfig {
  readonly name: string;
  readonly dataDir: string;
  /** "": in the data directory. */
  readonly walDir: string;

  readonly listenPeerUrls: readonly EtcdUrl[];
  readonly listenClientUrls: readonly EtcdUrl[];
  readonly listenClientHttpUrls: readonly EtcdUrl[];
  readonly listenMetricsUrls: readonly EtcdUrl[];
  readonly advertisePeerUrls: readonly EtcdUrl[];
  readonly advertiseClientUrls: readonly EtcdUrl[];

  readonly initialCluster: string;
  readonly initialClusterState: string;
  readonly initialClusterToken: string;
  /** DNS domain in which the members are found; "": they are not looked for there. */
  readonly discoverySrv: string;
  readonly discoverySrvName: string;
  readonly discovery: DiscoveryConfig | undefined;
  readonly forceNewCluster: boolean;

  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly initialElectionTickAdvance: boolean;
  readonly preVote: boolean;
  readonly strictReconfigCheck: boolean;
  readonly maxLearners: number;

  readonly snapshotCount: number;
  readonly snapshotCatchupEntries: number;
  readonly maxSnapshots: number;
  readonly maxWals: number;

  /** 0: the default of 2 GiB; negative: no limit. */
  readonly quotaBackendBytes: number;
  readonly backendFreelistType: "array" | "map";
  readonly backendBatchIntervalMs: number;
  readonly backendBatchLimit: number;
  readonly bootstrapDefragThresholdBytes: number;
  readonly compactionBatchLimit: number;
  readonly compactionSleepMs: number;
  readonly autoCompactionMode: string;
  readonly autoCompactionRetention: string;
  readonly selfCare: "on" | "observe" | "off";
  /** undefined: no backups. */
  readonly backup: BackupOptions | undefined;
  readonly unsafeNoFsync: boolean;

  readonly maxTxnOps: number;
  readonly maxRequestBytes: number;
  readonly maxConcurrentStreams: number;
  readonly grpcKeepaliveMinTimeMs: number;
  readonly grpcKeepaliveIntervalMs: number;
  readonly grpcKeepaliveTimeoutMs: number;
  readonly socketReusePort: boolean;
  readonly socketReuseAddress: boolean;
  readonly enableGrpcGateway: boolean;
  readonly raftReadTimeoutMs: number;
  readonly raftWriteTimeoutMs: number;

  readonly tls: TlsConfig;
  readonly peerTls: PeerTlsConfig;
  /** ["*"]: any. */
  readonly cors: readonly string[];
  readonly hostWhitelist: readonly string[];

  readonly authToken: string;
  readonly bcryptCost: number;
  readonly authTokenTtlSeconds: number;

  readonly metrics: string;
  readonly warningApplyMs: number;
  readonly warningUnaryRequestMs: number;
  readonly watchProgressNotifyMs: number;
  readonly compactHashCheckMs: number;
  readonly corruptCheckMs: number;
  readonly downgradeCheckMs: number;
  readonly featureGates: GateSettings;

  readonly logger: string;
  readonly logLevel: string;
  readonly logFormat: string;
  readonly logOutputs: readonly string[];
}

export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  /** Go's names; [] is the runtime's choice. */
  readonly cipherSuites: readonly string[];
  readonly minVersion: string;
  readonly maxVersion: string;
}

export interface PeerTlsConfig extends Omit<PeerTlsOptions, "isSelfMade"> {
  /** Without files: a certificate is made. */
  readonly isAutomatic: boolean;
  readonly madeValidityYears: number;
}

/** The service that collects the members of a new cluster: another etcd. */
export interface DiscoveryConfig {
  readonly endpoints: readonly string[];
  readonly token: string;
  readonly dialTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
  readonly insecureTransport: boolean;
  readonly insecureSkipVerify: boolean;
  readonly certFile: string;
  readonly keyFile: string;
  readonly trustedCaFile: string;
  readonly user: string;
  readonly password: string;
}

/** A zero of etcd's means its default; it is resolved here so that nobody else has to know. */
const BATCH_INTERVAL_MS = 100;
const BATCH_LIMIT = 10_000;
const COMPACTION_BATCH_LIMIT = 1000;
const COMPACTION_SLEEP_MS = 10;
const UNARY_WARNING_MS = 300;
const WATCH_PROGRESS_NOTIFY_MS = 600_000;
/** More often than this it is never done, whatever is configured. */
const WATCH_PROGRESS_NOTIFY_MIN_MS = 100;

/** Connections between members are not given up sooner than this, whatever is configured. */
export const RAFT_TIMEOUT_MIN_MS = 5000;

/** Where the values come from: a file's default for what to advertise is taken as it is. */
export type Source = "flags" | "file";

export function buildConfig(values: FlagValues, source: Source): EtcdConfig {
  return {
    name: values.text("name"),
    dataDir: values.text("data-dir"),
    walDir: values.text("wal-dir"),
    ...addresses(values, source),
    ...consensus(values),
    ...storage(values),
    ...connections(values),
    ...operation(values),
  };
}

function addresses(values: FlagValues, source: Source) {
  // Who says where to listen has to say what to advertise; the default would be wrong.
  const guessed =
    source === "flags" &&
    values.isSet("listen-client-urls") &&
    !values.isSet("advertise-client-urls");
  // Members that find each other have no list.
  const discovers =
    values.text("discovery-srv") !== "" ||
    values.text("discovery-srv-name") !== "" ||
    values.list("discovery-endpoints").length > 0;
  const unset = discovers && !values.isSet("initial-cluster");
  return {
    listenPeerUrls: values.urls("listen-peer-urls"),
    listenClientUrls: values.urls("listen-client-urls"),
    listenClientHttpUrls: values.urls("listen-client-http-urls"),
    listenMetricsUrls: values.urls("listen-metrics-urls"),
    advertisePeerUrls: values.urls("initial-advertise-peer-urls"),
    advertiseClientUrls: guessed ? [] : values.urls("advertise-client-urls"),
    initialCluster: unset ? "" : values.text("initial-cluster"),
    initialClusterState: values.text("initial-cluster-state"),
    initialClusterToken: tokenOf(values),
    discoverySrv: values.text("discovery-srv"),
    discoverySrvName: values.text("discovery-srv-name"),
    discovery: discovery(values),
    forceNewCluster: values.truth("force-new-cluster"),
  };
}

/** Members that discover each other share its token. */
function tokenOf(values: FlagValues): string {
  const discovers = values.list("discovery-endpoints").length > 0;
  return values.text(discovers ? "discovery-token" : "initial-cluster-token");
}

function discovery(values: FlagValues): DiscoveryConfig | undefined {
  const endpoints = values.list("discovery-endpoints");
  if (endpoints.length === 0) return undefined;
  return {
    endpoints,
    token: values.text("discovery-token"),
    dialTimeoutMs: values.ms("discovery-dial-timeout"),
    requestTimeoutMs: values.ms("discovery-request-timeout"),
    keepaliveTimeMs: values.ms("discovery-keepalive-time"),
    keepaliveTimeoutMs: values.ms("discovery-keepalive-timeout"),
    insecureTransport: values.truth("discovery-insecure-transport"),
    insecureSkipVerify: values.truth("discovery-insecure-skip-tls-verify"),
    certFile: values.text("discovery-cert"),
    keyFile: values.text("discovery-key"),
    trustedCaFile: values.text("discovery-cacert"),
    user: values.text("discovery-user"),
    password: values.text("discovery-password"),
  };
}

function consensus(values: FlagValues) {
  return {
    heartbeatMs: values.number("heartbeat-interval"),
    electionMs: values.number("election-timeout"),
    initialElectionTickAdvance: values.truth("initial-election-tick-advance"),
    preVote: values.truth("pre-vote"),
    strictReconfigCheck: values.truth("strict-reconfig-check"),
    maxLearners: values.number("max-learners"),
    snapshotCount: values.number("snapshot-count"),
    snapshotCatchupEntries: values.number("snapshot-catchup-entries"),
    maxSnapshots: values.number("max-snapshots"),
    maxWals: values.number("max-wals"),
    raftReadTimeoutMs: Math.max(values.ms("raft-read-timeout"), RAFT_TIMEOUT_MIN_MS),
    raftWriteTimeoutMs: Math.max(values.ms("raft-write-timeout"), RAFT_TIMEOUT_MIN_MS),
  };
}

function storage(values: FlagValues) {
  const array = values.text("backend-bbolt-freelist-type") === "array";
  return {
    quotaBackendBytes: values.number("quota-backend-bytes"),
    backendFreelistType: array ? ("array" as const) : ("map" as const),
    backendBatchIntervalMs: values.ms("backend-batch-interval") || BATCH_INTERVAL_MS,
    backendBatchLimit: values.number("backend-batch-limit") || BATCH_LIMIT,
    bootstrapDefragThresholdBytes:
      values.number("bootstrap-defrag-threshold-megabytes") * 1024 * 1024,
    compactionBatchLimit: values.number("compaction-batch-limit") || COMPACTION_BATCH_LIMIT,
    compactionSleepMs: values.ms("compaction-sleep-interval") || COMPACTION_SLEEP_MS,
    autoCompactionMode: values.text("auto-compaction-mode"),
    autoCompactionRetention: values.text("auto-compaction-retention"),
    selfCare: values.text("self-care") as EtcdConfig["selfCare"],
    backup: backupOf(values),
    unsafeNoFsync: values.truth("unsafe-no-fsync"),
  };
}

function connections(values: FlagValues) {
  return {
    maxTxnOps: values.number("max-txn-ops"),
    maxRequestBytes: values.number("max-request-bytes"),
    maxConcurrentStreams: values.number("max-concurrent-streams"),
    grpcKeepaliveMinTimeMs: values.ms("grpc-keepalive-min-time"),
    grpcKeepaliveIntervalMs: values.ms("grpc-keepalive-interval"),
    grpcKeepaliveTimeoutMs: values.ms("grpc-keepalive-timeout"),
    socketReusePort: values.truth("socket-reuse-port"),
    socketReuseAddress: values.truth("socket-reuse-address"),
    enableGrpcGateway: values.truth("enable-grpc-gateway"),
    tls: tlsConfig(values, ""),
    peerTls: {
      ...tlsConfig(values, "peer-"),
      clientCertFile: values.text("peer-client-cert-file"),
      clientKeyFile: values.text("peer-client-key-file"),
      trustedCaFile: values.text("peer-trusted-ca-file"),
      clientCertAuth: values.truth("peer-client-cert-auth"),
      crlFile: values.text("peer-crl-file"),
      allowedCns: values.list("peer-cert-allowed-cn"),
      allowedHostnames: values.list("peer-cert-allowed-hostname"),
      skipClientSanVerification: values.truth("peer-skip-client-san-verification"),
      isAutomatic: values.truth("peer-auto-tls"),
      madeValidityYears: values.number("self-signed-cert-validity"),
    },
    cors: values.list("cors"),
    hostWhitelist: values.list("host-whitelist"),
  };
}

function tlsConfig(values: FlagValues, prefix: "" | "peer-"): TlsConfig {
  return {
    certFile: values.text(`${prefix}cert-file`),
    keyFile: values.text(`${prefix}key-file`),
    cipherSuites: values.list("cipher-suites"),
    minVersion: values.text("tls-min-version"),
    maxVersion: values.text("tls-max-version"),
  };
}

function operation(values: FlagValues) {
  return {
    authToken: values.text("auth-token"),
    bcryptCost: values.number("bcrypt-cost"),
    authTokenTtlSeconds: values.number("auth-token-ttl"),
    metrics: values.text("metrics"),
    warningApplyMs: values.ms("warning-apply-duration"),
    warningUnaryRequestMs: values.ms("warning-unary-request-duration") || UNARY_WARNING_MS,
    watchProgressNotifyMs: progressNotifyMs(values.ms("watch-progress-notify-interval")),
    compactHashCheckMs: values.ms("compact-hash-check-time"),
    corruptCheckMs: values.ms("corrupt-check-time"),
    downgradeCheckMs: values.ms("downgrade-check-time"),
    featureGates: values.gates("feature-gates"),
    logger: values.text("logger"),
    logLevel: values.text("log-level"),
    logFormat: values.text("log-format"),
    logOutputs: values.list("log-outputs"),
  };
}

function progressNotifyMs(givenMs: number): number {
  return givenMs > 0 ? Math.max(givenMs, WATCH_PROGRESS_NOTIFY_MIN_MS) : WATCH_PROGRESS_NOTIFY_MS;
}

function backupOf(values: FlagValues): BackupOptions | undefined {
  const directory = values.text("backup-dir");
  if (directory === "") return undefined;
  return {
    directory,
    intervalMs: Math.max(1000, values.ms("backup-interval")),
    keepCount: Math.max(1, values.number("backup-keep")),
  };
}
