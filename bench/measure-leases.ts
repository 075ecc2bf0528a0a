// Latency of puts while 10,000 leases of ten keys each end together, against the same server before
// that.

import { capture } from "./loads.ts";
import { type Bench, type Row, ratioRow } from "./run.ts";
import { type Kind, startServer } from "./servers.ts";

const PORT = 25290;
const LEASES = 10_000;
const TTL_SECONDS = 20;

interface Measured {
  readonly before: number;
  readonly meanwhile: number;
  readonly took: number;
}

export async function measureLeases(bench: Bench): Promise<Row[]> {
  const measured = {} as Record<Kind, Measured>;
  for (const kind of ["stock", "ours"] as const) {
    process.stderr.write(`${LEASES} leases that end together, ${kind} …\n`);
    const server = await startServer({ kind, programs: bench.programs, port: PORT });
    const shape = [`--total=${LEASES}`, `--ttl=${TTL_SECONDS}`, "--conns=10", "--val-size=64"];
    const args = ["expire", `--endpoint=${server.endpoint}`, ...shape];
    measured[kind] = JSON.parse(await capture(bench.tools.load, args)) as Measured;
    await server.stop();
  }
  const increase = (kind: Kind): number => measured[kind].meanwhile / measured[kind].before;
  return [
    ratioRow(
      "put p99 while 10,000 leases of 10 keys end",
      " ms",
      (kind) => measured[kind].meanwhile * 1000,
      {},
    ),
    {
      name: "… to p99 before (stock: left, ours: right)",
      stock: `${increase("stock").toFixed(2)}×`,
      ours: `${increase("ours").toFixed(2)}×`,
      ratio: increase("ours"),
      promise: "≤ 3×",
      isKept: increase("ours") <= 3,
    },
    ratioRow("… until all keys are gone", " s", (kind) => measured[kind].took, {}),
  ];
}
