// etcd_network_* of the traffic between members, as etcd names them.

import type { Metric } from "../../api/exposition.ts";
import { counters, gauges, histograms } from "../../api/metric-rows.ts";
import type { PeerMetrics } from "../../net/peer/peer-metrics.ts";

export function peerMetricRows(m: PeerMetrics): Metric[] {
  return [
    ...gauges({
      etcd_network_active_peers: ["Peers with a link that is up.", m.activePeers],
      etcd_network_known_peers: ["Peers in the configuration.", m.knownPeers],
      etcd_network_snapshot_send_inflights_total: ["Databases being sent.", m.snapshotsSending],
      etcd_network_snapshot_receive_inflights_total: [
        "Databases being received.",
        m.snapshotsReceiving,
      ],
    }),
    ...counters({
      etcd_network_disconnected_peers_total: ["Peers that were lost.", m.disconnectedPeers],
      etcd_network_peer_sent_bytes_total: ["Bytes sent to a peer.", m.sentBytes],
      etcd_network_peer_received_bytes_total: ["Bytes received from a peer.", m.receivedBytes],
      etcd_network_peer_sent_failures_total: ["Messages that were not sent.", m.sentFailures],
      etcd_network_peer_received_failures_total: [
        "Messages that could not be read.",
        m.receivedFailures,
      ],
      etcd_network_snapshot_send_success: ["Databases sent.", m.snapshotsSent],
      etcd_network_snapshot_send_failures: ["Databases not sent.", m.snapshotSendFailures],
      etcd_network_snapshot_receive_success: ["Databases received.", m.snapshotsReceived],
      etcd_network_snapshot_receive_failures: [
        "Databases not received.",
        m.snapshotReceiveFailures,
      ],
    }),
    ...histograms({
      etcd_network_peer_round_trip_time_seconds: ["Time of a probe.", m.roundTripSeconds],
      etcd_network_snapshot_send_total_duration_seconds: [
        "Time of sending a database.",
        m.snapshotSendSeconds,
      ],
      etcd_network_snapshot_receive_total_duration_seconds: [
        "Time of receiving a database.",
        m.snapshotReceiveSeconds,
      ],
    }),
  ];
}
