// For tests of clients: connections without sockets, and time that passes by itself.

import type { Clock, Timer } from "../../io/io.ts";
import type { ChannelState, Connection } from "../../net/grpc-client.ts";
import type { CallOptions, ClientStream } from "../../net/grpc-client-call.ts";
import { CONTEXT_CANCELED, CONTEXT_DEADLINE_EXCEEDED } from "../../net/grpc-client-call.ts";

/** When nothing else is to be done, the next timer is due. */
export class SkippingClock implements Clock {
  #nowMs = 1000;
  #timers: { atMs: number; task: () => void }[] = [];
  #isScheduled = false;

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, task };
    this.#timers.push(timer);
    this.#schedule();
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  endOfTurn(task: () => void): void {
    setImmediate(task);
  }

  #next(): void {
    const [next] = this.#timers.sort((a, b) => a.atMs - b.atMs);
    if (next === undefined) return;
    this.#timers = this.#timers.filter((other) => other !== next);
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.task();
    if (this.#timers.length > 0) this.#schedule();
  }

  /** One timer for each turn of the event loop: others have theirs between two. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#next();
    });
  }
}

export interface FakeCall {
  readonly path: string;
  readonly message: Uint8Array;
  readonly options: CallOptions;
}

/** Answers a call, by a message or by what it throws; a promise that never settles hangs. */
export type Answer = (call: FakeCall) => Uint8Array | Promise<Uint8Array>;

/** Messages of a server stream, for the first message of the client. */
export type StreamAnswer = (call: FakeCall) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export interface FakeOptions {
  readonly isUp?: boolean;
  readonly stream?: StreamAnswer;
  /** By which streams come to their deadline. */
  readonly clock?: Clock;
}

export class FakeConnection implements Connection {
  readonly calls: FakeCall[] = [];
  readonly #answer: Answer;
  readonly #streamAnswer: StreamAnswer;
  readonly #clock: Clock | undefined;
  readonly #listeners: (() => void)[] = [];
  #state: ChannelState = "idle";
  lastError = "";
  /** A connection that is to fail stays so until `become("ready")`. */
  readonly isUp: boolean;

  constructor(answer: Answer, options: FakeOptions = {}) {
    this.#answer = answer;
    this.isUp = options.isUp ?? true;
    this.#streamAnswer = options.stream ?? (() => []);
    this.#clock = options.clock;
  }

  get state(): ChannelState {
    return this.#state;
  }

  get peer(): undefined {
    return undefined;
  }

  become(state: ChannelState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }

  connect(): void {
    if (!this.isUp) this.lastError = "connection refused";
    this.become(this.isUp ? "ready" : "failed");
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  unary(path: string, message: Uint8Array, options: CallOptions): Promise<Uint8Array> {
    const call = { path, message, options };
    this.calls.push(call);
    if (options.timeoutMs !== undefined && options.timeoutMs <= 0) {
      return Promise.reject(CONTEXT_DEADLINE_EXCEEDED);
    }
    if (options.signal?.aborted === true) return Promise.reject(CONTEXT_CANCELED);
    return new Promise((resolve, reject) => {
      options.signal?.addEventListener("abort", () => reject(CONTEXT_CANCELED), { once: true });
      Promise.resolve()
        .then(() => this.#answer(call))
        .then(resolve, reject);
    });
  }

  stream(path: string, options: CallOptions): ClientStream {
    let iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array> | undefined;
    const ended = new AbortController();
    const signals = [ended.signal, ...(options.signal === undefined ? [] : [options.signal])];
    const signal = AbortSignal.any(signals);
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      if (options.timeoutMs === undefined) return;
      timer = this.#clock?.after(options.timeoutMs, () => reject(CONTEXT_DEADLINE_EXCEEDED));
    });
    late.catch(() => {});
    return {
      send: (message) => {
        const call = { path, message, options };
        this.calls.push(call);
        const answers = this.#streamAnswer(call);
        iterator ??=
          Symbol.asyncIterator in answers
            ? answers[Symbol.asyncIterator]()
            : answers[Symbol.iterator]();
      },
      end: () => {},
      cancel: () => {
        timer?.cancel();
        ended.abort();
      },
      next: async () => {
        const step = iterator?.next() ?? { value: undefined, done: true };
        const { value, done } = await Promise.race([step, aborted(signal), late]);
        return done === true ? undefined : value;
      },
    };
  }

  close(): void {
    this.become("closed");
  }
}

/** Fails once the call is cancelled. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const cancel = (): void => reject(CONTEXT_CANCELED);
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel, { once: true });
  });
}
