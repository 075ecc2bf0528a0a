// Times of applying and of whole requests, by kind. The histogram of a kind is looked up once, so
// that a request costs two additions.

import { exponentialBounds, Family, Histogram } from "../base/metrics.ts";
import { RequestField } from "../wire/internal-raft-request.ts";

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(RequestField).map(([name, field]) => [field, name]),
);

class Pair {
  readonly ok: Histogram;
  readonly failed: () => Histogram;
  constructor(ok: Histogram, failed: () => Histogram) {
    this.ok = ok;
    this.failed = failed;
  }
}

export class TimesByKind {
  readonly family: Family<Histogram>;
  readonly #labels: (name: string, success: string) => string[];
  readonly #pairs = new Map<number, Pair>();

  constructor(
    labelNames: readonly string[],
    bounds: readonly number[],
    labels: (name: string, success: string) => string[],
  ) {
    this.family = new Family(labelNames, () => new Histogram(bounds));
    this.#labels = labels;
  }

  observe(field: number, isOk: boolean, seconds: number): void {
    let pair = this.#pairs.get(field);
    if (pair === undefined) {
      const name = NAMES.get(field) ?? "unknown";
      const of = (success: string): Histogram => this.family.with(...this.#labels(name, success));
      pair = new Pair(of("true"), () => of("false"));
      this.#pairs.set(field, pair);
    }
    (isOk ? pair.ok : pair.failed()).observe(seconds);
  }
}

export function applyTimes(): TimesByKind {
  return new TimesByKind(
    ["version", "op", "success"],
    exponentialBounds(0.0001, 2, 20),
    (name, success) => ["v3", name === "None" ? "unknown" : name, success],
  );
}

export function requestTimes(): TimesByKind {
  return new TimesByKind(["type", "success"], exponentialBounds(0.001, 2, 14), (name, success) => [
    name,
    success,
  ]);
}

export function fieldName(field: number): string {
  return NAMES.get(field) ?? "unknown";
}
