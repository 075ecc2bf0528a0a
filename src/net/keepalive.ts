// Keepalive in both directions, as grpc-go's server does it.
//
// Their pings: more than two that come too early ("strikes") end the connection with GOAWAY
// ENHANCE_YOUR_CALM "too_many_pings". Early is less than the minimum time after the last ping, or
// less than two hours when the client has no stream. Anything that we sent in between clears the
// strikes: clients measure the link with a ping per answer.
//
// Our ping: after `keepaliveIntervalMs` without a byte from the client; without one for
// `keepaliveTimeoutMs` more the client is taken for dead.

import type { Limits } from "./limits.ts";

const STRIKES_MAX = 2;
const IDLE_MIN_TIME_MS = 7_200_000;

export type KeepaliveAction = "none" | "ping" | "close";

export class Keepalive {
  readonly #limits: Limits;
  #strikes = 0;
  #lastPingMs = Number.NEGATIVE_INFINITY;
  #sentAtLastPing = -1;
  #lastReadMs: number;
  #pingSentMs = -1;

  constructor(limits: Limits, nowMs: number) {
    this.#limits = limits;
    this.#lastReadMs = nowMs;
  }

  /** `sentCount` grows with everything sent on streams. Returns false when it is too much. */
  onPing(nowMs: number, hasStreams: boolean, sentCount: number): boolean {
    const sinceMs = nowMs - this.#lastPingMs;
    this.#lastPingMs = nowMs;
    if (sentCount !== this.#sentAtLastPing) {
      this.#sentAtLastPing = sentCount;
      this.#strikes = 0;
      return true;
    }
    const minTimeMs = hasStreams ? this.#limits.keepaliveMinTimeMs : IDLE_MIN_TIME_MS;
    if (sinceMs < minTimeMs) this.#strikes++;
    return this.#strikes <= STRIKES_MAX;
  }

  /** Called every tick with whether anything was read since the last one. */
  onTick(nowMs: number, hasRead: boolean): KeepaliveAction {
    if (hasRead) {
      this.#lastReadMs = nowMs;
      this.#pingSentMs = -1;
      return "none";
    }
    const { keepaliveIntervalMs, keepaliveTimeoutMs } = this.#limits;
    if (keepaliveIntervalMs === 0) return "none";
    if (this.#pingSentMs >= 0) {
      const waitedMs = nowMs - this.#pingSentMs;
      return keepaliveTimeoutMs > 0 && waitedMs >= keepaliveTimeoutMs ? "close" : "none";
    }
    if (nowMs - this.#lastReadMs < keepaliveIntervalMs) return "none";
    this.#pingSentMs = nowMs;
    return "ping";
  }
}
