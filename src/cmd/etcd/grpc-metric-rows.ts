// grpc_server_* for Prometheus out of the transport's arrays: every method from the start, with
// every status code, as etcd has them.

import type { Metric, Sample } from "../../api/exposition.ts";
import { CODE_COUNT, type GrpcMetrics } from "../../net/grpc-metrics.ts";
import { Code } from "../../wire/status.ts";

const CODE_NAMES: readonly string[] = Object.keys(Code);

export function grpcMetricRows(metrics: GrpcMetrics): Metric[] {
  const labelsOf = (at: number): (readonly [string, string])[] => {
    const { service, method, type } = metrics.methods[at]!;
    return [
      ["grpc_method", method],
      ["grpc_service", service],
      ["grpc_type", type],
    ];
  };
  const perMethod = (values: Float64Array) => (): Sample[] =>
    metrics.methods.map((_, at) => ({ labels: labelsOf(at), value: values[at]! }));
  const handled = (): Sample[] =>
    metrics.methods.flatMap((_, at) =>
      CODE_NAMES.map((name, code) => ({
        labels: [["grpc_code", name] as const, ...labelsOf(at)],
        value: metrics.handled[at * CODE_COUNT + code]!,
      })),
    );
  const row = (name: string, help: string, source: Metric["source"]): Metric => {
    return { name, kind: "counter", help, source };
  };
  const { handlingFamily } = metrics;
  const name = "grpc_server_handling_seconds";
  const help = "From the head of a call to its end.";
  const times = handlingFamily && [
    { name, kind: "histogram", help, source: handlingFamily } as const,
  ];
  return [
    ...(times ?? []),
    row("grpc_server_started_total", "Calls begun.", perMethod(metrics.started)),
    row("grpc_server_handled_total", "Calls ended, by code.", handled),
    row("grpc_server_msg_received_total", "Messages in.", perMethod(metrics.messagesReceived)),
    row("grpc_server_msg_sent_total", "Messages out.", perMethod(metrics.messagesSent)),
    row(
      "etcd_network_client_grpc_received_bytes_total",
      "Bytes of messages from clients.",
      metrics.receivedBytes,
    ),
    row(
      "etcd_network_client_grpc_sent_bytes_total",
      "Bytes of messages to clients.",
      metrics.sentBytes,
    ),
  ];
}
