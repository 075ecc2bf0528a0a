// What every call passes before its method: is the client's API version text, is there a leader if
// the client insists on one, may a learner serve this. Cheap when the client says nothing special.

import { Counter, Family } from "../base/metrics.ts";
import type { Member } from "../server/member.ts";
import { Errors } from "../wire/errors.ts";
import { ProtoError } from "../wire/protobuf/proto-error.ts";
import type { Caller, Method, StreamCall, StreamHandler, UnaryCall } from "../wire/rpc.ts";
import { Code, RpcError } from "../wire/status.ts";
import { LeaderRequired } from "./leader-required.ts";

/** Methods that a learner answers; of Range only the serializable kind, which `kv.ts` checks. */
const LEARNER_METHODS = new Set([
  "/etcdserverpb.Maintenance/Status",
  "/etcdserverpb.Maintenance/Snapshot",
  "/etcdserverpb.KV/Range",
  "/quoratepb.Care/Usage",
  "/quoratepb.Care/Writers",
  "/quoratepb.Care/Forecast",
  "/quoratepb.Care/Actions",
  "/quoratepb.Care/Quotas",
  "/grpc.health.v1.Health/Check",
  "/grpc.health.v1.Health/Watch",
]);
/** Without the client's word. */
const UNKNOWN_VERSION = "unknown";

export class Guard {
  readonly clientRequests: Family<Counter> = new Family(
    ["type", "client_api_version"],
    () => new Counter(),
  );
  readonly #member: Member;
  readonly #leaderRequired: LeaderRequired;
  #lastType: "unary" | "stream" = "unary";
  #lastVersion: string | undefined;
  #lastCounter: Counter;

  constructor(member: Member) {
    this.#member = member;
    this.#leaderRequired = new LeaderRequired(member);
    this.#lastCounter = this.clientRequests.with("unary", UNKNOWN_VERSION);
  }

  /** The method with the checks before it; undecodable requests get grpc-go's answer. */
  wrap(path: string, method: Method): Method {
    const isForLearner = LEARNER_METHODS.has(path);
    switch (method.kind) {
      case "unary":
        return {
          kind: "unary",
          handle: (call, bytes, start, end) => {
            const refusal = this.#refuse(call, "unary", isForLearner);
            if (refusal !== null) return void call.fail(refusal);
            try {
              method.handle(call, bytes, start, end);
            } catch (error) {
              failWith(call, error);
            }
          },
        };
      case "server-stream":
        return {
          kind: "server-stream",
          handle: (call, bytes, start, end) => {
            const refusal = this.#refuse(call, "stream", isForLearner);
            try {
              if (refusal !== null) call.fail(refusal);
              else return this.#supervise(call, method.handle(call, bytes, start, end));
            } catch (error) {
              failWith(call, error);
            }
            return noStream;
          },
        };
      case "bidi-stream":
        return {
          kind: "bidi-stream",
          open: (call) => {
            const refusal = this.#refuse(call, "stream", isForLearner);
            if (refusal === null) return this.#superviseBidi(call, method.open(call));
            call.fail(refusal);
            return { ...noStream, onMessage() {}, onEnd() {} };
          },
        };
    }
  }

  /** The stream ends when its client insists on a leader and there is none for long. */
  #supervise(call: StreamCall, handler: { onCancel(): void }): { onCancel(): void } {
    if (call.metadata("hasleader") !== "true") return handler;
    const release = this.#leaderRequired.add(call, handler);
    return {
      onCancel() {
        release();
        handler.onCancel();
      },
    };
  }

  #superviseBidi(call: StreamCall, handler: StreamHandler): StreamHandler {
    if (call.metadata("hasleader") !== "true") return handler;
    return {
      ...this.#supervise(call, handler),
      onMessage: (bytes, start, end) => handler.onMessage(bytes, start, end),
      onEnd: () => handler.onEnd(),
    };
  }

  #refuse(call: Caller, type: "unary" | "stream", isForLearner: boolean): RpcError | null {
    const version = call.metadata("client-api-version");
    // Nearly all calls are like the one before: no look-up by label then.
    if (type !== this.#lastType || version !== this.#lastVersion) {
      this.#lastType = type;
      this.#lastVersion = version;
      this.#lastCounter = this.clientRequests.with(type, version ?? UNKNOWN_VERSION);
    }
    this.#lastCounter.add();
    if (!isForLearner && this.#member.isLearner) return Errors.NotSupportedForLearner;
    if (!this.#member.hasLeader && call.metadata("hasleader") === "true") return Errors.NoLeader;
    return null;
  }
}

const noStream = { onCancel(): void {} };

/** Undecodable requests get grpc-go's answer; anything that is no answer is a bug: it goes on. */
function failWith(call: UnaryCall | StreamCall, error: unknown): void {
  if (error instanceof RpcError) call.fail(error);
  else if (error instanceof ProtoError) {
    const text = `grpc: error unmarshalling request: ${error.message}`;
    call.fail(new RpcError(Code.Internal, text));
  } else throw error;
}
