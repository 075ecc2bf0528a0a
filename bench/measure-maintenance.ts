// What an operator waits for: large ranges and counts, defragmentation, start-up. Each on the same
// data directory, which our server has filled and of which both get a copy.

import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { capture, median, runLoad } from "./loads.ts";
import { type Bench, type Row, ratioRow } from "./run.ts";
import { type Kind, type Server, startServer } from "./servers.ts";

const PORT = 25590;
const KINDS = ["stock", "ours"] as const satisfies Kind[];
const STARTS = 3;
const RANGES = 5;
const COUNTS = 200;
const PARALLEL = 100;

type PerKind = Record<Kind, number[]>;

const none = (): PerKind => ({ stock: [], ours: [] });
const middle = (values: PerKind) => (kind: Kind) => median(values[kind]);

interface Data {
  readonly keys: number;
  readonly rounds: number;
  readonly valueBytes: number;
}

/** Calls `measure` with copies of a filled directory; the same number of times for each kind. */
export async function onCopies(
  bench: Bench,
  data: Data,
  measure: (kind: Kind, dataDir: string) => Promise<void>,
): Promise<void> {
  const full = mkdtempSync(join(tmpdir(), "quorate-bench-full-"));
  const { programs, tools } = bench;
  const server = await startServer({ kind: "ours", programs, port: PORT, dataDir: full });
  const { keys, rounds, valueBytes } = data;
  const shape = [`--keys=${keys}`, `--rounds=${rounds}`, `--val-size=${valueBytes}`];
  const at = [`--endpoint=${server.endpoint}`, "--clients=10", "--conns=10"];
  await capture(tools.load, ["fill", ...at, ...shape]);
  await server.stop();
  for (const kind of KINDS) {
    const dataDir = `${full}-${kind}`;
    cpSync(full, dataDir, { recursive: true });
    execFileSync("sync");
    await measure(kind, dataDir);
    rmSync(dataDir, { recursive: true });
  }
  rmSync(full, { recursive: true });
}

/** Range, and the memory that answering takes; of the servers, so the client only counts bytes. */
async function measureReads(bench: Bench): Promise<Row[]> {
  const rates = none();
  const withGrpcGo = none();
  const cpu = none();
  const resident = none();
  await onCopies(bench, { keys: 100_000, rounds: 1, valueBytes: 1024 }, async (kind, dataDir) => {
    process.stderr.write(`range of 100,000 keys of 1 KB, ${kind} …\n`);
    const server = await startServer({ kind, programs: bench.programs, port: PORT, dataDir });
    for (let round = 0; round < RANGES; round++) {
      const before = server.cpuSeconds();
      rates[kind].push(await rangeAll(bench, server, "drain"));
      cpu[kind].push((server.cpuSeconds() - before) * 1000);
    }
    for (let round = 0; round < RANGES; round++) {
      withGrpcGo[kind].push(await rangeAll(bench, server, "range"));
    }
    resident[kind].push(server.memoryBytes().resident / 1e6);
    await server.stop();
  });
  return [
    ratioRow("range of 100,000 keys of 1 KB", " MB/s", middle(rates), { atLeast: 2 }),
    ratioRow("… server CPU each", " ms", middle(cpu), {}),
    ratioRow("… with etcd's Go client", " MB/s", middle(withGrpcGo), {}),
    ratioRow("… resident memory after ten of them", " MB", middle(resident), {}),
  ];
}

/** Megabytes per second. */
async function rangeAll(bench: Bench, server: Server, kind: "drain" | "range"): Promise<number> {
  const at = [`--endpoint=${server.endpoint}`, "--clients=1", "--conns=1", "--total=1"];
  const output = await capture(bench.tools.load, [kind, ...at]);
  const { bytes, p50, failed } = JSON.parse(output) as Record<string, number>;
  if (failed !== 0) throw new Error("a range failed");
  return bytes! / p50! / 1e6;
}

/** Many at once, and what they have in memory; stock is not asked: it would take 20 GB. */
async function measureParallelReads(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  await onCopies(bench, { keys: 100_000, rounds: 1, valueBytes: 1024 }, async (kind, dataDir) => {
    if (kind === "stock") return;
    process.stderr.write(`${PARALLEL} parallel ranges of 100 MB, ${kind} …\n`);
    const server = await startServer({ kind, programs: bench.programs, port: PORT, dataDir });
    const many = [`--clients=${PARALLEL}`, `--total=${PARALLEL}`, "--conns=1"];
    const args = ["drain", `--endpoint=${server.endpoint}`, ...many];
    const { failed } = JSON.parse(await capture(bench.tools.load, args)) as { failed: number };
    const metrics = await (await fetch(`http://${server.endpoint}/metrics`)).text();
    const gauge = (name: string): number =>
      Number(new RegExp(`^quorate_large_answer_${name}_bytes (\\S+)`, "m").exec(metrics)![1]);
    const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
    const ratio = gauge("peak") / gauge("limit");
    rows.push({
      name: `${PARALLEL} parallel ranges of 100 MB: peak of their memory to its budget`,
      stock: `budget ${megabytes(gauge("limit"))}`,
      ours: megabytes(gauge("peak")),
      ratio,
      promise: "≤ 1×",
      isKept: ratio <= 1 && failed === 0,
    });
    const resident = server.peakBytes();
    rows.push({
      name: "… peak of resident memory",
      stock: "",
      ours: megabytes(resident),
      ratio: Number.NaN,
      promise: "",
      isKept: true,
    });
    await server.stop();
  });
  return rows;
}

/** 1M keys: the start, and the count. */
async function measureMillion(bench: Bench): Promise<Row[]> {
  const started = none();
  const counted = none();
  await onCopies(bench, { keys: 1_000_000, rounds: 1, valueBytes: 64 }, async (kind, dataDir) => {
    process.stderr.write(`1M keys, ${kind} …\n`);
    for (let start = 0; start < STARTS; start++) {
      const server = await startServer({ kind, programs: bench.programs, port: PORT, dataDir });
      started[kind].push(server.startedAfterMs);
      if (start === STARTS - 1) {
        const at = [`--endpoint=${server.endpoint}`, "--clients=1", "--conns=1"];
        const args = ["count", ...at, `--total=${COUNTS}`];
        const { p50Ms } = await runLoad(server, {
          program: bench.tools.load,
          args,
          requests: COUNTS,
        });
        counted[kind].push(p50Ms);
      }
      await server.stop();
    }
  });
  const count = ratioRow("count of 1M keys", " ms", middle(counted), {});
  return [
    { ...count, promise: "≤ 1 ms", isKept: middle(counted)("ours") <= 1 },
    ratioRow("start-up with 1M keys", " ms", middle(started), { atMost: 1 }),
  ];
}

async function measureRevisions(bench: Bench): Promise<Row[]> {
  const started = none();
  await onCopies(bench, { keys: 100_000, rounds: 10, valueBytes: 64 }, async (kind, dataDir) => {
    process.stderr.write(`1M revisions of 100,000 keys, ${kind} …\n`);
    for (let start = 0; start < STARTS; start++) {
      const server = await startServer({ kind, programs: bench.programs, port: PORT, dataDir });
      started[kind].push(server.startedAfterMs);
      await server.stop();
    }
  });
  const name = "start-up with 1M revisions of 100,000 keys";
  return [ratioRow(name, " ms", middle(started), { atMost: 1 })];
}

/** 1 GB: by the command line on files, and by RPC. */
async function measureDefragmentation(bench: Bench): Promise<Row[]> {
  const offline = none();
  const online = none();
  const data = { keys: 950_000, rounds: 1, valueBytes: 1024 };
  await onCopies(bench, data, async (kind, dataDir) => {
    process.stderr.write(`defragmentation of 1 GB, ${kind} …\n`);
    const { programs } = bench;
    const program = kind === "stock" ? programs.stockEtcd : programs.oursEtcd;
    const etcdutl = join(dirname(program), "etcdutl");
    const beganMs = performance.now();
    const args = ["defrag", "--data-dir", join(dataDir, "data")];
    const { status, stderr } = spawnSync(etcdutl, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
    offline[kind].push(performance.now() - beganMs);
    const server = await startServer({ kind, programs, port: PORT, dataDir });
    const startedMs = performance.now();
    const answer = await fetch(`http://${server.endpoint}/v3/maintenance/defragment`, {
      method: "POST",
      body: "{}",
    });
    if (!answer.ok) throw new Error(await answer.text());
    online[kind].push(performance.now() - startedMs);
    await server.stop();
  });
  return [
    ratioRow("defragmentation of 1 GB, offline", " ms", middle(offline), { atMost: 1.2 }),
    ratioRow("defragmentation of 1 GB, online", " ms", middle(online), { atMost: 1.2 }),
  ];
}

export async function measureMaintenance(
  bench: Bench,
  wants: (group: string) => boolean,
): Promise<Row[]> {
  const reads = { reads: measureReads, "parallel-reads": measureParallelReads };
  const parts = { ...reads, million: measureMillion, revisions: measureRevisions };
  const all = { ...parts, defragmentation: measureDefragmentation };
  const rows: Row[] = [];
  for (const [name, measure] of Object.entries(all)) {
    if (wants("maintenance") || wants(name)) rows.push(...(await measure(bench)));
  }
  return rows;
}
