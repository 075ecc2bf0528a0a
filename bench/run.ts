// `npm run bench [-- GROUP ...] [--rounds N]`: builds the stock programs, runs both servers in turn
// under the same loads on this machine, prints one table of ratios and keeps it in bench/results/.
// Groups: put txn range tls watch lease memory compaction self-care, cluster, of which catch-up is
// a part, and maintenance, which is reads parallel-reads million revisions defragmentation freelist
// compaction. Ratios of one run compare; absolute figures of two machines, or of two days, do not.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { median, type Result, runLoad } from "./loads.ts";
import { measureCatchUp, measureCluster } from "./measure-cluster.ts";
import { measureCompaction } from "./measure-compaction.ts";
import { measureFreelist } from "./measure-freelist.ts";
import { measureLeases } from "./measure-leases.ts";
import { measureMaintenance } from "./measure-maintenance.ts";
import { measureMemory } from "./measure-memory.ts";
import { measureSelfCare } from "./measure-self-care.ts";
import { measureWatch } from "./measure-watch.ts";
import { SCENARIOS, type Scenario, type Tools } from "./scenarios.ts";
import { type Kind, makeCertificate, type Programs, startServer } from "./servers.ts";

/** One line of the table; `ratio` is ours to stock. */
export interface Row {
  readonly name: string;
  readonly stock: string;
  readonly ours: string;
  readonly ratio: number;
  readonly promise: string;
  readonly isKept: boolean;
}

export interface Bench {
  readonly programs: Programs;
  readonly tools: Tools;
  readonly rounds: number;
}

const PORT: Record<Kind, number> = { stock: 24790, ours: 24890 };
const root = execFileSync("git", ["rev-parse", "--show-toplevel"]).toString().trim();

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const roundsAt = args.indexOf("--rounds");
  const rounds = roundsAt < 0 ? 3 : Number(args.splice(roundsAt, 2)[1]);
  const wants = (group: string): boolean => args.length === 0 || args.includes(group);
  const directory = mkdtempSync(join(tmpdir(), "quorate-bench-"));
  const certificate = makeCertificate(directory);
  const bench: Bench = { ...(await tools(directory)), rounds };
  const rows: Row[] = [];
  for (const scenario of SCENARIOS.filter(({ group }) => wants(group))) {
    process.stderr.write(`${scenario.name} …\n`);
    rows.push(...(await compare(bench, scenario, certificate)));
  }
  if (wants("cluster")) rows.push(...(await measureCluster(bench)));
  if (wants("cluster") || wants("catch-up")) rows.push(...(await measureCatchUp(bench)));
  if (wants("watch")) rows.push(...(await measureWatch(bench)));
  if (wants("lease")) rows.push(...(await measureLeases(bench)));
  if (wants("self-care")) rows.push(...(await measureSelfCare(bench)));
  if (wants("memory")) rows.push(...(await measureMemory(bench)));
  if (wants("compaction") || wants("maintenance")) rows.push(...(await measureCompaction(bench)));
  rows.push(...(await measureMaintenance(bench, wants)));
  if (wants("maintenance") || wants("freelist")) rows.push(...(await measureFreelist(bench)));
  rmSync(directory, { recursive: true, force: true });
  if (rows.length === 0) throw new Error(`no group is called ${args.join(" or ")}`);
  const text = render(rows);
  process.stdout.write(text);
  mkdirSync(join(root, "bench", "results"), { recursive: true });
  const day = new Date().toISOString().slice(0, 16).replace(":", "");
  writeFileSync(join(root, "bench", "results", `${day}.md`), text);
}

async function tools(directory: string): Promise<{ programs: Programs; tools: Tools }> {
  const stock = (await import(pathToFileURL(join(root, "scripts", "stock.mjs")).href)) as {
    buildStock(set: string): Record<string, string>;
  };
  const load = join(directory, "load");
  execFileSync("go", ["build", "-o", load, "."], { cwd: join(root, "bench", "load") });
  return {
    programs: {
      stockEtcd: stock.buildStock("3.7")["etcd"]!,
      oursEtcd: join(root, "bin", "etcd"),
    },
    tools: { benchmark: stock.buildStock("benchmark")["benchmark"]!, load, tlsFlags: [] },
  };
}

/** Both servers in turn, round by round, so that a drifting machine meets both. */
async function compare(
  bench: Bench,
  scenario: Scenario,
  certificate: { certFile: string; keyFile: string },
): Promise<Row[]> {
  const results: Record<Kind, Result[]> = { stock: [], ours: [] };
  const withTls = scenario.isTls ? { tls: certificate } : {};
  const tlsFlags = scenario.isTls ? ["--cacert", certificate.certFile] : [];
  const tools: Tools = { ...bench.tools, tlsFlags };
  for (let round = 0; round < bench.rounds; round++) {
    for (const kind of ["stock", "ours"] as const) {
      const { programs } = bench;
      const server = await startServer({ kind, programs, port: PORT[kind], ...withTls });
      const endpoint = scenario.isTls ? `https://${server.endpoint}` : server.endpoint;
      for (const load of scenario.warmUp(tools, endpoint)) await runLoad(server, load);
      const load = scenario.load(tools, endpoint, scenario.requests[kind]);
      results[kind].push(await runLoad(server, load));
      await server.stop();
    }
  }
  return rowsOf(scenario, results);
}

function rowsOf(scenario: Scenario, results: Record<Kind, Result[]>): Row[] {
  const middle = (kind: Kind, of: (result: Result) => number): number =>
    median(results[kind].map(of));
  const promised = (atLeast?: number, atMost?: number): { atLeast?: number; atMost?: number } => ({
    ...(atLeast === undefined ? {} : { atLeast }),
    ...(atMost === undefined ? {} : { atMost }),
  });
  const rows: Row[] = [];
  if (scenario.p99AtMost === undefined) {
    const rate = (kind: Kind): number => middle(kind, (r) => r.requestsPerSecond);
    rows.push(ratioRow(scenario.name, "/s", rate, promised(scenario.rateAtLeast)));
  }
  if (scenario.cpuAtMost !== undefined) {
    const cpu = (kind: Kind): number => middle(kind, (r) => r.cpuMicros);
    rows.push(ratioRow("… server CPU each", " µs", cpu, promised(undefined, scenario.cpuAtMost)));
  }
  const name = scenario.p99AtMost === undefined ? "… p99" : `${scenario.name}: p99`;
  const p99 = (kind: Kind): number => middle(kind, (r) => r.p99Ms);
  rows.push(ratioRow(name, " ms", p99, promised(undefined, scenario.p99AtMost)));
  return rows;
}

export function ratioRow(
  name: string,
  unit: string,
  value: (kind: Kind) => number,
  promise: { readonly atLeast?: number; readonly atMost?: number },
): Row {
  const stock = value("stock");
  const ours = value("ours");
  const ratio = ours / stock;
  const digits = (figure: number): string =>
    figure >= 100 ? Math.round(figure).toLocaleString("en") : figure.toPrecision(3);
  const { atLeast, atMost } = promise;
  return {
    name,
    stock: digits(stock) + unit,
    ours: digits(ours) + unit,
    ratio,
    promise: atLeast !== undefined ? `≥ ${atLeast}×` : atMost !== undefined ? `≤ ${atMost}×` : "",
    isKept: ratio >= (atLeast ?? 0) && ratio <= (atMost ?? Number.POSITIVE_INFINITY),
  };
}

/** What is felt of something that goes on: p99 meanwhile to p99 idle, each server to itself. */
export function toIdleRow(
  idle: Readonly<Record<Kind, number>>,
  busy: Readonly<Record<Kind, number>>,
  atMost: number,
): Row {
  const ratio = busy.ours / idle.ours;
  return {
    name: "… to idle p99 (stock: left, ours: right)",
    stock: `${(busy.stock / idle.stock).toFixed(2)}×`,
    ours: `${ratio.toFixed(2)}×`,
    ratio,
    promise: `≤ ${atMost}×`,
    isKept: ratio <= atMost,
  };
}

function render(rows: readonly Row[]): string {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"]).toString().trim();
  const machine = `${cpus().length} cores ${cpus()[0]!.model.trim()}`;
  const lines = [
    `Quorate ${commit} against stock etcd 3.7.3, Node ${process.version}, ${machine}, ` +
      `${Math.round(totalmem() / 2 ** 30)} GiB`,
    "",
    "| | stock | ours | ratio | promised | |",
    "|---|--:|--:|--:|--:|---|",
    ...rows.map(
      (row) =>
        `| ${row.name} | ${row.stock} | ${row.ours} | ${row.ratio.toFixed(2)}× | ${row.promise} | ` +
        `${row.promise === "" ? "" : row.isKept ? "kept" : "**missed**"} |`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

await main();
