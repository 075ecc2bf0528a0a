// What a million free pages cost: the start, which has to find them, and puts, whose commits take
// from them and give back. Once for each kind of freelist that both servers know.

import { join } from "node:path";
import { median, runLoad } from "./loads.ts";
import { onCopies } from "./measure-maintenance.ts";
import { type Bench, type Row, ratioRow } from "./run.ts";
import { put } from "./scenarios.ts";
import { type Kind, startServer } from "./servers.ts";
import { spreadPages } from "./spread-pages.ts";

const PORT = 25790;
/** Some 20,000 pages of records, in one million. */
const DATA = { keys: 100_000, rounds: 1, valueBytes: 512 };
const STRIDE = 64;
const PUTS = 40_000;
const TYPES = ["map", "array"] as const;

export async function measureFreelist(bench: Bench): Promise<Row[]> {
  const none = (): Record<Kind, number[]> => ({ stock: [], ours: [] });
  const started = { map: none(), array: none() };
  const rates = { map: none(), array: none() };
  let freeCount = 0;
  await onCopies(bench, DATA, async (kind, dataDir) => {
    freeCount = spreadPages(join(dataDir, "data/member/snap/db"), STRIDE);
    for (const type of TYPES) {
      process.stderr.write(`${freeCount} free pages in a ${type}, ${kind} …\n`);
      const flags = ["--backend-bbolt-freelist-type", type, "--quota-backend-bytes=-1"];
      const server = await startServer({
        ...{ kind, programs: bench.programs, port: PORT, dataDir },
        flags: kind === "ours" ? [...flags, "--self-care=off"] : flags,
      });
      started[type][kind].push(server.startedAfterMs);
      const load = put(bench.tools, server.endpoint, 100, 10, PUTS);
      await runLoad(server, load);
      rates[type][kind].push((await runLoad(server, load)).requestsPerSecond);
      await server.stop();
    }
  });
  const millions = (freeCount / 1e6).toFixed(1);
  return TYPES.flatMap((type) => {
    const name = `${millions}M free pages, freelist a ${type}`;
    return [
      ratioRow(`start-up with ${name}`, " ms", (kind) => median(started[type][kind]), {}),
      ratioRow(`put, 100 clients, with ${name}`, "/s", (kind) => median(rates[type][kind]), {}),
    ];
  });
}
