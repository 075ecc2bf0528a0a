// What only the running process knows, for /metrics and /debug/vars: from Node and /proc.

import { readdirSync, readFileSync } from "node:fs";
import type { Metric, Sample } from "../../api/exposition.ts";
import type { ProcessFacts } from "../../api/http-endpoints.ts";

const CLOCK_TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

export function processFacts(): ProcessFacts {
  return {
    commandLine: process.argv.slice(1),
    fileDescriptorLimit: openFilesLimit,
    memoryStats: () => {
      const { heapUsed, heapTotal, rss, external } = process.memoryUsage();
      return {
        Alloc: heapUsed,
        HeapAlloc: heapUsed,
        HeapSys: heapTotal,
        Sys: rss,
        OtherSys: external,
      };
    },
  };
}

export function processMetrics(): Metric[] {
  const row = (name: string, kind: Metric["kind"], help: string, source: () => number): Metric => ({
    name,
    kind,
    help,
    source,
  });
  const started = Date.now() / 1000 - process.uptime();
  return [
    row("process_cpu_seconds_total", "counter", "User and system time.", cpuSeconds),
    row("process_start_time_seconds", "gauge", "Start, Unix time.", () => started),
    row("process_resident_memory_bytes", "gauge", "Resident memory.", () =>
      process.memoryUsage.rss(),
    ),
    row("process_virtual_memory_bytes", "gauge", "Virtual memory.", () => {
      return Number(read("/proc/self/statm").split(" ")[0]) * PAGE_BYTES || 0;
    }),
    row("process_virtual_memory_max_bytes", "gauge", "Limit of it.", () =>
      limitOf("Max address space"),
    ),
    row("process_open_fds", "gauge", "Open file descriptors.", openFiles),
    row("process_max_fds", "gauge", "Limit of them.", openFilesLimit),
    row("os_fd_used", "gauge", "Open file descriptors.", openFiles),
    row("os_fd_limit", "gauge", "Limit of them.", openFilesLimit),
    row("process_network_receive_bytes_total", "counter", "Bytes received by the host.", () =>
      networkBytes(0),
    ),
    row("process_network_transmit_bytes_total", "counter", "Bytes sent by the host.", () =>
      networkBytes(8),
    ),
    row("promhttp_metric_handler_requests_in_flight", "gauge", "Scrapes under way.", () => 1),
    {
      name: "promhttp_metric_handler_requests_total",
      kind: "counter",
      help: "Scrapes by status.",
      source: scrapes(),
    },
  ];
}

function scrapes(): () => Sample[] {
  let count = 0;
  return () => {
    count++;
    return [200, 500, 503].map((code) => ({
      labels: [["code", String(code)]] as const,
      value: code === 200 ? count - 1 : 0,
    }));
  };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  const ticks = Math.floor(((user + system) / 1e6) * CLOCK_TICKS_PER_SECOND);
  return ticks / CLOCK_TICKS_PER_SECOND;
}

function openFiles(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}

function openFilesLimit(): number {
  return limitOf("Max open files");
}

function limitOf(name: string): number {
  const line = new RegExp(`^${name}\\s+(\\S+)`, "m").exec(read("/proc/self/limits"));
  const text = line?.[1] ?? "0";
  return text === "unlimited" ? 2 ** 64 : Number(text);
}

/** Columns of /proc/net/dev: received bytes at 0, sent at 8. */
function networkBytes(column: number): number {
  let sum = 0;
  for (const line of read("/proc/self/net/dev").split("\n").slice(2)) {
    const fields = line.split(":")[1]?.trim().split(/\s+/);
    sum += Number(fields?.[column] ?? 0);
  }
  return sum;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
