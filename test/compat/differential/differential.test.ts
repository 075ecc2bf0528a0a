// Two servers, the same random calls one after the other: the same answers to the byte, the same
// errors, and in the end the same history for a watcher. The judge is etcd itself.
// QUORATE_DIFFERENTIAL_RUNS sets how many histories of CALLS calls, QUORATE_DIFFERENTIAL_SEED the
// first of their seeds.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { freePorts, MemberProcess, OUR_ETCD } from "../member-process.ts";
import { stockBinaries } from "../stock-binaries.ts";
import { ask } from "./answers.ts";
import { history } from "./history.ts";
import { type Call, calls } from "./requests.ts";

const RUNS = Number(process.env["QUORATE_DIFFERENTIAL_RUNS"] ?? 2);
const SEED = Number(process.env["QUORATE_DIFFERENTIAL_SEED"] ?? Date.now() % 1_000_000);
const CALLS = 1500;
const FAULTS_MAX = 20;
const root = mkdtempSync(join(tmpdir(), "quorate-differential-"));
after(() => rmSync(root, { recursive: true, force: true }));

function show({ path, message }: Call): string {
  return `${path} ${Buffer.from(message).toString("hex")}`;
}

for (let run = 0; run < RUNS; run++) {
  const seed = SEED + run;
  test(`seed ${seed}: ${CALLS} calls, the same answers`, { timeout: 120_000 }, async () => {
    const stock = await start(stockBinaries("3.7")["etcd"]!, `stock-${seed}`, []);
    const ours = await start(OUR_ETCD, `ours-${seed}`, ["--self-care=off"]);
    const faults: string[] = [];
    for (const one of fc.sample(calls, { seed, numRuns: CALLS })) {
      const expected = await ask(stock.client.caller, one);
      const actual = await ask(ours.client.caller, one);
      if (actual !== expected) faults.push(`${show(one)}\n  etcd: ${expected}\n  ours: ${actual}`);
      if (faults.length === FAULTS_MAX) break;
    }
    assert.equal(faults.join("\n"), "");
    assert.deepEqual(await history(ours.client), await history(stock.client));
    await Promise.all([stock.stop(), ours.stop()]);
  });
}

async function start(program: string, name: string, flags: string[]): Promise<MemberProcess> {
  return MemberProcess.start(program, join(root, name), await freePorts(), flags);
}
