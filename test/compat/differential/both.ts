// Stock etcd and ours beside each other, each on an empty directory.
// QUORATE_DIFFERENTIAL_RUNS sets how many rounds, QUORATE_DIFFERENTIAL_SEED the first of their
// seeds: by default always the same, so that a change is judged by what it changes.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePorts, MemberProcess, OUR_ETCD } from "../member-process.ts";
import { stockBinaries } from "../stock-binaries.ts";

export interface Both {
  readonly stock: MemberProcess;
  readonly ours: MemberProcess;
  /** Notes a difference; false when there are enough of them. */
  readonly compare: (what: string, expected: string, actual: string) => boolean;
}

const RUNS = Number(process.env["QUORATE_DIFFERENTIAL_RUNS"] ?? 2);
const SEED = Number(process.env["QUORATE_DIFFERENTIAL_SEED"] ?? 1);
const TIMEOUT_MS = 120_000;
const FAULTS_MAX = 20;

/** A test for each seed. */
export function testBoth(what: string, round: (both: Both, seed: number) => Promise<void>): void {
  for (let seed = SEED; seed < SEED + RUNS; seed++) {
    test(`seed ${seed}: ${what}`, { timeout: TIMEOUT_MS }, async () => {
      const root = mkdtempSync(join(tmpdir(), "quorate-differential-"));
      const stock = await start(stockBinaries("3.7")["etcd"]!, join(root, "stock"), []);
      const ours = await start(OUR_ETCD, join(root, "ours"), ["--self-care=off"]);
      const faults: string[] = [];
      const compare = (input: string, expected: string, actual: string): boolean => {
        if (actual !== expected) faults.push(`${input}\n  etcd: ${expected}\n  ours: ${actual}`);
        return faults.length < FAULTS_MAX;
      };
      try {
        await round({ stock, ours, compare }, seed);
      } finally {
        await Promise.all([stock.stop(), ours.stop()]);
        rmSync(root, { recursive: true, force: true });
      }
      assert.equal(faults.join("\n"), "");
    });
  }
}

async function start(program: string, dataDir: string, flags: string[]): Promise<MemberProcess> {
  return MemberProcess.start(program, dataDir, await freePorts(), flags);
}
