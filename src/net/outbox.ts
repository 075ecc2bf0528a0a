// Connections with unsent output that nobody is about to flush: answers given in a later turn
// than the request. The server loop flushes once per batch; the end of the turn is the safety net.

import type { Clock } from "../io/io.ts";

export interface Flushable {
  /** Owned by the outbox: the connection is in its list. */
  isListed: boolean;
  flush(): void;
}

export class Outbox {
  readonly #clock: Clock;
  #dirty: Flushable[] = [];
  #isArmed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(connection: Flushable): void {
    if (connection.isListed) return;
    connection.isListed = true;
    this.#dirty.push(connection);
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#clock.endOfTurn(() => {
      this.#isArmed = false;
      this.flush();
    });
  }

  /** For work that must not run inside its caller, before output is flushed. */
  endOfTurn(task: () => void): void {
    this.#clock.endOfTurn(task);
  }

  flush(): void {
    const dirty = this.#dirty;
    if (dirty.length === 0) return;
    this.#dirty = [];
    for (const connection of dirty) {
      connection.isListed = false;
      connection.flush();
    }
  }
}
