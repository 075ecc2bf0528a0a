// What looking after itself costs and spares: the account of a put, and what puts feel while 1 GB
// is defragmented. The account's cost is measured inside one process, with and without it in turn,
// and set against what a put costs the server altogether: a difference of two servers of some
// percent would be lost in the noise.

import { WriteKind, Writers } from "../src/server/care/writers.ts";
import { SpaceAccount } from "../src/state/accounting/space-account.ts";
import { KeyIndex } from "../src/state/mvcc/key-index.ts";
import { Mvcc } from "../src/state/mvcc/mvcc.ts";
import { Origin } from "../src/wire/rpc.ts";
import { MemoryStore } from "../test/model/memory-store.ts";
import { median, runLoad } from "./loads.ts";
import { onCopies } from "./measure-maintenance.ts";
import { type Bench, type Row, ratioRow } from "./run.ts";
import { type Kind, startServer } from "./servers.ts";

const PORT = 25690;
const PUTS = 100_000;
const KEYS = 20_000;
const ROUNDS = 9;
const PUT_SECONDS = 5;
const COST_MAX = 0.03;
const LONGEST_MAX_MS = 50;

/** Takes the place of the account: it does nothing. */
class NoAccount extends SpaceAccount {
  override added(): void {}
  override put(): void {}
}

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

/** Of one put that changes a key three directories deep, and of noting who made it. */
function accountingMicros(): number {
  const differences: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const without = putMicros(new NoAccount(), undefined);
    differences.push(putMicros(new SpaceAccount(), new Writers()) - without);
  }
  return Math.max(0, median(differences));
}

function putMicros(space: SpaceAccount, writers: Writers | undefined): number {
  const leases = { isAnyAttached: false, attach() {}, detach() {} };
  const index = new KeyIndex(1);
  const mvcc = new Mvcc({ records: new MemoryStore(), leases, index, onChanges() {} });
  mvcc.space = space;
  const value = new Uint8Array(256);
  const keys = Array.from({ length: KEYS }, (_, at) => {
    return Buffer.from(`/registry/pods/ns-${at % 50}/pod-${at}`);
  });
  const origin = new Origin("10.0.0.1:50312", "", "bench");
  const putAll = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const key = keys[(i * 7919) % KEYS]!;
      writers?.note(origin, WriteKind.Put, 300, i);
      mvcc.begin();
      mvcc.put(key, 0, key.length, value, 0, value.length, 0n);
      mvcc.end();
    }
  };
  putAll(KEYS);
  const beganMs = performance.now();
  putAll(PUTS);
  return ((performance.now() - beganMs) * 1000) / PUTS;
}

async function defragmentationRows(bench: Bench): Promise<Row[]> {
  const longest = { stock: 0, ours: 0 };
  const p99 = { idle: { stock: 0, ours: 0 }, busy: { stock: 0, ours: 0 } };
  const data = { keys: 950_000, rounds: 1, valueBytes: 1024 };
  await onCopies(bench, data, async (kind: Kind, dataDir) => {
    process.stderr.write(`puts while 1 GB is defragmented, ${kind} …\n`);
    const server = await startServer({ kind, programs: bench.programs, port: PORT, dataDir });
    const puts = (seconds: number) => ({
      program: bench.tools.load,
      args: [
        ...["put", `--endpoint=${server.endpoint}`, "--clients=10", "--conns=10"],
        ...["--keys=1000", `--seconds=${seconds}`],
      ],
      requests: 0,
    });
    await runLoad(server, puts(2));
    p99.idle[kind] = (await runLoad(server, puts(PUT_SECONDS))).p99Ms;
    const defragmented = fetch(`http://${server.endpoint}/v3/maintenance/defragment`, {
      method: "POST",
      body: "{}",
    });
    const during = await runLoad(server, puts(PUT_SECONDS));
    if (!(await defragmented).ok) throw new Error("the defragmentation failed");
    p99.busy[kind] = during.p99Ms;
    longest[kind] = during.maxMs;
    await server.stop();
  });
  const row = ratioRow(
    "longest put while 1 GB is defragmented",
    " ms",
    (kind) => longest[kind],
    {},
  );
  const toIdle = p99.busy.ours / p99.idle.ours;
  return [
    {
      ...row,
      promise: `≤ ${LONGEST_MAX_MS} ms`,
      isKept: longest.ours <= LONGEST_MAX_MS,
    },
    ratioRow("… put p99 meanwhile", " ms", (kind) => p99.busy[kind], {}),
    {
      name: "… to idle p99 (stock: left, ours: right)",
      stock: `${(p99.busy.stock / p99.idle.stock).toFixed(2)}×`,
      ours: `${toIdle.toFixed(2)}×`,
      ratio: toIdle,
      promise: "≤ 2×",
      isKept: toIdle <= 2,
    },
  ];
}
