// What is wrong with a configuration: the checks of etcd in its order and with its words, since
// operators search for them. The first fault found is the answer.

import { isIP } from "node:net";
import { formatDuration } from "../../base/duration-text.ts";
import type { Logger } from "../../base/log.ts";
import { quote } from "../flags/go-text.ts";
import type { EtcdConfig } from "./config.ts";
import { gateEnabled } from "./feature-gates.ts";
import type { FlagValues } from "./flag-table.ts";
import { type EtcdUrl, isSocketFile } from "./urls.ts";

/** Elections that take longer than this would be taken for an outage. */
const ELECTION_MS_MAX = 50_000;

export const ADVERTISE_CLIENT_URLS_UNSET =
  "--advertise-client-urls is required when --listen-client-urls is set explicitly";

/** The fault, or undefined. Doubtful settings are only warned of. */
export function checkConfig(
  config: EtcdConfig,
  values: FlagValues,
  log: Logger,
): string | undefined {
  return (
    checkAddresses(config, log) ??
    checkBootstrap(config, values) ??
    checkTimes(config) ??
    checkModes(config, values, log) ??
    checkTls(config)
  );
}

function checkAddresses(config: EtcdConfig, log: Logger): string | undefined {
  const first =
    checkBindable(config.listenPeerUrls) ??
    checkBindable(config.listenClientUrls) ??
    checkBindable(config.listenClientHttpUrls);
  if (first !== undefined) return first;
  if (config.listenClientHttpUrls.length === 0) {
    log.warn(
      "Running http and grpc server on single port. This is not recommended for production.",
    );
  }
  const metrics = checkBindable(config.listenMetricsUrls);
  if (metrics !== undefined) return metrics;
  const peer = checkReachable(config.advertisePeerUrls);
  if (peer !== undefined) {
    const given = quote(config.advertisePeerUrls.map((url) => url.text).join(","));
    return `--initial-advertise-peer-urls ${given} must be "host:port" (${peer})`;
  }
  const client = checkReachable(config.advertiseClientUrls);
  if (client !== undefined) {
    const given = quote(config.advertiseClientUrls.map((url) => url.text).join(","));
    const forms = `"host:port", "unix:/path/to/socket" or "unixs:/path/to/socket"`;
    return `--advertise-client-urls ${given} must be in the format ${forms} (${client})`;
  }
  return undefined;
}

/** A listener needs an address of this machine, not a name that may mean another tomorrow. */
function checkBindable(urls: readonly EtcdUrl[]): string | undefined {
  const wrong = urls.find(
    (url) => !isSocketFile(url) && url.hostname !== "localhost" && !isPlainAddress(url.hostname),
  );
  return wrong && `expected IP in URL for binding (${wrong.text})`;
}

function isPlainAddress(hostname: string): boolean {
  return isIP(hostname) !== 0 && !hostname.includes("%");
}

function checkReachable(urls: readonly EtcdUrl[]): string | undefined {
  const wrong = urls.find((url) => !isSocketFile(url) && url.hostname === "");
  return wrong && `unexpected empty host (${wrong.text})`;
}

function checkBootstrap(config: EtcdConfig, values: FlagValues): string | undefined {
  const state = config.initialClusterState;
  if (state !== "new" && state !== "existing") return `unexpected clusterState ${quote(state)}`;
  const endpoints = values.list("discovery-endpoints");
  const ways = [config.initialCluster !== "", values.text("discovery-srv") !== ""];
  ways.push(endpoints.length > 0);
  if (ways.filter((way) => way).length > 1) {
    return (
      "multiple discovery or bootstrap flags are set. " +
      'Choose one of "initial-cluster", "discovery-endpoints" or "discovery-srv"'
    );
  }
  if ((values.text("discovery-token") !== "") !== endpoints.length > 0) {
    return "both --discovery-token and --discovery-endpoints must be set";
  }
  if (endpoints.some((endpoint) => endpoint.trim() === "")) {
    return "--discovery-endpoints must not contain empty endpoints";
  }
  return undefined;
}

function checkTimes(config: EtcdConfig): string | undefined {
  const { heartbeatMs, electionMs } = config;
  if (heartbeatMs === 0) return "--heartbeat-interval must be >0 (set to 0ms)";
  if (electionMs === 0) return "--election-timeout must be >0 (set to 0ms)";
  if (5 * heartbeatMs > electionMs) {
    return (
      `--election-timeout[${electionMs}ms] should be at least as 5 times as ` +
      `--heartbeat-interval[${heartbeatMs}ms]`
    );
  }
  if (electionMs > ELECTION_MS_MAX) {
    return (
      `--election-timeout[${electionMs}ms] is too long, ` +
      `and should be set less than ${ELECTION_MS_MAX}ms`
    );
  }
  if (config.advertiseClientUrls.length === 0) return ADVERTISE_CLIENT_URLS_UNSET;
  return undefined;
}

function checkModes(config: EtcdConfig, values: FlagValues, log: Logger): string | undefined {
  const mode = config.autoCompactionMode;
  if (mode === "") return "undefined auto-compaction-mode";
  if (mode !== "periodic" && mode !== "revision") {
    return `unknown auto-compaction-mode ${quote(mode)}`;
  }
  if (
    values.truth("enable-distributed-tracing") &&
    values.number("distributed-tracing-sampling-rate") < 0
  ) {
    return (
      "distributed tracing configurition is not valid: " +
      "(tracing sampling rate must be positive)"
    );
  }
  const checkpoint = gateEnabled(config.featureGates, "LeaseCheckpoint");
  const persist = gateEnabled(config.featureGates, "LeaseCheckpointPersist");
  if (checkpoint && !persist) {
    log.warn(
      "Detected that checkpointing is enabled without persistence. " +
        "Consider enabling feature gate LeaseCheckpointPersist",
    );
  }
  if (persist && !checkpoint) {
    return (
      "enabling feature gate LeaseCheckpointPersist requires enabling feature gate " +
      "LeaseCheckpoint"
    );
  }
  if (config.compactHashCheckMs <= 0) {
    const given = formatDuration(config.compactHashCheckMs * 1e6);
    return `--compact-hash-check-time must be >0 (set to ${given})`;
  }
  if (config.name === "default") {
    log.warn(
      "it isn't recommended to use default name, please set a value for --name. " +
        "Note that etcd might run into issue when multiple members have the same default name",
      { name: config.name },
    );
  }
  return undefined;
}

function checkTls(config: EtcdConfig): string | undefined {
  const { minVersion, maxVersion, cipherSuites } = config.tls;
  for (const version of [minVersion, maxVersion]) {
    if (version !== "" && version !== "TLS1.2" && version !== "TLS1.3") {
      return `unexpected TLS version ${quote(version)} (must be one of: TLS1.2, TLS1.3)`;
    }
  }
  if (maxVersion !== "" && minVersion > maxVersion) {
    return `min version (${minVersion}) is greater than max version (${maxVersion})`;
  }
  if (minVersion === "TLS1.3" && cipherSuites.length > 0) {
    return "cipher suites cannot be configured when only TLS1.3 is enabled";
  }
  return undefined;
}
