// Asks a peer every few seconds how it is and what time it has: for the log, and for the metric of
// the round trip. Two of them run per peer, as in etcd: one on connections like those of raft's
// messages, one on those of snapshots.

import type { Histogram } from "../../base/metrics.ts";
import type { Timer } from "../../io/io.ts";
import type { PeerAnswer } from "../../io/network.ts";
import { hexId } from "./compatibility.ts";
import type { PeerContext } from "./peer-context.ts";

export type RoundTripper = "ROUND_TRIPPER_RAFT_MESSAGE" | "ROUND_TRIPPER_SNAPSHOT";

/** Between two looks at what was found. */
const HEALTHY_LOOK_MS = 30_000;
const UNHEALTHY_LOOK_MS = 5_000;
/** Weight of the newest in the smoothed round trip. */
const NEWEST_WEIGHT = 0.125;
const CLOCK_DRIFT_MAX_MS = 1000;

const PATH = "/raft/probing";

export class Prober {
  readonly #context: PeerContext;
  readonly #name: RoundTripper;
  readonly #id: string;
  readonly #seconds: Histogram;
  #urls: readonly string[];
  #pinned = 0;
  #probeTimer: Timer | null = null;
  #lookTimer: Timer | null = null;
  #cancel: (() => void) | null = null;
  #isHealthy = false;
  #error: string | null = null;
  #roundTripMs = 0;
  #clockDriftMs = 0;

  constructor(context: PeerContext, name: RoundTripper, peerId: bigint, urls: readonly string[]) {
    this.#context = context;
    this.#name = name;
    this.#id = hexId(peerId);
    this.#urls = urls;
    this.#seconds = context.metrics.roundTripSeconds.with(this.#id);
    this.#probeLater();
    this.#lookLater(UNHEALTHY_LOOK_MS);
  }

  update(urls: readonly string[]): void {
    this.#urls = urls;
    this.#pinned = 0;
  }

  stop(): void {
    this.#probeTimer?.cancel();
    this.#lookTimer?.cancel();
    this.#cancel?.();
  }

  #probeLater(): void {
    const { clock, timeouts } = this.#context;
    this.#probeTimer = clock.after(timeouts.probeMs, () => this.#probe());
  }

  #probe(): void {
    const { client, clock, timeouts } = this.#context;
    const beganMs = clock.monotonicMs();
    const call = {
      method: "GET",
      url: this.#urls[this.#pinned]!,
      path: PATH,
      headers: {},
      timeoutMs: timeouts.dialMs + timeouts.readMs,
      isAlone: this.#name === "ROUND_TRIPPER_RAFT_MESSAGE",
    } as const;
    this.#cancel = client.call(call, (answer) => {
      this.#record(answer, `${call.url}${PATH}`, clock.monotonicMs() - beganMs);
      this.#probeLater();
    });
  }

  #record(answer: PeerAnswer | Error, url: string, roundTripMs: number): void {
    const told = answer instanceof Error ? answer.message : readHealth(answer, url);
    if (typeof told === "string") {
      this.#isHealthy = false;
      this.#error = told;
      this.#pinned = (this.#pinned + 1) % this.#urls.length;
      return;
    }
    this.#isHealthy = true;
    this.#error = null;
    const before = this.#roundTripMs || roundTripMs;
    this.#roundTripMs = (1 - NEWEST_WEIGHT) * before + NEWEST_WEIGHT * roundTripMs;
    this.#clockDriftMs = this.#context.clock.wallMs() - told.wallMs - this.#roundTripMs / 2;
  }

  #lookLater(delayMs: number): void {
    this.#lookTimer = this.#context.clock.after(delayMs, () => this.#look());
  }

  #look(): void {
    const { log } = this.#context;
    const fields = { "round-tripper-name": this.#name, "remote-peer-id": this.#id };
    const rtt = `${this.#roundTripMs}ms`;
    const error = this.#error === null ? {} : { error: this.#error };
    if (!this.#isHealthy) {
      log.warn("prober detected unhealthy status", { ...fields, rtt, ...error });
    }
    if (this.#clockDriftMs > CLOCK_DRIFT_MAX_MS) {
      const drift = { "clock-drift": `${this.#clockDriftMs}ms`, rtt };
      log.warn("prober found high clock drift", { ...fields, ...drift, ...error });
    }
    this.#seconds.observe(this.#roundTripMs / 1000);
    this.#lookLater(this.#isHealthy ? HEALTHY_LOOK_MS : UNHEALTHY_LOOK_MS);
  }
}

function readHealth(answer: PeerAnswer, url: string): { readonly wallMs: number } | string {
  if (answer.status !== 200) return `got unexpected HTTP status code ${answer.status} from ${url}`;
  try {
    const { OK: isOk, Now: now } = JSON.parse(Buffer.from(answer.body).toString()) as {
      readonly OK?: unknown;
      readonly Now?: unknown;
    };
    const wallMs = Date.parse(String(now));
    return isOk === true && !Number.isNaN(wallMs) ? { wallMs } : "unhealthy";
  } catch (error) {
    return (error as Error).message;
  }
}
