// Watchers that cost without getting anything: one that is 500,000 revisions behind, and 100,000
// that wait for keys that nobody writes.

import { type Helper, median, runLoad, startHelper } from "./loads.ts";
import { type Bench, type Row, ratioRow } from "./run.ts";
import { put } from "./scenarios.ts";
import { type Server, startServer } from "./servers.ts";

const PORT = 25390;
const REVISIONS = 500_000;
const SECONDS = 5;
const IDLE = 100_000;
const STREAMS = 1_000;

/** Servers give memory back some time after they needed it. */
const SETTLE_MS = 10_000;

export async function measureWatch(bench: Bench): Promise<Row[]> {
  return [...(await measureBehind(bench)), ...(await measureIdle(bench))];
}

async function measureBehind(bench: Bench): Promise<Row[]> {
  const without = { stock: 0, ours: 0 };
  const behind = { stock: 0, ours: 0 };
  for (const kind of ["stock", "ours"] as const) {
    process.stderr.write(`puts with a watcher ${REVISIONS} revisions behind, ${kind} …\n`);
    const server = await startServer({ kind, programs: bench.programs, port: PORT });
    await runLoad(server, put(bench.tools, server.endpoint, 1000, 100, REVISIONS));
    const rates: Record<"without" | "behind", number[]> = { without: [], behind: [] };
    // For a time, not a number: how much slower it gets is the question.
    const args = ["put", `--endpoint=${server.endpoint}`, `--seconds=${SECONDS}`];
    const puts = { program: bench.tools.load, args, requests: 0 };
    const rate = async (): Promise<number> => (await runLoad(server, puts)).requestsPerSecond;
    for (let round = 0; round < bench.rounds; round++) {
      rates.without.push(await rate());
      const watcher = await startHelper(bench.tools.load, [
        ...["behind", `--endpoint=${server.endpoint}`, "--conns=1"],
      ]);
      rates.behind.push(await rate());
      const left = Number(await watcher.end());
      if (left < REVISIONS / 2) throw new Error(`the watcher is only ${left} revisions behind`);
    }
    await server.stop();
    without[kind] = median(rates.without);
    behind[kind] = median(rates.behind);
  }
  const ratio = behind.ours / without.ours;
  return [
    ratioRow("put, a watcher 500,000 revisions behind", "/s", (kind) => behind[kind], {}),
    {
      name: "… to without it (stock: left, ours: right)",
      stock: `${(behind.stock / without.stock).toFixed(2)}×`,
      ours: `${ratio.toFixed(2)}×`,
      ratio,
      promise: "≥ 0.95×",
      isKept: ratio >= 0.95,
    },
  ];
}

async function measureIdle(bench: Bench): Promise<Row[]> {
  const resident = { stock: 0, ours: 0 };
  for (const kind of ["stock", "ours"] as const) {
    process.stderr.write(`${IDLE} idle watchers, ${kind} …\n`);
    const server = await startServer({ kind, programs: bench.programs, port: PORT });
    const helper = await openIdle(bench, server);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    resident[kind] = server.memoryBytes().resident;
    await helper.end();
    await server.stop();
  }
  const name = "resident memory, 100,000 idle watchers on 1,000 streams";
  return [ratioRow(name, " MB", (kind) => resident[kind] / 1e6, { atMost: 1 })];
}

function openIdle(bench: Bench, server: Server): Promise<Helper> {
  // etcd allows any number of streams on a connection, its client's default is a hundred.
  const shape = [`--streams=${STREAMS}`, `--total=${IDLE}`, "--conns=10"];
  return startHelper(bench.tools.load, ["idle", `--endpoint=${server.endpoint}`, ...shape]);
}
