// The options of one member: storage, limits, connections, logs.

import {
  choices,
  duration,
  type Flag,
  flag,
  gates,
  int,
  int64,
  sortedList,
  text,
  truth,
  uint,
  uint32,
  uint64,
  urls,
} from "./flag.ts";
import { parseUniqueUrls } from "./urls.ts";

const SECOND_NS = 1e9;
const HOUR_NS = 3600 * SECOND_NS;

export const MEMBER_FLAGS: readonly Flag[] = [
  flag("name", text, "default", "Name of this member, unique within its cluster."),
  flag("data-dir", text, "", "Directory of all data; if empty, the name with .etcd behind it."),
  flag("wal-dir", text, "", "A separate directory for the write-ahead log."),
  flag(
    "snapshot-count",
    uint64,
    10_000,
    "Write a raft snapshot to disk after this many applied entries.",
  ),
  flag("heartbeat-interval", uint, 100, "Milliseconds between heartbeats."),
  flag(
    "election-timeout",
    uint,
    1000,
    "Milliseconds without a heartbeat until an election; at least five heartbeats.",
  ),
  flag(
    "initial-election-tick-advance",
    truth,
    true,
    "At start, wait one heartbeat instead of a whole election timeout.",
  ),
  flag(
    "listen-peer-urls",
    urls,
    parseUniqueUrls("http://localhost:2380"),
    "Addresses for the traffic of other members.",
  ),
  flag(
    "listen-client-urls",
    urls,
    parseUniqueUrls("http://localhost:2379"),
    "Addresses for clients: gRPC, and HTTP unless --listen-client-http-urls is given.",
  ),
  flag(
    "listen-client-http-urls",
    urls,
    [],
    "Addresses for HTTP clients only; the client URLs then serve gRPC only.",
  ),
  flag(
    "max-snapshots",
    uint,
    5,
    "Raft snapshot files to keep, 0 keeps all. Deprecated, as in etcd.",
  ),
  flag("max-wals", uint, 5, "Log segments to keep, 0 keeps all."),
  flag(
    "memory-mlock",
    truth,
    false,
    "Keep the pages of the database in memory.",
    "a process under Node.js cannot lock its pages",
  ),
  flag(
    "quota-backend-bytes",
    int64,
    0,
    "Size of the database at which writes are refused: 0 is 2 GiB, negative is no limit.",
  ),
  flag(
    "backend-bbolt-freelist-type",
    text,
    "",
    "How free pages are kept in memory: 'array' or 'map'.",
  ),
  flag(
    "backend-batch-interval",
    duration,
    0,
    "Longest time between two commits of the database; 0 is 100ms.",
  ),
  flag("backend-batch-limit", int, 0, "Changes after which the database commits; 0 is 10000."),
  flag("max-txn-ops", uint, 128, "Operations that a transaction may have."),
  flag("max-request-bytes", uint, 1_572_864, "Size that a request may have."),
  flag("max-concurrent-streams", uint32, 0xffff_ffff, "Streams that one connection may have open."),
  flag(
    "grpc-keepalive-min-time",
    duration,
    5 * SECOND_NS,
    "Clients that ping more often than this are disconnected.",
  ),
  flag(
    "grpc-keepalive-interval",
    duration,
    2 * HOUR_NS,
    "How often an idle connection is pinged; 0 never.",
  ),
  flag(
    "grpc-keepalive-timeout",
    duration,
    20 * SECOND_NS,
    "How long a ping may stay unanswered; 0 for ever.",
  ),
  flag("socket-reuse-port", truth, false, "Listen with SO_REUSEPORT."),
  flag("socket-reuse-address", truth, false, "Listen with SO_REUSEADDR."),
  flag("enable-grpc-gateway", truth, true, "Serve the API as JSON too."),
  flag(
    "raft-read-timeout",
    duration,
    5 * SECOND_NS,
    "Read timeout of connections between members, at least 5s.",
  ),
  flag(
    "raft-write-timeout",
    duration,
    5 * SECOND_NS,
    "Write timeout of connections between members, at least 5s.",
  ),
  flag(
    "feature-gates",
    gates,
    new Map<string, boolean>(),
    "Name=true or Name=false, separated by commas.",
  ),
];

export const LOGGING_FLAGS: readonly Flag[] = [
  flag("logger", text, "zap", "The shape of the log; 'zap' is the only one."),
  flag(
    "log-outputs",
    sortedList,
    ["default"],
    "Where the log goes: 'default' (stderr), 'stderr', 'stdout', or paths of files.",
  ),
  flag("log-level", text, "info", "debug, info, warn, error, panic or fatal."),
  flag("log-format", text, "json", "json or console."),
  flag(
    "enable-log-rotation",
    truth,
    false,
    "Rotate the one file of --log-outputs.",
    "log rotation comes later; rotate with logrotate's copytruncate until then",
  ),
  flag(
    "log-rotation-config-json",
    text,
    '{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}',
    "Limits of the rotation.",
    "log rotation comes later",
  ),
  flag(
    "warning-unary-request-duration",
    duration,
    0.3 * SECOND_NS,
    "A request that takes longer is logged.",
  ),
];

export const FEATURE_FLAGS: readonly Flag[] = [
  flag("corrupt-check-time", duration, 0, "How often the members compare their data; 0 never."),
  flag(
    "compact-hash-check-time",
    duration,
    60 * SECOND_NS,
    "How often the leader compares hashes of compactions (gate CompactHashCheck).",
  ),
  flag(
    "compaction-batch-limit",
    int,
    0,
    "Revisions that one step of a compaction deletes; 0 is 1000.",
  ),
  flag(
    "compaction-sleep-interval",
    duration,
    0,
    "Pause between two steps of a compaction; 0 is 10ms.",
  ),
  flag(
    "watch-progress-notify-interval",
    duration,
    0,
    "How often idle watchers hear of the revision; 0 is 10m.",
  ),
  flag(
    "warning-apply-duration",
    duration,
    0.1 * SECOND_NS,
    "An entry that takes longer to apply is logged.",
  ),
  flag(
    "bootstrap-defrag-threshold-megabytes",
    uint,
    0,
    "Defragment at start if that frees at least this much; 0 never.",
  ),
  flag("max-learners", int, 1, "Learners that a cluster may have."),
  flag("snapshot-catchup-entries", uint64, 5000, "Log entries kept in memory for slow followers."),
  flag(
    "downgrade-check-time",
    duration,
    5 * SECOND_NS,
    "How often the progress of a downgrade is looked at.",
  ),
];

export const UNSAFE_FLAGS: readonly Flag[] = [
  flag("force-new-cluster", truth, false, "Make a cluster of one from this member's data."),
  flag("unsafe-no-fsync", truth, false, "Do not wait for the disk: a crash loses data."),
];

/** Of etcd 3.7 only, which ignores what they are set to. */
export const DEPRECATED_FLAGS: readonly Flag[] = [
  flag(
    "v2-deprecation",
    choices("write-only", "write-only-skip-check", "write-only-drop-data", "gone"),
    [] as readonly string[],
    "Stage of the old store's removal; accepted, and ignored as in etcd.",
  ),
];

/** Options of long ago, which etcd still takes and ignores. */
export const IGNORED_FLAGS: readonly string[] = [
  "cluster-active-size",
  "cluster-remove-delay",
  "cluster-sync-interval",
  "config",
  "force",
  "max-result-buffer",
  "max-retry-attempts",
  "peer-election-timeout",
  "peer-heartbeat-interval",
  "retry-interval",
  "snapshot",
  "v",
  "vv",
];
