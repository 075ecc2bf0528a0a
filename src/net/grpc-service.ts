// From a request's headers to a call: the route, and the ways in which a request is not one. The
// order of the checks and the texts are grpc-go's.

import type { MethodTable } from "../wire/rpc.ts";
import { Code, RpcError } from "../wire/status.ts";
import { GrpcCall, type GrpcCallContext, type Route } from "./grpc-call.ts";
import { GrpcMetrics, type MethodName } from "./grpc-metrics.ts";
import {
  deadlineExceeded,
  isGrpcContentType,
  malformedTimeout,
  parseTimeout,
  percentEncode,
  unknownEncoding,
  unknownMethod,
} from "./grpc-text.ts";
import { type HeaderField, HeaderKind, MEMO_UNSET } from "./header-field.ts";
import { type Http2Stream, nothingMore, type StreamSink } from "./http2-stream.ts";
import type { RequestHead } from "./request-head.ts";

const NO_ROUTE = -1;
const MALFORMED = -1;
const Encoding = { Identity: 0, Gzip: 1, Unknown: 2 } as const;

const labels = {
  unary: "unary",
  "server-stream": "server_stream",
  "bidi-stream": "bidi_stream",
} as const;
const noMetadata: readonly HeaderField[] = [];

export class GrpcService {
  readonly metrics: GrpcMetrics;
  readonly #routes: Route[] = [];
  readonly #routeByPath = new Map<string, number>();
  readonly #services = new Set<string>();
  readonly #context: GrpcCallContext;

  constructor(methods: MethodTable, messageBytesMax: number, hasTimes = false) {
    const names: MethodName[] = [];
    for (const [path, method] of methods) {
      const slash = path.lastIndexOf("/");
      const service = path.slice(1, slash);
      const type = labels[method.kind];
      this.#services.add(service);
      this.#routeByPath.set(path, this.#routes.length);
      this.#routes.push({ index: this.#routes.length, method });
      names.push({ service, method: path.slice(slash + 1), type });
    }
    this.metrics = new GrpcMetrics(names, hasTimes);
    this.#context = { metrics: this.metrics, messageBytesMax };
  }

  /** Requests that are not of gRPC are for somebody else. */
  isGrpc(head: RequestHead): boolean {
    const contentType = head.contentType;
    if (contentType === null) return head.isTooLarge;
    if (contentType.memo === MEMO_UNSET) {
      contentType.memo = isGrpcContentType(contentType.value) ? 1 : 0;
    }
    return contentType.memo === 1;
  }

  /** A request that should be of gRPC by its path, or nearly is by its content type. */
  isMistaken(head: RequestHead): boolean {
    if (head.contentType?.value.startsWith("application/grpc")) return true;
    return head.path !== null && this.#routeByPath.has(head.path.value);
  }

  refuse(stream: Http2Stream, head: RequestHead): StreamSink {
    const text = `invalid gRPC request content-type ${JSON.stringify(head.contentType?.value ?? "")}`;
    return answer(stream, 415, new RpcError(Code.InvalidArgument, text));
  }

  open(stream: Http2Stream, head: RequestHead): StreamSink {
    if (head.isTooLarge) {
      const text = "received header list size exceeds limit";
      return answer(stream, 431, new RpcError(Code.ResourceExhausted, text));
    }
    const timeoutMs = head.grpcTimeout === null ? -1 : timeoutOf(head.grpcTimeout);
    if (head.grpcTimeout !== null && timeoutMs === MALFORMED) {
      return answer(stream, 400, malformedTimeout(head.grpcTimeout.value));
    }
    if (head.method!.value !== "POST") {
      const method = JSON.stringify(head.method!.value);
      const text = `Received a HEADERS frame with :method ${method} which should be POST`;
      return answer(stream, 405, new RpcError(Code.Internal, text));
    }
    if (timeoutMs === 0) return answer(stream, 200, deadlineExceeded);
    const route = this.#routes[this.#routeOf(head.path!)];
    if (route === undefined) {
      return answer(stream, 200, unknownMethod(head.path!.value, this.#services));
    }
    const encoding = head.grpcEncoding === null ? Encoding.Identity : encodingOf(head.grpcEncoding);
    if (encoding === Encoding.Unknown) {
      return answer(stream, 200, unknownEncoding(head.grpcEncoding!.value));
    }
    if (timeoutMs > 0) stream.owner.setDeadline(stream, stream.owner.nowMs() + timeoutMs);
    const { origin } = stream.owner;
    if (origin.agent === "" && head.userAgent !== null) origin.agent = head.userAgent.value;
    const metadata = head.metadataCount === 0 ? noMetadata : metadataOf(head);
    const isGzip = encoding === Encoding.Gzip;
    const call = new GrpcCall(stream, route, this.#context, metadata, head.authority, isGzip);
    call.open();
    return call;
  }

  #routeOf(path: HeaderField): number {
    if (path.memo === MEMO_UNSET) path.memo = this.#routeByPath.get(path.value) ?? NO_ROUTE;
    return path.memo;
  }
}

/** Ends the stream before there is a call. */
function answer(stream: Http2Stream, httpStatus: number, error: RpcError): StreamSink {
  const fields = [
    [":status", String(httpStatus)],
    ["content-type", "application/grpc"],
    ["grpc-status", String(error.code)],
    ["grpc-message", percentEncode(error.message)],
  ] as const;
  stream.sender.end(stream, { kind: "fields", fields });
  return nothingMore;
}

function timeoutOf(field: HeaderField): number {
  if (field.memo === MEMO_UNSET) field.memo = parseTimeout(field.value);
  return field.memo;
}

function encodingOf(field: HeaderField): number {
  if (field.memo === MEMO_UNSET) {
    const { value } = field;
    if (value === "" || value === "identity") field.memo = Encoding.Identity;
    else field.memo = value === "gzip" ? Encoding.Gzip : Encoding.Unknown;
  }
  return field.memo;
}

function metadataOf(head: RequestHead): HeaderField[] {
  const metadata: HeaderField[] = [];
  for (let at = 0; at < head.fieldCount; at++) {
    const field = head.fields[at]!;
    if (field.kind === HeaderKind.Metadata) metadata.push(field);
  }
  return metadata;
}
