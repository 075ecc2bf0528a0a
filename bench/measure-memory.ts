// Memory and start-up with 1,000,000 keys of 64 bytes.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { capture } from "./loads.ts";
import { type Bench, type Row, ratioRow } from "./run.ts";
import { type Kind, startServer } from "./servers.ts";

const KEYS = 1_000_000;
const PORT = 24990;

export async function measureMemory(bench: Bench): Promise<Row[]> {
  const resident = { stock: 0, ours: 0 };
  const started = { stock: 0, ours: 0 };
  for (const kind of ["stock", "ours"] as const satisfies Kind[]) {
    process.stderr.write(`memory with ${KEYS} keys, ${kind} …\n`);
    const dataDir = mkdtempSync(join(tmpdir(), "quorate-bench-memory-"));
    const options = { kind, programs: bench.programs, port: PORT, dataDir };
    const first = await startServer(options);
    await capture(bench.tools.load, [
      ...["fill", `--endpoint=${first.endpoint}`, `--keys=${KEYS}`, "--val-size=64"],
      ...["--clients=10", "--conns=10"],
    ]);
    await first.stop();
    const second = await startServer(options);
    started[kind] = second.startedAfterMs;
    resident[kind] = second.memoryBytes().resident;
    await second.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
  return [
    ratioRow("resident memory, 1M keys of 64 B", " MB", (kind) => resident[kind] / 1e6, {
      atMost: 1.3,
    }),
    ratioRow("start-up on that data", " ms", (kind) => started[kind], { atMost: 1.5 }),
  ];
}
