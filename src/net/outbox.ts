// Connections with unsent output that nobody is about to flush: answers given in a later turn
// than the request. The server loop flushes once per batch; the end of the turn is the safety net.
//
// Answers of a batch come in the order of the requests, so those of one connection mostly lie
// together. When the next one begins, the one before is flushed: its client goes on while the rest
// of the batch is applied (measured: put with 100 clients + 10 %, and hardly more writes). The last
// one is flushed after all others: what they get are events of watchers, and whoever is told that a
// change was made should find that those who watch for it were sent it.

import type { Clock } from "../io/io.ts";

/**
 * How long what can wait for an answer waits at most. Clients measure the link with a ping per
 * answer: alone, its acknowledgement is a write here and a wake-up there, a quarter of all writes
 * of puts by 100 clients (measured: + 7 %; one client: + 15 %).
 */
const PATIENCE_MS = 5;
/** How long a measurement of a client rests; see ping-acks.ts. */
const REST_MS = 20;

/** Something to be woken after `REST_MS` or less: those who rest are woken together. */
export interface Resting {
  onRested(): void;
}

export interface Flushable {
  /** Owned by the outbox: the connection is in its list. */
  isListed: boolean;
  /** Likewise, in the list of those that can wait. */
  isPatient: boolean;
  flush(): void;
}

export class Outbox {
  readonly #clock: Clock;
  #dirty: Flushable[] = [];
  /** Whose calls were answered last. */
  #answering: Flushable | null = null;
  #isArmed = false;
  readonly #patient: Flushable[] = [];
  readonly #resting: Resting[] = [];

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

  /** What `connection` has to say may leave with an answer that is under way, or soon. */
  addPatient(connection: Flushable): void {
    if (connection.isPatient) return;
    connection.isPatient = true;
    this.#gather(this.#patient, connection, PATIENCE_MS, endPatience);
  }

  rest(who: Resting): void {
    this.#gather(this.#resting, who, REST_MS, endRest);
  }

  /** The first to come sets the time at which `end` is called for all that are there by then. */
  #gather<T>(waiting: T[], one: T, delayMs: number, end: (one: T) => void): void {
    waiting.push(one);
    if (waiting.length > 1) return;
    this.#clock.after(delayMs, () => {
      for (const each of waiting.splice(0)) end(each);
    });
  }

  /** The last byte of an answer is in the connection's output. */
  answered(connection: Flushable): void {
    const before = this.#answering;
    if (before !== connection) {
      this.#answering = connection;
      // It stays in the list: flushed again, it has nothing to write.
      if (before?.isListed) before.flush();
    }
    this.add(connection);
  }

  /** For work that must not run inside its caller, before output is flushed. */
  endOfTurn(task: () => void): void {
    this.#clock.endOfTurn(task);
  }

  flush(): void {
    const dirty = this.#dirty;
    if (dirty.length === 0) return;
    this.#dirty = [];
    const last = this.#answering;
    this.#answering = null;
    for (const connection of dirty) {
      connection.isListed = false;
      if (connection !== last) connection.flush();
    }
    last?.flush();
  }
}

function endPatience(connection: Flushable): void {
  connection.isPatient = false;
  connection.flush();
}

function endRest(who: Resting): void {
  who.onRested();
}
