// The options of clusters: who the members are, how they find each other, what they agree on.

import {
  choice,
  duration,
  type Flag,
  flag,
  int,
  sortedList,
  text,
  truth,
  uint,
  urls,
} from "./flag.ts";
import { parseUniqueUrls } from "./urls.ts";

const SECOND_NS = 1e9;

export const CLUSTER_FLAGS: readonly Flag[] = [
  flag(
    "initial-advertise-peer-urls",
    urls,
    parseUniqueUrls("http://localhost:2380"),
    "Where the other members reach this one.",
  ),
  flag(
    "initial-cluster",
    text,
    "default=http://localhost:2380",
    "name=url of each member of a new cluster, separated by commas.",
  ),
  flag(
    "initial-cluster-state",
    choice("new", "existing"),
    "new",
    "'new' to make a cluster, 'existing' to join one; ignored once there is data.",
  ),
  flag(
    "initial-cluster-token",
    text,
    "etcd-cluster",
    "Part of the ids, so that two clusters with the same addresses differ.",
  ),
  flag(
    "advertise-client-urls",
    urls,
    parseUniqueUrls("http://localhost:2379"),
    "Where clients reach this member.",
  ),
  flag(
    "strict-reconfig-check",
    truth,
    true,
    "Refuse changes of the membership that would lose the quorum.",
  ),
  flag(
    "pre-vote",
    truth,
    true,
    "Ask before an election, so that a member that was cut off does not disturb.",
  ),
  flag(
    "auto-compaction-retention",
    text,
    "0",
    "How much history automatic compaction keeps; 0 is all.",
  ),
  flag(
    "auto-compaction-mode",
    text,
    "periodic",
    "The retention is a time ('periodic', hours if without unit) or a count ('revision').",
  ),
];

export const DISCOVERY_FLAGS: readonly Flag[] = [
  flag("discovery-token", text, "", "Token of the new cluster."),
  flag(
    "discovery-endpoints",
    sortedList,
    [],
    "Endpoints of the service that collects the members of a new cluster.",
  ),
  flag("discovery-dial-timeout", duration, 2 * SECOND_NS, "Longest time to connect to it."),
  flag("discovery-request-timeout", duration, 5 * SECOND_NS, "Longest time of a request to it."),
  flag(
    "discovery-keepalive-time",
    duration,
    2 * SECOND_NS,
    "How often the connection to it is pinged.",
  ),
  flag(
    "discovery-keepalive-timeout",
    duration,
    6 * SECOND_NS,
    "How long such a ping may stay unanswered.",
  ),
  flag("discovery-insecure-transport", truth, true, "Connect to it without TLS."),
  flag(
    "discovery-insecure-skip-tls-verify",
    truth,
    false,
    "Do not check its certificate; for tests.",
  ),
  flag("discovery-cert", text, "", "Certificate of this client."),
  flag("discovery-key", text, "", "Key of that certificate."),
  flag("discovery-cacert", text, "", "Authorities to trust."),
  flag("discovery-user", text, "", "user[:password] for it."),
  flag("discovery-password", text, "", "Password for it."),
  flag("discovery-srv", text, "", "DNS domain with SRV records."),
  flag("discovery-srv-name", text, "", "Suffix of the service names in DNS."),
  flag(
    "discovery-fallback",
    choice("exit", "proxy"),
    "exit",
    "What to do when the discovery fails; only 'exit'.",
  ),
];

export const MONITORING_FLAGS: readonly Flag[] = [
  flag(
    "enable-pprof",
    truth,
    false,
    "Serve /debug/pprof.",
    "profiles of Go do not exist here; use node --cpu-prof or --inspect",
  ),
  flag("metrics", text, "basic", "'basic', or 'extensive' with histograms of gRPC."),
  flag(
    "listen-metrics-urls",
    urls,
    [],
    "More addresses for /metrics, /health, /livez and /readyz.",
  ),
];

const BY_TRACING = "distributed tracing comes later";

export const TRACING_FLAGS: readonly Flag[] = [
  flag(
    "enable-distributed-tracing",
    truth,
    false,
    "Send traces of requests to an OpenTelemetry collector.",
    BY_TRACING,
  ),
  flag(
    "distributed-tracing-address",
    text,
    "localhost:4317",
    "Address of the collector.",
    BY_TRACING,
  ),
  flag(
    "distributed-tracing-service-name",
    text,
    "etcd",
    "Name of this service, the same for all members.",
    BY_TRACING,
  ),
  flag(
    "distributed-tracing-instance-id",
    text,
    "",
    "Name of this instance, different for each member.",
    BY_TRACING,
  ),
  flag(
    "distributed-tracing-sampling-rate",
    int,
    0,
    "Traces of a million that are sent.",
    BY_TRACING,
  ),
];

const BY_AUTH = "users, roles and tokens come later";

export const AUTH_FLAGS: readonly Flag[] = [
  flag("auth-token", text, "simple", "Kind of the tokens: 'simple' or 'jwt,…'."),
  flag("bcrypt-cost", uint, 10, "Work that hashing a password takes.", BY_AUTH),
  flag("auth-token-ttl", uint, 300, "Seconds that a token lives.", BY_AUTH),
];
