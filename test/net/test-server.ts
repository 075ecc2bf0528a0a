// A ClientServer with methods that show every shape of call, for tests.

import { type Logger, silentLogger } from "../../src/base/log.ts";
import { ClientServer, type ClientServerOptions } from "../../src/net/server.ts";
import type { Method, StreamCall, UnaryCall } from "../../src/wire/rpc.ts";
import { Code, RpcError } from "../../src/wire/status.ts";
import { SteppedClock } from "./stepped-clock.ts";

export class TestServer {
  readonly clock: SteppedClock = new SteppedClock();
  readonly server: ClientServer;
  /** Calls of /test.T/Hold and streams of /test.T/Bidi, in order. */
  readonly held: UnaryCall[] = [];
  readonly streams: StreamCall[] = [];
  readonly events: string[] = [];
  readonly warnings: { message: string; fields: unknown }[] = [];

  constructor(options: Partial<ClientServerOptions> = {}) {
    const log: Logger = {
      ...silentLogger,
      warn: (text, fields) => this.warnings.push({ message: text, fields }),
    };
    this.server = new ClientServer({
      clock: this.clock,
      log,
      methods: this.#methods(),
      http: (request) =>
        request.path === "/health"
          ? {
              status: 200,
              headers: [["Content-Type", "application/json"]],
              body: '{"health":"true"}',
            }
          : undefined,
      ...options,
    });
  }

  async listen(url = "http://127.0.0.1:0"): Promise<string> {
    await this.server.listen([url]);
    return this.server.addresses[0]!;
  }

  /** Waits until `found`, letting sockets work meanwhile. */
  async until(found: () => boolean): Promise<void> {
    while (!found()) await new Promise((resolve) => setImmediate(resolve));
  }

  async close(): Promise<void> {
    const done = this.server.close(0);
    let isDone = false;
    done.then(() => {
      isDone = true;
    });
    await this.until(() => {
      this.clock.advance(20);
      return isDone;
    });
  }

  #methods(): Map<string, Method> {
    return new Map<string, Method>([
      ["/test.T/Echo", { kind: "unary", handle: (call, ...view) => answer(call, ...view) }],
      ["/test.T/Hold", { kind: "unary", handle: (call) => this.held.push(call) }],
      ["/test.T/Fail", { kind: "unary", handle: (call) => call.fail(failure) }],
      ["/test.T/Big", { kind: "unary", handle: (call, bytes, start) => big(call, bytes, start) }],
      ["/test.T/Pieces", { kind: "unary", handle: (call, ...view) => pieces(call, ...view) }],
      [
        "/test.T/Count",
        { kind: "server-stream", handle: (call, bytes, start) => this.#count(call, bytes[start]!) },
      ],
      ["/test.T/Bidi", { kind: "bidi-stream", open: (call) => this.#open(call) }],
    ]);
  }

  #count(call: StreamCall, count: number): { onCancel(): void } {
    for (let at = 0; at < count; at++) sendBytes(call, Buffer.from([at]));
    call.end();
    return { onCancel: () => this.events.push("cancel") };
  }

  #open(call: StreamCall): {
    onMessage(bytes: Uint8Array, start: number, end: number): void;
    onEnd(): void;
    onCancel(): void;
  } {
    this.streams.push(call);
    this.events.push("open");
    return {
      onMessage: (bytes, start, end) => {
        this.events.push(`message ${end - start}`);
        sendBytes(call, bytes.slice(start, end));
      },
      onEnd: () => {
        this.events.push("end");
        call.end();
      },
      onCancel: () => this.events.push("cancel"),
    };
  }
}

export const failure: RpcError = new RpcError(Code.NotFound, "etcdserver: nö 100%");

/** Answers a unary call with a copy of its request. */
export function answer(call: UnaryCall, bytes: Uint8Array, start: number, end: number): void {
  const at = call.reserve(end - start);
  call.buffer.set(bytes.subarray(start, end), at);
  call.send();
}

/** Answers with the request as many times as its first byte says, each time a piece. */
function pieces(call: UnaryCall, bytes: Uint8Array, start: number, end: number): void {
  const all = Array.from({ length: bytes[start]! }, () => bytes.slice(start, end));
  call.sendPieces?.(all, all.length * (end - start));
}

export function sendBytes(call: StreamCall, bytes: Uint8Array): void {
  const at = call.reserve(bytes.length);
  call.buffer.set(bytes, at);
  call.sendMessage();
}

/** Answers with as many KiB as the request's first byte says. */
function big(call: UnaryCall, bytes: Uint8Array, start: number): void {
  const sizeBytes = bytes[start]! * 1024;
  const at = call.reserve(sizeBytes);
  call.buffer.fill(0x61, at, at + sizeBytes);
  call.send();
}
