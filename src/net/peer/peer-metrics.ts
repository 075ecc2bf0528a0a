// What is counted of the traffic between members: etcd's etcd_network_* of peers. Labels are ids
// in hex. Children that are used per message are looked up once per link.

import { Counter, exponentialBounds, Family, Gauge, Histogram } from "../../base/metrics.ts";

const roundTripBounds = exponentialBounds(0.0001, 2, 16);
const snapshotBounds = exponentialBounds(0.1, 2, 10);

const counters = (...labels: string[]) => new Family(labels, () => new Counter());
const gauges = (...labels: string[]) => new Family(labels, () => new Gauge());
const histograms = (bounds: number[], label: string) =>
  new Family([label], () => new Histogram(bounds));

export class PeerMetrics {
  readonly activePeers: Family<Gauge> = gauges("Local", "Remote");
  readonly knownPeers: Family<Gauge> = gauges("Local", "Remote");
  readonly disconnectedPeers: Family<Counter> = counters("Local", "Remote");
  readonly sentBytes: Family<Counter> = counters("To");
  readonly receivedBytes: Family<Counter> = counters("From");
  readonly sentFailures: Family<Counter> = counters("To");
  readonly receivedFailures: Family<Counter> = counters("From");
  readonly roundTripSeconds: Family<Histogram> = histograms(roundTripBounds, "To");
  readonly snapshotsSent: Family<Counter> = counters("To");
  readonly snapshotsSending: Family<Gauge> = gauges("To");
  readonly snapshotSendFailures: Family<Counter> = counters("To");
  readonly snapshotSendSeconds: Family<Histogram> = histograms(snapshotBounds, "To");
  readonly snapshotsReceived: Family<Counter> = counters("From");
  readonly snapshotsReceiving: Family<Gauge> = gauges("From");
  readonly snapshotReceiveFailures: Family<Counter> = counters("From");
  readonly snapshotReceiveSeconds: Family<Histogram> = histograms(snapshotBounds, "From");
}
