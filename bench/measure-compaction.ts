// Latency of puts while 1,000,000 revisions are compacted, against the same server idle: the median
// p99 of spans of five seconds, from the beginning of the compaction to its end.

import { capture, median, runLoad } from "./loads.ts";
import { type Bench, type Row, ratioRow, toIdleRow } from "./run.ts";
import { type Kind, startServer } from "./servers.ts";

const PORT = 25090;
const KEYS = 100_000;
const ROUNDS = 10;
const SECONDS = 5;
const IDLE_SPANS = 3;

export async function measureCompaction(bench: Bench): Promise<Row[]> {
  const idle = { stock: 0, ours: 0 };
  const busy = { stock: 0, ours: 0 };
  for (const kind of ["stock", "ours"] as const satisfies Kind[]) {
    process.stderr.write(`compaction of ${KEYS * ROUNDS} revisions, ${kind} …\n`);
    const server = await startServer({ kind, programs: bench.programs, port: PORT });
    const at = `--endpoint=${server.endpoint}`;
    await capture(bench.tools.load, ["fill", at, `--keys=${KEYS}`, `--rounds=${ROUNDS}`]);
    const puts = {
      program: bench.tools.load,
      args: ["put", at, "--clients=10", "--conns=10", `--keys=${KEYS}`, `--seconds=${SECONDS}`],
      requests: 0,
    };
    const p99Ms = async (): Promise<number> => (await runLoad(server, puts)).p99Ms;
    await p99Ms();
    const idleSpans: number[] = [];
    while (idleSpans.length < IDLE_SPANS) idleSpans.push(await p99Ms());
    idle[kind] = median(idleSpans);
    let isOver = false;
    const compacted = fetch(`http://${server.endpoint}/v3/kv/compaction`, {
      method: "POST",
      body: JSON.stringify({ revision: await currentRevision(server.endpoint), physical: true }),
    }).finally(() => {
      isOver = true;
    });
    const busySpans: number[] = [];
    while (!isOver) busySpans.push(await p99Ms());
    // In the last one it ended.
    if (busySpans.length > 1) busySpans.pop();
    busy[kind] = median(busySpans);
    if (!(await compacted).ok) throw new Error("the compaction failed");
    await server.stop();
  }
  return [
    ratioRow("put p99 during compaction of 1M revisions", " ms", (kind) => busy[kind], {}),
    toIdleRow(idle, busy, 2),
  ];
}

async function currentRevision(endpoint: string): Promise<string> {
  const answer = await fetch(`http://${endpoint}/v3/maintenance/status`, {
    method: "POST",
    body: "{}",
  });
  const status = (await answer.json()) as { header: { revision: string } };
  return status.header.revision;
}
