// Binds one address. A port in use and the like become one clear sentence, as Go words it.
//
// Bound and served are two steps, so that a server can make sure of its addresses before it touches
// anything else. Who connects in between waits.

import { unlinkSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { WAITING_CONNECTIONS_MAX } from "./limits.ts";
import { type Endpoint, endpointsOf } from "./listen-url.ts";
import { SOCKET_BACKLOG_BYTES_MAX } from "./output-buffer.ts";

/** As Go's listeners: finds peers that vanished without a word. */
const TCP_KEEPALIVE_DELAY_MS = 30_000;

/**
 * Binds the addresses of `urls`: all or none.
 * @throws Error (rejects) for a bad URL or an address not to be had
 */
export async function bindAll(urls: readonly string[]): Promise<Listener[]> {
  const listeners: Listener[] = [];
  try {
    for (const endpoint of endpointsOf(urls)) {
      const listener = new Listener(endpoint);
      await listener.bind();
      listeners.push(listener);
    }
  } catch (error) {
    for (const listener of listeners) listener.close();
    throw error;
  }
  return listeners;
}

export interface ListenerHooks {
  onSocket(socket: Socket): void;
  /** Accepting failed (no file descriptor left, say); it goes on by itself. */
  onAcceptError(error: Error): void;
}

export class Listener {
  readonly endpoint: Endpoint;
  readonly #server: Server;
  readonly #waiting = new Set<Socket>();
  #hooks: ListenerHooks | null = null;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
    this.#server = createServer(
      {
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: TCP_KEEPALIVE_DELAY_MS,
        highWaterMark: SOCKET_BACKLOG_BYTES_MAX,
      },
      (socket) => {
        if (this.#hooks === null) this.#keepWaiting(socket);
        else this.#hooks.onSocket(socket);
      },
    );
    this.#server.on("error", (error) => {
      if (this.#server.listening) this.#hooks?.onAcceptError(error);
    });
  }

  /** @throws Error (rejects) with Go's text when the address cannot be had */
  bind(): Promise<void> {
    const { path, host, port } = this.endpoint;
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const where = path === null ? `tcp ${printHost(host)}:${port}` : `unix ${path}`;
        const text = reasons[error.code ?? ""] ?? error.message;
        reject(Object.assign(new Error(`listen ${where}: ${text}`), { code: error.code }));
      });
      this.#server.once("listening", resolve);
      if (path === null) {
        // An empty host is every address, of both families.
        this.#server.listen(host === "" ? { port } : { host, port });
      } else {
        removeStaleSocket(path);
        this.#server.listen({ path });
      }
    });
  }

  serve(hooks: ListenerHooks): void {
    this.#hooks = hooks;
    for (const socket of this.#waiting) hooks.onSocket(socket);
    this.#waiting.clear();
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** "127.0.0.1:2379" with the port that was really bound, or the path. */
  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") return this.endpoint.path ?? "";
    return `${printHost(address.address)}:${address.port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#waiting) socket.destroy();
  }

  /** What it sends stays in the socket's buffer, which is limited. */
  #keepWaiting(socket: Socket): void {
    if (this.#waiting.size >= WAITING_CONNECTIONS_MAX) {
      socket.destroy();
      return;
    }
    this.#waiting.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#waiting.delete(socket));
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "bind: address already in use",
  EACCES: "bind: permission denied",
  EADDRNOTAVAIL: "bind: cannot assign requested address",
  ENOENT: "bind: no such file or directory",
};

function printHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** A socket file outlives its process; etcd removes it too. */
function removeStaleSocket(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
