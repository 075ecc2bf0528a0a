// The part of the configuration that the transport between members needs.

import type { PeerTransportOptions } from "../../net/peer/transport.ts";
import type { EtcdConfig } from "./config.ts";

/** To a connection: a second, and an election, as etcd's peerDialTimeout. */
const DIAL_MS = 1000;

export function peerTransportOptions(
  config: EtcdConfig,
): Pick<PeerTransportOptions, "timeouts" | "tls"> {
  return {
    timeouts: {
      dialMs: DIAL_MS + config.electionMs,
      readMs: config.raftReadTimeoutMs,
      writeMs: config.raftWriteTimeoutMs,
    },
  };
}
