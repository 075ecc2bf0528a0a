// The peer port: HTTP/1.1 from other members. Streams and snapshots are handled here, raft's
// messages go to the server, and so does every other question.
//
//   GET  /raft/stream/{msgapp,message}/<id>   the peer fetches what we have to say to it
//   POST /raft                                one message
//   POST /raft/snapshot                       a message and a database
//   GET  /raft/probing                        alive, and what time it is
//   else                                      PeerHandlers.request
//
// Parsing is Node's. A stream, once accepted, is written to its socket directly.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { decodeMessage } from "../../wire/messages/raft.ts";
import { ProtoError } from "../../wire/protobuf/proto-error.ts";
import { nodeHttp } from "../lazy-node.ts";
import { hexId, parseHexId, refusal } from "./compatibility.ts";
import { forbiddenAnswer, sendAnswer, sendMethodNotAllowed, sendText } from "./http-answer.ts";
import type { PeerContext } from "./peer-context.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";
import { FRAME_BYTES_MAX } from "./stream-codec.ts";
import type { StreamKind } from "./stream-kind.ts";

/** Who the streams are for, and who else turned up. */
export interface PeerDirectory {
  /** False: no peer with this id is known. */
  hasPeer(id: bigint): boolean;
  attach(id: bigint, kind: StreamKind, socket: Socket): void;
  addRemote(id: bigint, urls: readonly string[]): void;
}

const HEADER_BYTES_MAX = 64 * 1024;
const HEADERS_TIMEOUT_MS = 20_000;
/** Longer than our own and Go's clients keep a connection without use. */
const IDLE_TIMEOUT_MS = 15_000;
/** As etcd for questions with a body (leases, hashes). */
const QUESTION_BYTES_MAX = 64 * 1024;

const STREAM_PREFIX = "/raft/stream/";

export class PeerServer {
  readonly #context: PeerContext;
  readonly #directory: PeerDirectory;
  /** Made for the first connection: a member that is alone never sees one. */
  #server: Server | null = null;
  readonly #clusterId: string;

  constructor(context: PeerContext, directory: PeerDirectory) {
    this.#context = context;
    this.#directory = directory;
    this.#clusterId = hexId(context.self.clusterId);
  }

  accept(socket: Socket): void {
    this.#server ??= this.#makeServer();
    this.#server.emit("connection", socket);
  }

  /** The sockets are the caller's to close. */
  close(): void {
    this.#server?.close(() => {});
    this.#server?.closeIdleConnections();
  }

  #makeServer(): Server {
    const server = nodeHttp().createServer(
      {
        maxHeaderSize: HEADER_BYTES_MAX,
        headersTimeout: HEADERS_TIMEOUT_MS,
        // A snapshot may take as long as it likes, as long as it moves.
        requestTimeout: 0,
        keepAliveTimeout: IDLE_TIMEOUT_MS,
      },
      (request, response) => this.#onRequest(request, response),
    );
    // Starts the check of the timeouts above, which otherwise begins with listen().
    server.emit("listening");
    return server;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    // Go does not say what is the default anyway.
    if (response.shouldKeepAlive) response.removeHeader("Connection");
    const target = request.url ?? "/";
    const question = target.indexOf("?");
    const path = question < 0 ? target : target.slice(0, question);
    if (path === "/raft") this.#onMessage(request, response);
    else if (path.startsWith(STREAM_PREFIX)) this.#onStream(request, response, path);
    else if (path === "/raft/snapshot") this.#onSnapshot(request, response);
    else if (path === "/raft/probing") this.#onProbe(response);
    else if (path.startsWith("/raft/")) sendText(response, 404, "404 page not found");
    else this.#onQuestion(request, response, target);
  }

  // ── streams ──

  #onStream(request: IncomingMessage, response: ServerResponse, path: string): void {
    const { log, self } = this.#context;
    if (request.method !== "GET") {
      sendMethodNotAllowed(response, "GET");
      return;
    }
    response.setHeader("X-Server-Version", self.version);
    if (!this.#isCompatible(request, response)) return;
    const [kind = "", from = "", ...rest] = path.slice(STREAM_PREFIX.length).split("/");
    if ((kind !== "msgapp" && kind !== "message") || rest.length > 0) {
      const own = { "local-member-id": hexId(self.memberId) };
      const handler = { "remote-peer-id-stream-handler": hexId(self.memberId) };
      log.debug("ignored unexpected streaming request path", { ...own, ...handler, path });
      sendText(response, 404, "invalid path");
      return;
    }
    const id = parseHexId(from);
    if (id === undefined) {
      log.warn("failed to parse path into ID", { ...this.#streamFields(undefined), path: from });
      sendText(response, 404, "invalid from");
      return;
    }
    if (!this.#isWelcome(request, response, id)) return;
    const { socket } = request;
    socket.write(
      "HTTP/1.1 200 OK\r\n" +
        `X-Etcd-Cluster-Id: ${this.#clusterId}\r\nX-Server-Version: ${self.version}\r\n` +
        `Date: ${new Date().toUTCString()}\r\nTransfer-Encoding: chunked\r\n\r\n`,
      "latin1",
    );
    this.#directory.attach(id, kind, socket);
  }

  #isWelcome(request: IncomingMessage, response: ServerResponse, id: bigint): boolean {
    const { log, self } = this.#context;
    const fields = this.#streamFields(id);
    if (self.isRemoved(id)) {
      log.warn("rejected stream from remote peer because it was removed", fields);
      sendText(response, 410, "removed member");
      return false;
    }
    if (!this.#directory.hasPeer(id)) {
      // Behind of the cluster, we may not know it yet: then it must be able to reach us.
      this.#rememberSender(request, id);
      const cluster = { "cluster-id": this.#clusterId };
      log.warn("failed to find remote peer in cluster", { ...fields, ...cluster });
      sendText(response, 404, "error sender not found");
      return false;
    }
    const to = headerOf(request, "x-raft-to") ?? "";
    if (to === hexId(self.memberId)) return true;
    log.warn("ignored streaming request; ID mismatch", {
      ...this.#streamFields(undefined),
      "remote-peer-id-header": to,
      "remote-peer-id-from": hexId(id),
      "cluster-id": this.#clusterId,
    });
    sendText(response, 412, "to field mismatch");
    return false;
  }

  #streamFields(from: bigint | undefined): Record<string, string> {
    const { localId } = this.#context;
    const fields = { "local-member-id": localId, "remote-peer-id-stream-handler": localId };
    return from === undefined ? fields : { ...fields, "remote-peer-id-from": hexId(from) };
  }

  // ── messages ──

  #onMessage(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== "POST") {
      sendMethodNotAllowed(response, "POST");
      return;
    }
    if (!this.#isCompatible(request, response)) return;
    this.#rememberSender(request);
    const { log, localId, metrics, self } = this.#context;
    readBody(request, FRAME_BYTES_MAX, (body) => {
      const refuse = (text: string, error: Error, answer: string): void => {
        log.warn(text, { "local-member-id": localId, error });
        metrics.receivedFailures.with(addressOf(request)).add();
        sendText(response, 400, answer);
      };
      if (body instanceof Error) {
        refuse("failed to read Raft message", body, "error reading raft message");
        return;
      }
      let message: ReturnType<typeof decodeMessage>;
      try {
        message = decodeMessage(body);
      } catch (error) {
        if (!(error instanceof ProtoError)) throw error;
        refuse("failed to unmarshal Raft message", error, "error unmarshalling raft message");
        return;
      }
      metrics.receivedBytes.with(hexId(message.from)).add(body.length);
      // What is not for this member is refused, and logged, by the server too.
      self.message(message);
      const forbidden = forbiddenAnswer(self, message);
      sendAnswer(response, forbidden ?? { status: 204, headers: {}, body: new Uint8Array(0) });
    });
  }

  #onSnapshot(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== "POST") {
      SnapshotReceiver.countRefused(this.#context);
      sendMethodNotAllowed(response, "POST");
      return;
    }
    if (!this.#isCompatible(request, response)) {
      SnapshotReceiver.countRefused(this.#context);
      return;
    }
    this.#rememberSender(request);
    new SnapshotReceiver(this.#context, request, response).start();
  }

  #onProbe(response: ServerResponse): void {
    const body = Buffer.from(`{"OK":true,"Now":"${new Date().toISOString()}"}\n`);
    // Go finds the type out from the body, and so names it last.
    response.setHeader("Date", new Date().toUTCString());
    response.setHeader("Content-Length", body.length);
    response.setHeader("Content-Type", "text/plain; charset=utf-8");
    response.end(body);
  }

  // ── all else ──

  #onQuestion(request: IncomingMessage, response: ServerResponse, path: string): void {
    const { method } = request;
    const isKnown = method === "GET" || method === "POST";
    readBody(request, QUESTION_BYTES_MAX, (body) => {
      if (body instanceof Error) {
        sendText(response, 400, "error reading body");
        return;
      }
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(request.headers)) headers[name] = String(value);
      // Other methods get the answer that a wrong one gets.
      const asked = isKnown ? method : path.startsWith("/members/promote/") ? "GET" : "POST";
      this.#context.self.request({ method: asked, path, headers, body }, (answer) =>
        sendAnswer(response, answer),
      );
    });
  }

  /** Answers 412 otherwise. */
  #isCompatible(request: IncomingMessage, response: ServerResponse): boolean {
    const { log, self } = this.#context;
    response.setHeader("X-Etcd-Cluster-Id", this.#clusterId);
    const reason = refusal(self, (name) => headerOf(request, name), log);
    if (reason === null) return true;
    // A body that is on its way would only be thrown away.
    if (request.method === "POST") response.setHeader("Connection", "close");
    sendText(response, 412, reason);
    request.resume();
    return false;
  }

  #rememberSender(request: IncomingMessage, id?: bigint): void {
    const from = id ?? parseHexId(headerOf(request, "x-server-from") ?? "");
    const urls = headerOf(request, "x-peerurls") ?? "";
    if (from !== undefined && urls !== "") this.#directory.addRemote(from, urls.split(","));
  }
}

function readBody(
  request: IncomingMessage,
  bytesMax: number,
  done: (body: Uint8Array | Error) => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let isOver = false;
  const finish = (body: Uint8Array | Error): void => {
    if (isOver) return;
    isOver = true;
    done(body);
  };
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= bytesMax) chunks.push(chunk);
    else finish(new Error("body too large"));
  });
  request.on("end", () => finish(Buffer.concat(chunks)));
  request.on("error", finish);
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(",") : value;
}

function addressOf(request: IncomingMessage): string {
  return `${request.socket.remoteAddress}:${request.socket.remotePort}`;
}
