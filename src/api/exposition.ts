// The Prometheus text format 0.0.4 of counters, gauges and histograms
// (prometheus.io/docs/instrumenting/exposition_formats). Names are sorted, as Go's client does.

import { type Counter, Family, type Gauge, Histogram } from "../base/metrics.ts";

/** A number is read when scraped. */
export type Source =
  | (() => number)
  | Counter
  | Gauge
  | Histogram
  | Family<Counter>
  | Family<Gauge>
  | Family<Histogram>
  | (() => Iterable<Sample>);

/** One value of a metric whose label values are only known when it is scraped. */
export interface Sample {
  readonly labels: readonly (readonly [string, string])[];
  readonly value: number;
}

export interface Metric {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram" | "summary";
  readonly help: string;
  readonly source: Source;
}

export function renderMetrics(metrics: readonly Metric[]): string {
  const sorted = [...metrics].sort((a, b) => (a.name < b.name ? -1 : 1));
  return sorted.map(renderMetric).join("");
}

function renderMetric(metric: Metric): string {
  const lines = [...samples(metric.name, metric.source)];
  if (lines.length === 0) return "";
  return `# HELP ${metric.name} ${metric.help}\n# TYPE ${metric.name} ${metric.kind}\n${lines.join("")}`;
}

function* samples(name: string, source: Source): Iterable<string> {
  if (source instanceof Family) {
    const children: string[] = [];
    for (const { values, metric } of source.children()) {
      const labels = source.labels.map((label, at) => [label, values[at] ?? ""] as const);
      children.push(one(name, labels, metric));
    }
    yield* children.sort();
  } else if (typeof source === "function") {
    const value = source();
    if (typeof value === "number") yield one(name, [], { value });
    else yield* Array.from(value, (sample) => one(name, sample.labels, sample)).sort();
  } else {
    yield one(name, [], source);
  }
}

type Labels = readonly (readonly [string, string])[];

function one(name: string, labels: Labels, metric: Histogram | { value: number }): string {
  if (!(metric instanceof Histogram)) return line(name, labels, metric.value);
  let cumulative = 0;
  const lines = metric.bounds.map((bound, at) => {
    cumulative += metric.counts[at]!;
    return line(`${name}_bucket`, [...labels, ["le", formatNumber(bound)]], cumulative);
  });
  lines.push(line(`${name}_bucket`, [...labels, ["le", "+Inf"]], metric.count));
  lines.push(line(`${name}_sum`, labels, metric.sum));
  lines.push(line(`${name}_count`, labels, metric.count));
  return lines.join("");
}

function line(name: string, labels: Labels, value: number): string {
  const inner = labels.map(([label, text]) => `${label}="${escapeLabel(text)}"`).join(",");
  return `${name}${inner === "" ? "" : `{${inner}}`} ${formatNumber(value)}\n`;
}

function escapeLabel(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/"/g, '\\"');
}

/** As Go writes a float64 with the fewest digits: an exponent of two digits from 1e+06 on. */
export function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  if (Number.isNaN(value)) return "NaN";
  const magnitude = Math.abs(value);
  if (value === 0 || (magnitude >= 1e-4 && magnitude < 1e6)) return String(value);
  const [mantissa, exponent] = value.toExponential().split("e") as [string, string];
  const sign = exponent.startsWith("-") ? "-" : "+";
  return `${mantissa}e${sign}${exponent.replace(/^[+-]/, "").padStart(2, "0")}`;
}
