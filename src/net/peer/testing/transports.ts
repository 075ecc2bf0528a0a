// Transports on 127.0.0.1 for tests.

import { type Logger, silentLogger } from "../../../base/log.ts";
import { NodeClock } from "../../../io/node-clock.ts";
import { bindAll } from "../../listener.ts";
import type { PeerTimeouts } from "../peer-context.ts";
import { PeerTls } from "../peer-tls.ts";
import type { PeerTlsOptions } from "../peer-tls-options.ts";
import { PeerTransport } from "../transport.ts";
import { RecordingHandlers, WAIT_MS } from "./recording-handlers.ts";

export const CLUSTER_ID = 0xabcdef0123456789n;

export interface Node {
  readonly id: bigint;
  readonly url: string;
  readonly transport: PeerTransport;
  readonly handlers: RecordingHandlers;
}

export interface NodeOptions {
  readonly clusterId?: bigint;
  readonly timeouts?: Partial<PeerTimeouts>;
  readonly tls?: PeerTlsOptions;
  readonly log?: Logger;
  readonly change?: (handlers: RecordingHandlers) => void;
}

/** `port`: of one that was there before; else any that is free. */
export async function startNode(id: bigint, options: NodeOptions = {}, port = 0): Promise<Node> {
  const scheme = options.tls === undefined ? "http" : "https";
  const log = options.log ?? silentLogger;
  const listeners = await bindAll([`${scheme}://127.0.0.1:${port}`]);
  const url = `${scheme}://${listeners[0]!.address}`;
  const transport = new PeerTransport({
    clock: new NodeClock(),
    log,
    listeners,
    timeouts: options.timeouts ?? {},
    tls: options.tls === undefined ? undefined : new PeerTls(options.tls, log),
  });
  const handlers = new RecordingHandlers(id, options.clusterId ?? CLUSTER_ID);
  handlers.urls = [url];
  options.change?.(handlers);
  transport.listen(handlers);
  return { id, url, transport, handlers };
}

/** Both know each other. */
export function introduce(a: Node, b: Node): void {
  a.transport.addPeer(b.id, [b.url]);
  b.transport.addPeer(a.id, [a.url]);
}

/** A log that is kept, and that tests can wait for. */
export class RecordingLog implements Logger {
  readonly lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  readonly #waiting: { text: string; go: () => void }[] = [];

  debug(message: string, fields = {}): void {
    this.#add("debug", message, fields);
  }

  info(message: string, fields = {}): void {
    this.#add("info", message, fields);
  }

  warn(message: string, fields = {}): void {
    this.#add("warn", message, fields);
  }

  error(message: string, fields = {}): void {
    this.#add("error", message, fields);
  }

  named(): Logger {
    return this;
  }

  has(text: string): boolean {
    return this.lines.some((line) => line.message.includes(text));
  }

  until(text: string): Promise<void> {
    if (this.has(text)) return Promise.resolve();
    return new Promise((go, give) => {
      const timer = setTimeout(() => give(new Error(`not logged: ${text}`)), WAIT_MS);
      this.#waiting.push({
        text,
        go: () => {
          clearTimeout(timer);
          go();
        },
      });
    });
  }

  #add(level: string, message: string, fields: Record<string, unknown>): void {
    this.lines.push({ level, message, fields });
    for (const { text, go } of this.#waiting) if (message.includes(text)) go();
  }
}

export function portOf({ url }: Node): number {
  return Number(new URL(url).port);
}
