// grpc.health.v1.Health, for the empty service name only, as etcd serves it
// (github.com/grpc/grpc/blob/master/doc/health-checking.md).

import {
  decodeHealthCheckRequest,
  type HealthCheckResponseInit,
  ServingStatus,
  sizeHealthCheckResponse,
  writeHealthCheckResponse,
} from "../wire/messages/health.ts";
import type { Method, StreamCall } from "../wire/rpc.ts";
import { Code, RpcError } from "../wire/status.ts";
import { type Encoder, send, sendOne } from "./send.ts";

const encoder: Encoder<HealthCheckResponseInit> = {
  size: sizeHealthCheckResponse,
  write: writeHealthCheckResponse,
};
const unknownService = new RpcError(Code.NotFound, "unknown service");

export class GrpcHealth {
  #status: ServingStatus = ServingStatus.SERVING;
  readonly #watchers = new Set<StreamCall>();

  get methods(): [string, Method][] {
    return [
      ["/grpc.health.v1.Health/Check", this.#check],
      ["/grpc.health.v1.Health/Watch", this.#watch],
    ];
  }

  /** False while the member drains: load balancers then take it out. */
  setServing(isServing: boolean): void {
    this.#status = isServing ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    for (const call of this.#watchers) sendOne(call, encoder, { status: this.#status });
  }

  readonly #check: Method = {
    kind: "unary",
    handle: (call, bytes, start, end) => {
      const { service } = decodeHealthCheckRequest(bytes, start, end);
      if (service !== "") call.fail(unknownService);
      else send(call, encoder, { status: this.#status });
    },
  };

  readonly #watch: Method = {
    kind: "server-stream",
    handle: (call, bytes, start, end) => {
      const { service } = decodeHealthCheckRequest(bytes, start, end);
      if (service !== "") {
        sendOne(call, encoder, { status: ServingStatus.SERVICE_UNKNOWN });
        return { onCancel() {} };
      }
      sendOne(call, encoder, { status: this.#status });
      this.#watchers.add(call);
      return { onCancel: () => this.#watchers.delete(call) };
    },
  };
}
