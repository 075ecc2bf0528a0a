// What Prometheus is told about calls: grpc_server_{started,handled,msg_received,msg_sent}_total.
// Plain arrays by route; `api/metrics` gives them names.

import { Counter, Family, Histogram } from "../base/metrics.ts";

export const CODE_COUNT = 17;
/** Seconds: what a Go server with default buckets has. */
const HANDLING_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface MethodName {
  readonly service: string;
  readonly method: string;
  /** As Prometheus labels it. */
  readonly type: "unary" | "server_stream" | "bidi_stream";
}

export class GrpcMetrics {
  readonly methods: readonly MethodName[];
  readonly started: Float64Array;
  /** At method × CODE_COUNT + code. */
  readonly handled: Float64Array;
  readonly messagesReceived: Float64Array;
  readonly messagesSent: Float64Array;
  /** etcd_network_client_grpc_received_bytes_total and …_sent_…: messages without framing. */
  readonly receivedBytes: Counter = new Counter();
  readonly sentBytes: Counter = new Counter();
  /** From the head of a call to its end; null when nobody wants to know. */
  readonly handlingFamily: Family<Histogram> | null = null;
  /** The same by method. */
  readonly handlingSeconds: readonly Histogram[] | null = null;

  constructor(methods: readonly MethodName[], hasTimes = false) {
    if (hasTimes) {
      const labels = ["grpc_method", "grpc_service", "grpc_type"];
      const family = new Family(labels, () => new Histogram(HANDLING_BOUNDS));
      this.handlingFamily = family;
      this.handlingSeconds = methods.map(({ service, method, type }) =>
        family.with(method, service, type),
      );
    }
    this.methods = methods;
    this.started = new Float64Array(methods.length);
    this.handled = new Float64Array(methods.length * CODE_COUNT);
    this.messagesReceived = new Float64Array(methods.length);
    this.messagesSent = new Float64Array(methods.length);
  }
}
