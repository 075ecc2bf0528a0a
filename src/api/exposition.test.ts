import assert from "node:assert/strict";
import { test } from "node:test";
import { Counter, Family, Gauge, Histogram } from "../base/metrics.ts";
import { formatNumber, renderMetrics } from "./exposition.ts";

test("numbers are written as Go's client writes them", () => {
  const cases: [number, string][] = [
    [0, "0"],
    [1, "1"],
    [-1, "-1"],
    [0.001, "0.001"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [999999, "999999"],
    [1000000, "1e+06"],
    [1048576, "1.048576e+06"],
    [2147483648, "2.147483648e+09"],
    [Number.POSITIVE_INFINITY, "+Inf"],
  ];
  for (const [value, text] of cases) assert.equal(formatNumber(value), text);
});

test("counters, labelled families and histograms", () => {
  const requests = new Counter();
  requests.add(3);
  const family = new Family(["type"], () => new Gauge());
  family.with('a"b\\').set(2);
  const seconds = new Histogram([0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value);
  const text = renderMetrics([
    { name: "z_total", kind: "counter", help: "Requests.", source: requests },
    { name: "b_seconds", kind: "histogram", help: "Time.", source: seconds },
    { name: "a_by_type", kind: "gauge", help: "By type.", source: family },
    { name: "n_none", kind: "gauge", help: "Nothing yet.", source: () => [] },
  ]);
  assert.equal(
    text,
    `# HELP a_by_type By type.
# TYPE a_by_type gauge
a_by_type{type="a\\"b\\\\"} 2
# HELP b_seconds Time.
# TYPE b_seconds histogram
b_seconds_bucket{le="0.1"} 2
b_seconds_bucket{le="1"} 3
b_seconds_bucket{le="+Inf"} 4
b_seconds_sum 7.65
b_seconds_count 4
# HELP z_total Requests.
# TYPE z_total counter
z_total 3
`,
  );
});
