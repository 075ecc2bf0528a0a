// JSON over HTTP/1.1 (and WebSocket) for those who have no gRPC: every path is one method, and all
// of them go through one generic mapping to the same MethodTable that gRPC serves.
//
//   POST /v3/kv/put ──► GatewaySession ──► methods.get("/etcdserverpb.KV/Put")
//                       JSON → protobuf         │ GatewayCall
//   HttpOutput ◄──────── protobuf → JSON ◄──────┘
//
// Statuses, headers and texts are those of etcd's gateway. Not here: CORS and Host checks
// (access-control.ts).

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Clock, Timer } from "../io/io.ts";
import { type MethodTable, Origin } from "../wire/rpc.ts";
import type { ServiceMethod } from "../wire/services.ts";
import { Code, RpcError } from "../wire/status.ts";
import { ByteBudget } from "./byte-budget.ts";
import { deadlineExceeded, unknownMethod } from "./grpc-text.ts";
import { GatewayCall, type GatewayPeer } from "./json-gateway-call.ts";
import { type GatewayOutput, HttpOutput } from "./json-gateway-output.ts";
import { gatewayRoutes } from "./json-gateway-routes.ts";
import { GatewaySession, type SessionLimits } from "./json-gateway-session.ts";
import {
  gatewayMetadata,
  methodNotAllowed,
  notFound,
  parseGatewayTimeout,
} from "./json-gateway-text.ts";
import { acceptWebSocket, bearerOf } from "./json-gateway-websocket.ts";
import type { Limits } from "./limits.ts";

/** Bodies of all requests that have not arrived as a whole: a few dozen of the largest. */
const BODIES_BYTES_MAX: number = 256 * 1024 * 1024;

/** What the gateway of etcd, a client of its own server, is told by the lost connection. */
const serverStops: RpcError = new RpcError(Code.Unavailable, "error reading from server: EOF");

export interface JsonGatewayOptions {
  readonly clock: Clock;
  readonly methods: MethodTable;
  readonly limits: Pick<Limits, "messageBytesMax">;
}

export class JsonGateway {
  readonly #clock: Clock;
  readonly #methods: MethodTable;
  readonly #services: ReadonlySet<string>;
  readonly #limits: SessionLimits;
  readonly #calls = new Set<GatewayCall>();

  constructor(options: JsonGatewayOptions) {
    this.#clock = options.clock;
    this.#methods = options.methods;
    this.#services = new Set([...options.methods.keys()].map((path) => path.split("/")[1]!));
    this.#limits = {
      messageBytesMax: options.limits.messageBytesMax,
      bodies: new ByteBudget(BODIES_BYTES_MAX),
    };
  }

  /** Returns false for a path that is not its own. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const path = gatewayPath(request.url ?? "");
    if (path === undefined) return false;
    request.on("error", ignore);
    response.on("error", ignore);
    const output = new HttpOutput(request, response);
    const route = gatewayRoutes.get(path);
    if (route === undefined) {
      output.fail(notFound);
      return true;
    }
    if (request.method !== "POST") {
      output.fail(methodNotAllowed);
      return true;
    }
    const peer: GatewayPeer = {
      origin: originOf(request),
      metadata: (name) => gatewayMetadata(request.headers, name),
    };
    const opened = this.#open(route, output, peer, false);
    if (opened === undefined) return true;
    const { call, session } = opened;
    request.on("data", (chunk: Buffer) => {
      output.onBody(chunk.length);
      session.push(chunk);
    });
    request.on("end", () => session.end());
    response.on("close", () => call.drop());
    return true;
  }

  /** The server stops: calls that have not ended are told, as by etcd's gateway. */
  cut(): void {
    for (const call of this.#calls) call.abort(serverStops);
  }

  /** WebSocket on the same paths: a text frame is a message. Returns false for other paths. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const path = gatewayPath(request.url ?? "");
    if (path === undefined) return false;
    const webSocket = acceptWebSocket(request, socket);
    if (webSocket === undefined) return true;
    const route = gatewayRoutes.get(path);
    if (route === undefined) {
      webSocket.fail(notFound);
      return true;
    }
    const bearer = bearerOf(request.headers["sec-websocket-protocol"]);
    const peer: GatewayPeer = {
      origin: originOf(request),
      metadata: (name) =>
        name === "authorization" && bearer !== undefined
          ? bearer
          : gatewayMetadata(request.headers, name),
    };
    const opened = this.#open(route, webSocket, peer, true);
    if (opened === undefined) return true;
    const { call, session } = opened;
    webSocket.listen(head, {
      onText: (bytes) => session.push(bytes),
      onClose: () => call.drop(),
    });
    return true;
  }

  /** Undefined if the call has failed at once. */
  #open(
    route: ServiceMethod,
    output: GatewayOutput,
    peer: GatewayPeer,
    isEager: boolean,
  ): { readonly call: GatewayCall; readonly session: GatewaySession } | undefined {
    let timer: Timer | undefined;
    let session: GatewaySession | undefined;
    const call = new GatewayCall({
      peer,
      output,
      response: route.response,
      isUnary: route.kind === "unary",
      onDone: (byMethod) => {
        this.#calls.delete(call);
        timer?.cancel();
        session?.onDone(byMethod);
      },
    });
    const timeout = parseGatewayTimeout(peer.metadata("grpcgateway-grpc-timeout") ?? "0n");
    if (typeof timeout !== "number") {
      output.fail(timeout);
      return undefined;
    }
    if (timeout !== 0 && timeout < DEADLINE_MS_MIN) {
      call.fail(deadlineExceeded);
      return undefined;
    }
    const method = this.#methods.get(route.path);
    if (method === undefined) {
      call.fail(unknownMethod(route.path, this.#services));
      return undefined;
    }
    session = new GatewaySession({ call, method, route, limits: this.#limits, isEager });
    if (timeout !== 0 && !call.isCancelled) {
      timer = this.#clock.after(Math.max(timeout, 0), () => call.abort(deadlineExceeded));
    }
    if (!call.isCancelled) this.#calls.add(call);
    return { call, session };
  }
}

/** What is due before anything could be answered has passed when the call begins. */
const DEADLINE_MS_MIN = 0.01;

/** The path without query, of the gateway's own; /v3beta is its old name. */
function gatewayPath(url: string): string | undefined {
  const question = url.indexOf("?");
  let path = question < 0 ? url : url.slice(0, question);
  if (path.startsWith("/v3beta/")) path = `/v3/${path.slice("/v3beta/".length)}`;
  if (!path.startsWith("/v3/")) return undefined;
  try {
    return path.includes("%") ? decodeURIComponent(path) : path;
  } catch {
    return path;
  }
}

function originOf(request: IncomingMessage): Origin {
  const { remoteAddress, remotePort } = request.socket;
  return new Origin(`${remoteAddress}:${remotePort}`, "", request.headers["user-agent"] ?? "");
}

function ignore(): void {}
