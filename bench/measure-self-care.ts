// What looking after itself costs and spares: the account of a put, and what puts feel while 1 GB
// is defragmented. The account's cost is measured inside one process, with and without it in turn,
// and set against what a put costs the server altogether: a difference of two servers of some
// percent would be lost in the noise.

import { accountingMicros } from "./accounting-cost.ts";
import { capture, median, runLoad } from "./loads.ts";
import { onCopies } from "./measure-maintenance.ts";
import { type Bench, type Row, ratioRow, toIdleRow } from "./run.ts";
import { type Kind, startServer } from "./servers.ts";

const PORT = 25690;
const PUTS = 100_000;
const KEYS = 20_000;
const WARM_UP_SECONDS = 2;
/** Longer than stock needs for a defragmentation of 1 GB; again while ours goes on. */
const PUT_SECONDS = 12;
const COST_MAX = 0.03;
const LONGEST_MAX_MS = 50;

export async function measureSelfCare(bench: Bench): Promise<Row[]> {
  return [await accountingRow(bench), ...(await defragmentationRows(bench))];
}

async function accountingRow(bench: Bench): Promise<Row> {
  process.stderr.write("accounting …\n");
  const accountMicros = accountingMicros();
  const server = await startServer({ kind: "ours", programs: bench.programs, port: PORT });
  const load = {
    program: bench.tools.benchmark,
    args: [
      ...["--precise", `--endpoints=${server.endpoint}`, "put", "--clients=100", "--conns=10"],
      ...[`--total=${PUTS}`, "--key-size=8", "--val-size=256", `--key-space-size=${KEYS}`],
    ],
    requests: PUTS,
  };
  await runLoad(server, load);
  const { cpuMicros } = await runLoad(server, load);
  await server.stop();
  const ratio = accountMicros / cpuMicros;
  return {
    name: "accounting, CPU of a put (left: all of it)",
    stock: `${cpuMicros.toFixed(1)} µs`,
    ours: `${accountMicros.toFixed(3)} µs`,
    ratio,
    promise: `≤ ${COST_MAX}×`,
    isKept: ratio <= COST_MAX,
  };
}

async function defragmentationRows(bench: Bench): Promise<Row[]> {
  const longest = { stock: 0, ours: 0 };
  const longestIdle = { stock: 0, ours: 0 };
  const p99 = { idle: { stock: 0, ours: 0 }, busy: { stock: 0, ours: 0 } };
  const data = { keys: 950_000, rounds: 1, valueBytes: 1024 };
  await onCopies(bench, data, async (kind: Kind, dataDir) => {
    process.stderr.write(`puts while 1 GB is defragmented, ${kind} …\n`);
    const server = await startServer({ kind, programs: bench.programs, port: PORT, dataDir });
    await put(bench, server.endpoint, WARM_UP_SECONDS);
    const idle = await put(bench, server.endpoint, PUT_SECONDS);
    p99.idle[kind] = idle.p99Ms;
    longestIdle[kind] = idle.maxMs;
    let isDone = false;
    const defragmented = fetch(`http://${server.endpoint}/v3/maintenance/defragment`, {
      method: "POST",
      body: "{}",
    }).finally(() => {
      isDone = true;
    });
    // To its end: the last moment is the dangerous one.
    const spans: number[] = [];
    while (!isDone) {
      const during = await put(bench, server.endpoint, PUT_SECONDS);
      if (kind === "ours" && during.failed > 0) throw new Error(`${during.failed} puts failed`);
      spans.push(during.p99Ms);
      longest[kind] = Math.max(longest[kind], during.maxMs);
    }
    if (!(await defragmented).ok) throw new Error("the defragmentation failed");
    p99.busy[kind] = median(spans);
    await server.stop();
  });
  const row = ratioRow(
    "longest put while 1 GB is defragmented",
    " ms",
    (kind) => longest[kind],
    {},
  );
  return [
    {
      ...row,
      promise: `≤ ${LONGEST_MAX_MS} ms`,
      isKept: longest.ours <= LONGEST_MAX_MS,
    },
    ratioRow("… longest put of as long without", " ms", (kind) => longestIdle[kind], {}),
    ratioRow("… put p99 meanwhile", " ms", (kind) => p99.busy[kind], {}),
    toIdleRow(p99.idle, p99.busy, 2),
  ];
}

/** Ten clients, one after the other's answer. Stock's puts may fail while it stands still. */
async function put(
  bench: Bench,
  endpoint: string,
  seconds: number,
): Promise<{ p99Ms: number; maxMs: number; failed: number }> {
  const shape = ["--clients=10", "--conns=10", "--keys=1000", `--seconds=${seconds}`];
  const output = await capture(bench.tools.load, ["put", `--endpoint=${endpoint}`, ...shape]);
  const line = JSON.parse(output) as Record<string, number>;
  return { p99Ms: line["p99"]! * 1000, maxMs: line["max"]! * 1000, failed: line["failed"]! };
}
