// Tables of metrics: name → help and where the value is read.

import type { Metric, Source } from "./exposition.ts";

export type Rows = Readonly<Record<string, readonly [help: string, source: Source]>>;

export function counters(rows: Rows): Metric[] {
  return table("counter", rows);
}

export function gauges(rows: Rows): Metric[] {
  return table("gauge", rows);
}

export function histograms(rows: Rows): Metric[] {
  return table("histogram", rows);
}

function table(kind: Metric["kind"], rows: Rows): Metric[] {
  return Object.entries(rows).map(([name, [help, source]]) => ({ name, kind, help, source }));
}
