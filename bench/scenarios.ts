// What is measured, and the ratio to stock etcd that we promise for it.

import type { Load } from "./loads.ts";

/** A row of the table that compares the two servers under the same load. */
export interface Scenario {
  readonly group: string;
  readonly name: string;
  readonly isTls: boolean;
  /** Requests before measuring: JIT and connections warm, the key space filled. */
  readonly warmUp: (tools: Tools, endpoint: string) => Load[];
  readonly load: (tools: Tools, endpoint: string, requests: number) => Load;
  readonly requests: { readonly stock: number; readonly ours: number };
  /** Requests per second at least this many times stock's; CPU per request at most. */
  readonly rateAtLeast: number | undefined;
  readonly cpuAtMost: number | undefined;
  readonly p99AtMost?: number;
}

export interface Tools {
  readonly benchmark: string;
  readonly load: string;
  /** Flags that make the clients speak TLS, or none. */
  readonly tlsFlags: readonly string[];
}

const KEYS = 100_000;

export function put(
  tools: Tools,
  endpoint: string,
  clients: number,
  conns: number,
  total: number,
): Load {
  const shape = [`--clients=${clients}`, `--conns=${conns}`, `--total=${total}`];
  const keys = ["--key-size=8", "--val-size=256", `--key-space-size=${KEYS}`];
  const args = ["--precise", `--endpoints=${endpoint}`, ...tools.tlsFlags, "put"];
  return { program: tools.benchmark, args: [...args, ...shape, ...keys], requests: total };
}

function range(
  tools: Tools,
  endpoint: string,
  consistency: "l" | "s",
  clients: number,
  conns: number,
  total: number,
): Load {
  const shape = [`--clients=${clients}`, `--conns=${conns}`, `--total=${total}`];
  const args = ["--precise", `--endpoints=${endpoint}`, ...tools.tlsFlags, "range", "foo"];
  return {
    program: tools.benchmark,
    args: [...args, `--consistency=${consistency}`, ...shape],
    requests: total,
  };
}

function txn(tools: Tools, endpoint: string, total: number): Load {
  const shape = ["--clients=100", "--conns=10", `--total=${total}`, "--keys=10000"];
  return {
    program: tools.load,
    args: ["txn", `--endpoint=${endpoint}`, ...shape],
    requests: total,
  };
}

/**
 * Until both have come to the pace that they keep: stock slows down while its store fills, and
 * after 30,000 requests ours still took a quarter more CPU, as V8 had not compiled all of it yet.
 */
export const WARM_REQUESTS = 120_000;

const warmPut = (tools: Tools, endpoint: string): Load[] => [
  put(tools, endpoint, 100, 10, WARM_REQUESTS),
];
const warmRange = (tools: Tools, endpoint: string): Load[] => [
  put(tools, endpoint, 10, 10, 2_000),
  range(tools, endpoint, "l", 100, 10, 40_000),
];

function putRow(name: string, clients: number, conns: number, more: Partial<Scenario>): Scenario {
  return {
    group: "put",
    name,
    isTls: false,
    warmUp: warmPut,
    load: (tools, endpoint, total) => put(tools, endpoint, clients, conns, total),
    requests: { stock: 60_000, ours: 150_000 },
    rateAtLeast: 2.5,
    cpuAtMost: 0.4,
    ...more,
  };
}

function rangeRow(name: string, consistency: "l" | "s", more: Partial<Scenario>): Scenario {
  return {
    group: "range",
    name,
    isTls: false,
    warmUp: warmRange,
    load: (tools, endpoint, total) => range(tools, endpoint, consistency, 100, 10, total),
    requests: { stock: 120_000, ours: 300_000 },
    rateAtLeast: 2.3,
    cpuAtMost: 0.25,
    ...more,
  };
}

/** Each put is an event for each of so many watchers. */
const WATCHERS = 1_000;

function watch(tools: Tools, endpoint: string, events: number): Load {
  const shape = ["--streams=10", "--watch-per-stream=100", "--watched-key-total=1"];
  const args = ["--precise", `--endpoints=${endpoint}`, "--clients=10", "--conns=10", "watch"];
  const puts = `--put-total=${events / WATCHERS}`;
  return { program: tools.benchmark, args: [...args, ...shape, puts], requests: events };
}

function watchLatency(tools: Tools, endpoint: string, puts: number): Load {
  const args = ["--precise", `--endpoints=${endpoint}`, "--clients=10", "--conns=10"];
  const shape = ["watch-latency", `--put-total=${puts}`, "--put-rate=200"];
  return { program: tools.benchmark, args: [...args, ...shape], requests: puts };
}

function keepAlive(tools: Tools, endpoint: string, total: number): Load {
  const args = ["--precise", `--endpoints=${endpoint}`, "--clients=100", "--conns=10"];
  const shape = ["lease-keepalive", `--total=${total}`];
  return { program: tools.benchmark, args: [...args, ...shape], requests: total };
}

const WATCH_SCENARIOS: readonly Scenario[] = [
  {
    group: "watch",
    name: "watch latency, 100 watchers on 10 streams, 200 puts/s",
    isTls: false,
    warmUp: (tools, endpoint) => [watchLatency(tools, endpoint, 1_000)],
    load: watchLatency,
    requests: { stock: 2_000, ours: 2_000 },
    rateAtLeast: undefined,
    cpuAtMost: undefined,
    p99AtMost: 1,
  },
  {
    group: "watch",
    name: "events to 1,000 watchers of a key on 10 streams",
    isTls: false,
    warmUp: (tools, endpoint) => [watch(tools, endpoint, 2_000_000)],
    load: watch,
    requests: { stock: 2_000_000, ours: 2_000_000 },
    rateAtLeast: 1.2,
    cpuAtMost: 0.4,
  },
  {
    group: "lease",
    name: "lease keep-alive, 100 clients on 10 connections",
    isTls: false,
    warmUp: (tools, endpoint) => [keepAlive(tools, endpoint, WARM_REQUESTS)],
    load: keepAlive,
    requests: { stock: 100_000, ours: 200_000 },
    rateAtLeast: 2.5,
    cpuAtMost: undefined,
  },
];

export const SCENARIOS: readonly Scenario[] = [
  putRow("put, 100 clients on 10 connections", 100, 10, {}),
  putRow("put, 1,000 clients on 100 connections", 1000, 100, {}),
  putRow("put, 1 client", 1, 1, {
    requests: { stock: 6_000, ours: 12_000 },
    rateAtLeast: 1,
    cpuAtMost: undefined,
  }),
  {
    group: "txn",
    name: "txn of one compare and one put, 100 clients",
    isTls: false,
    warmUp: (tools, endpoint) => [txn(tools, endpoint, WARM_REQUESTS)],
    load: txn,
    requests: { stock: 60_000, ours: 120_000 },
    rateAtLeast: 2.5,
    cpuAtMost: 0.4,
  },
  rangeRow("range, linearizable, 100 clients", "l", {}),
  rangeRow("range, serializable, 100 clients", "s", {}),
  putRow("put over TLS, 100 clients", 100, 10, {
    group: "tls",
    isTls: true,
    rateAtLeast: 4,
    requests: { stock: 40_000, ours: 150_000 },
  }),
  rangeRow("range over TLS, linearizable, 100 clients", "l", {
    group: "tls",
    isTls: true,
    rateAtLeast: 4,
    requests: { stock: 60_000, ours: 300_000 },
  }),
  ...WATCH_SCENARIOS,
];
