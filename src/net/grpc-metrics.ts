// What Prometheus is told about calls: grpc_server_{started,handled,msg_received,msg_sent}_total.
// Plain arrays by route; `api/metrics` gives them names.

import { Counter } from "../base/metrics.ts";

export const CODE_COUNT = 17;

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

  constructor(methods: readonly MethodName[]) {
    this.methods = methods;
    this.started = new Float64Array(methods.length);
    this.handled = new Float64Array(methods.length * CODE_COUNT);
    this.messagesReceived = new Float64Array(methods.length);
    this.messagesSent = new Float64Array(methods.length);
  }
}
