// Counters that the parts own and `api/metrics.ts` names. Plain fields and typed arrays: one
// addition per event, no label look-up on the hot path.

export class Counter {
  value = 0;
  add(amount = 1): void {
    this.value += amount;
  }
}

export class Gauge {
  value = 0;
  set(value: number): void {
    this.value = value;
  }
  add(amount: number): void {
    this.value += amount;
  }
}

/** Cumulative buckets are made when scraped; observing is one search in a short array. */
export class Histogram {
  readonly bounds: readonly number[];
  /** One more than `bounds`: the last counts what is above all of them. */
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.bounds;
    let at = 0;
    while (at < bounds.length && value > bounds[at]!) at++;
    this.counts[at]!++;
    this.sum += value;
    this.count++;
  }
}

/** Bounds as Prometheus' ExponentialBuckets(start, factor, count). */
export function exponentialBounds(start: number, factor: number, count: number): number[] {
  return Array.from({ length: count }, (_, exponent) => start * factor ** exponent);
}

/** One counter (or gauge, or histogram) per combination of label values. */
export class Family<Metric> {
  readonly labels: readonly string[];
  readonly #make: () => Metric;
  readonly #children = new Map<string, { values: readonly string[]; metric: Metric }>();

  constructor(labels: readonly string[], make: () => Metric) {
    this.labels = labels;
    this.#make = make;
  }

  with(...values: string[]): Metric {
    const key = values.join("\u0000");
    let child = this.#children.get(key);
    if (child === undefined) {
      child = { values, metric: this.#make() };
      this.#children.set(key, child);
    }
    return child.metric;
  }

  children(): Iterable<{ values: readonly string[]; metric: Metric }> {
    return this.#children.values();
  }
}
