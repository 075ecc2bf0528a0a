// The whole table of flags: each one is there; a value that etcd takes lets a member run, or is
// refused with a sentence that says that its feature comes later; a value that etcd refuses is
// refused with the same exit code and the same words.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { FLAG_CASES, type FlagCase } from "./flags/table.ts";
import { type Fate, tryFlags } from "./flags/try-flags.ts";
import { OUR_ETCD } from "./member-process.ts";
import { stockBinaries } from "./stock-binaries.ts";

const root = mkdtempSync(join(tmpdir(), "quorate-flags-"));
let stock: string;
before(() => {
  stock = stockBinaries("3.7")["etcd"]!;
});
after(() => rmSync(root, { recursive: true, force: true }));

const LATER = /is not supported in this version: /;

function show(fate: Fate): string {
  return fate.runs ? "runs" : `exit ${fate.exit}: ${fate.error}`;
}

test("every flag of etcd's help is in the table", () => {
  const help = spawnSync(stock, ["--help"], { encoding: "utf8" }).stdout;
  const names = [...help.matchAll(/^ {2}--([a-z0-9-]+)/gm)].map((match) => match[1]!);
  const inTable = new Set(FLAG_CASES.map(({ name }) => name));
  // These two are in the help only: etcd does not know them any more.
  const others = ["version", "discovery", "discovery-proxy"];
  const missing = names.filter((name) => !inTable.has(name) && !others.includes(name));
  assert.deepEqual(missing, []);
  assert.ok(names.length > 100, `${names.length} flags`);
});

async function differences(
  cases: readonly (readonly string[])[],
  compare: (ours: Fate, theirs: Fate) => boolean,
): Promise<string[]> {
  const found: string[] = [];
  for (const flags of cases) {
    const theirs = await tryFlags(stock, root, flags);
    const ours = await tryFlags(OUR_ETCD, root, flags);
    if (!compare(ours, theirs)) {
      found.push(`${flags.join(" ")}\n  etcd ${show(theirs)}\n  ours ${show(ours)}`);
    }
  }
  return found;
}

test("values that etcd takes", { timeout: 600_000 }, async () => {
  const plain = FLAG_CASES.filter((one) => one.isLater !== true).map(({ good }) => good);
  const both = await differences(plain, (ours, theirs) => ours.runs && theirs.runs);
  assert.equal(both.join("\n"), "");
});

test("values of features that come later", { timeout: 600_000 }, async () => {
  const later = FLAG_CASES.filter((one) => one.isLater === true).map(({ good }) => good);
  const found: string[] = [];
  for (const flags of later) {
    const ours = await tryFlags(OUR_ETCD, root, flags);
    if (ours.runs || ours.exit !== 1 || !LATER.test(ours.error)) {
      found.push(`${flags.join(" ")}: ${show(ours)}`);
    }
  }
  assert.equal(found.join("\n"), "");
});

/** Where Go panics, with a trace and exit code 2, we say the same in a line. */
function withoutPanic(fate: Fate): string {
  return show(fate).replace("exit 2: panic: ", "exit 1: ");
}

test("values that etcd refuses", { timeout: 600_000 }, async () => {
  const bad = FLAG_CASES.flatMap(({ name, bad }: FlagCase) =>
    bad === undefined ? [] : [[`--${name}=${bad}`]],
  );
  const found = await differences(bad, (ours, theirs) => show(ours) === withoutPanic(theirs));
  assert.equal(found.join("\n"), "");
});
