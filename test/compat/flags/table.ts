// Every flag of etcd 3.7.3 with a value that etcd takes and, where there is one, a value that it
// refuses. `later` marks what we still refuse, with a sentence, though etcd takes it.

export interface FlagCase {
  readonly name: string;
  /** Besides what every member is started with. */
  readonly good: readonly string[];
  readonly bad?: string;
  readonly isLater?: boolean;
}

function takes(name: string, good: string, bad?: string): FlagCase {
  const one = { name, good: [`--${name}=${good}`] };
  return bad === undefined ? one : { ...one, bad };
}

function later(name: string, good: string): FlagCase {
  return { ...takes(name, good), isLater: true };
}

const NOT_A_NUMBER = "12x";
const NOT_A_DURATION = "5";
const NOT_A_TRUTH = "maybe";

/** `<DIR>` is a folder of the test. */
export const FLAG_CASES: readonly FlagCase[] = [
  takes("advertise-client-urls", "http://127.0.0.1:1", "127.0.0.1:1"),
  takes("auth-token", "simple"),
  { ...takes("auth-token-ttl", "100", NOT_A_NUMBER), isLater: true },
  takes("auto-compaction-mode", "revision", "sometimes"),
  takes("auto-compaction-retention", "2", "soon"),
  later("auto-tls", "true"),
  takes("backend-batch-interval", "50ms", NOT_A_DURATION),
  takes("backend-batch-limit", "500", NOT_A_NUMBER),
  takes("backend-bbolt-freelist-type", "array"),
  { ...takes("bcrypt-cost", "5", NOT_A_NUMBER), isLater: true },
  takes("bootstrap-defrag-threshold-megabytes", "10", "-1"),
  takes("cert-file", ""),
  takes("cipher-suites", "TLS_AES_128_GCM_SHA256", "TLS_NO_SUCH"),
  later("client-cert-allowed-hostname", "a"),
  later("client-cert-auth", "true"),
  later("client-cert-file", "<DIR>/x"),
  later("client-crl-file", "<DIR>/x"),
  later("client-key-file", "<DIR>/x"),
  takes("compact-hash-check-time", "2m", NOT_A_DURATION),
  takes("compaction-batch-limit", "100", NOT_A_NUMBER),
  takes("compaction-sleep-interval", "5ms", NOT_A_DURATION),
  takes("config-file", "", "<DIR>/none.yml"),
  takes("corrupt-check-time", "10m", NOT_A_DURATION),
  takes("cors", "http://a.example:80", "http://a.example"),
  takes("data-dir", "<DIR>/other"),
  takes("discovery-cacert", "<DIR>/x"),
  takes("discovery-cert", "<DIR>/x"),
  takes("discovery-dial-timeout", "2s", NOT_A_DURATION),
  // Given at all, even empty, it is one way to form a cluster too many.
  { name: "discovery-endpoints", good: [], bad: "" },
  takes("discovery-fallback", "exit", "maybe"),
  takes("discovery-insecure-skip-tls-verify", "false", NOT_A_TRUTH),
  takes("discovery-insecure-transport", "true", NOT_A_TRUTH),
  takes("discovery-keepalive-time", "2s", NOT_A_DURATION),
  takes("discovery-keepalive-timeout", "6s", NOT_A_DURATION),
  takes("discovery-key", "<DIR>/x"),
  takes("discovery-password", "x"),
  takes("discovery-request-timeout", "5s", NOT_A_DURATION),
  takes("discovery-srv", ""),
  takes("discovery-srv-name", ""),
  takes("discovery-token", ""),
  takes("discovery-user", "x"),
  later("distributed-tracing-address", "127.0.0.1:1"),
  later("distributed-tracing-instance-id", "x"),
  later("distributed-tracing-sampling-rate", "1"),
  later("distributed-tracing-service-name", "x"),
  takes("downgrade-check-time", "1s", NOT_A_DURATION),
  takes("election-timeout", "2000", "60000"),
  later("enable-distributed-tracing", "true"),
  takes("enable-grpc-gateway", "false", NOT_A_TRUTH),
  takes("enable-log-rotation", "false", NOT_A_TRUTH),
  later("enable-pprof", "true"),
  takes("feature-gates", "CompactHashCheck=false", "NoSuchGate=true"),
  takes("force-new-cluster", "false", NOT_A_TRUTH),
  takes("grpc-keepalive-interval", "1m", NOT_A_DURATION),
  takes("grpc-keepalive-min-time", "1s", NOT_A_DURATION),
  takes("grpc-keepalive-timeout", "5s", NOT_A_DURATION),
  takes("heartbeat-interval", "150", "0"),
  takes("host-whitelist", "127.0.0.1"),
  takes("initial-advertise-peer-urls", "http://127.0.0.1:1", "ftp://127.0.0.1:1"),
  takes("initial-cluster", "m1=http://127.0.0.1:1", "m1"),
  takes("initial-cluster-state", "new", "old"),
  takes("initial-cluster-token", "x"),
  takes("initial-election-tick-advance", "false", NOT_A_TRUTH),
  takes("key-file", ""),
  takes("listen-client-http-urls", "", "http://example.com:1"),
  takes("listen-client-urls", "http://127.0.0.1:0", "http://example.com:1"),
  takes("listen-metrics-urls", "http://127.0.0.1:0", "127.0.0.1"),
  takes("listen-peer-urls", "http://127.0.0.1:0", "http://example.com:1"),
  takes("log-format", "console", "xml"),
  takes("log-level", "debug", "loud"),
  takes("log-outputs", "stdout"),
  later("log-rotation-config-json", "{}"),
  takes("logger", "zap", "capnslog"),
  takes("max-concurrent-streams", "10", "-1"),
  takes("max-learners", "2", NOT_A_NUMBER),
  takes("max-request-bytes", "1000", "-1"),
  takes("max-snapshots", "3", "-1"),
  takes("max-txn-ops", "1000", "-1"),
  takes("max-wals", "3", "-1"),
  takes("memory-mlock", "false", NOT_A_TRUTH),
  takes("metrics", "extensive", "some"),
  takes("name", "m1"),
  takes("peer-auto-tls", "true"),
  takes("peer-cert-allowed-cn", "a"),
  takes("peer-cert-allowed-hostname", "a"),
  takes("peer-cert-file", ""),
  takes("peer-client-cert-auth", "false", NOT_A_TRUTH),
  takes("peer-client-cert-file", ""),
  takes("peer-client-key-file", ""),
  takes("peer-crl-file", ""),
  takes("peer-key-file", ""),
  takes("peer-skip-client-san-verification", "false", NOT_A_TRUTH),
  takes("peer-trusted-ca-file", ""),
  takes("pre-vote", "false", NOT_A_TRUTH),
  takes("quota-backend-bytes", "100000000", NOT_A_NUMBER),
  takes("raft-read-timeout", "6s", NOT_A_DURATION),
  takes("raft-write-timeout", "6s", NOT_A_DURATION),
  takes("self-signed-cert-validity", "2", "-1"),
  takes("snapshot-catchup-entries", "100", "-1"),
  takes("snapshot-count", "100", "-1"),
  takes("socket-reuse-address", "true", NOT_A_TRUTH),
  takes("socket-reuse-port", "true", NOT_A_TRUTH),
  takes("strict-reconfig-check", "false", NOT_A_TRUTH),
  takes("tls-max-version", "TLS1.3", "TLS1.0"),
  takes("tls-min-version", "TLS1.3", "TLS1.0"),
  later("trusted-ca-file", "<DIR>/x"),
  takes("unsafe-no-fsync", "true", NOT_A_TRUTH),
  takes("v2-deprecation", "write-only", "not-yet"),
  takes("wal-dir", "<DIR>/wal"),
  takes("warning-apply-duration", "1s", NOT_A_DURATION),
  takes("warning-unary-request-duration", "1s", NOT_A_DURATION),
  takes("watch-progress-notify-interval", "10s", NOT_A_DURATION),
];
