// Every recorded answer of etcd 3.7.3, against our programs in each combination that a user
// may have: all ours, our command line on a stock server, our server under the stock command line.
// Without a Go toolchain the reference programs are missing, and only the first is performed.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { extent } from "../extent.ts";
import { compareTranscripts, showDifference } from "./compare.ts";
import { choosePrograms } from "./programs.ts";
import { readKnown } from "./run.ts";
import { listTranscripts, performAll, readTranscript } from "./transcripts.ts";

const hasGo = spawnSync("go", ["version"]).status === 0;
const combinations = hasGo ? extent(["etcdctl,etcdutl", "", "etcd"], 1) : [""];

for (const stock of combinations) {
  const title = stock === "" ? "all programs ours" : `stock ${stock}`;
  test(`recorded answers: ${title}`, async () => {
    const { programs, ours } = choosePrograms(["--stock", stock]);
    const known = readKnown(ours);
    const faults: string[] = [];
    await performAll(listTranscripts(/./), programs, (name, actual) => {
      const found = compareTranscripts(name, readTranscript(name), actual, known);
      faults.push(...found.filter((one) => one.known === undefined).map(showDifference));
    });
    assert.equal(faults.join("\n\n"), "");
  });
}
