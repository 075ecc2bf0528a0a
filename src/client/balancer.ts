// Which connection a call goes to: the ready ones take turns. All are opened with the first call,
// so that a dead endpoint in the list costs nothing while another one answers.

import type { Clock } from "../io/io.ts";
import type { Connection } from "../net/grpc-client.ts";
import { CONTEXT_CANCELED, CONTEXT_DEADLINE_EXCEEDED } from "../net/grpc-client-call.ts";
import { CLIENT_IS_CLOSING } from "./errors.ts";

export class Balancer {
  readonly #connections: readonly Connection[];
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #turn = 0;
  #opened = false;
  #isClosed = false;

  constructor(connections: readonly Connection[], clock: Clock) {
    this.#connections = connections;
    this.#clock = clock;
    for (const connection of connections) connection.onChange(() => this.#changed(connection));
  }

  get size(): number {
    return this.#connections.length;
  }

  /** Why there is no connection, for logs. */
  get lastError(): string {
    return this.#connections.find((one) => one.lastError !== "")?.lastError ?? "";
  }

  /** Waits for a ready connection. @throws RpcError after `timeoutMs`, on abort, when closed */
  pick(timeoutMs: number | undefined, signal: AbortSignal | undefined): Promise<Connection> {
    if (!this.#opened) {
      this.#opened = true;
      for (const connection of this.#connections) connection.connect();
    }
    const ready = this.#next();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#isClosed) return Promise.reject(CLIENT_IS_CLOSING);
    if (signal?.aborted === true) return Promise.reject(CONTEXT_CANCELED);
    return new Promise((resolve, reject) => {
      const settle = (outcome: () => void): void => {
        this.#waiting.delete(look);
        timer?.cancel();
        signal?.removeEventListener("abort", cancel);
        outcome();
      };
      const look = (): void => {
        const found = this.#next();
        if (found !== undefined) settle(() => resolve(found));
        else if (this.#isClosed) settle(() => reject(CLIENT_IS_CLOSING));
      };
      const cancel = (): void => settle(() => reject(CONTEXT_CANCELED));
      const late = (): void => settle(() => reject(CONTEXT_DEADLINE_EXCEEDED));
      const timer = timeoutMs === undefined ? undefined : this.#clock.after(timeoutMs, late);
      signal?.addEventListener("abort", cancel, { once: true });
      this.#waiting.add(look);
    });
  }

  /** Whoever waits for a connection is told. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections) connection.close();
    this.#lookAgain();
  }

  #next(): Connection | undefined {
    for (let i = 0; i < this.#connections.length; i++) {
      const connection = this.#connections[(this.#turn + i) % this.#connections.length]!;
      if (connection.state !== "ready") continue;
      this.#turn = (this.#turn + i + 1) % this.#connections.length;
      return connection;
    }
    return undefined;
  }

  #changed(connection: Connection): void {
    if (connection.state === "ready") this.#lookAgain();
  }

  #lookAgain(): void {
    for (const look of [...this.#waiting]) look();
  }
}
