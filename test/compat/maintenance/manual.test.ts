// The maintenance manual with stock command lines against us and with ours against us: what a
// shell shows is what it shows with stock etcd, but for numbers.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { bytes } from "../../../src/client/bytes.ts";
import { findRoot } from "../../tidy/source-file.ts";
import { freePorts, MemberProcess, OUR_ETCD } from "../member-process.ts";
import { stockPrograms } from "../stock-etcd.ts";

const QUOTA = ["--quota-backend-bytes", String(16 * 1024 * 1024)];
const root = mkdtempSync(join(tmpdir(), "quorate-manual-"));
after(() => rmSync(root, { recursive: true, force: true }));

const ours = dirname(OUR_ETCD);

/** Runs the manual; `tools` is where etcdctl and etcdutl are. */
async function run(name: string, etcd: string, tools: string): Promise<string> {
  const directory = join(root, name);
  mkdirSync(directory);
  const dataDir = join(directory, "data");
  // With self-care the quota is not reached: it compacts before.
  const flags = etcd === OUR_ETCD ? [...QUOTA, "--self-care=off"] : QUOTA;
  const member = await MemberProcess.start(etcd, dataDir, await freePorts(), flags);
  const bin = join(directory, "bin");
  mkdirSync(bin);
  for (const tool of ["etcdctl", "etcdutl"]) symlinkSync(join(tools, tool), join(bin, tool));
  const script = readFileSync(
    join(findRoot(), "test", "compat", "maintenance", "manual.sh"),
    "utf8",
  );
  try {
    const { stdout, stderr, status } = spawnSync("bash", ["-c", script], {
      cwd: directory,
      encoding: "utf8",
      env: { PATH: `${bin}:${process.env["PATH"]}`, ETCDCTL_ENDPOINTS: member.endpoint },
    });
    assert.equal(status, 0, stderr);
    await checkRestored(etcd, join(directory, "restored"));
    return normalised(stdout);
  } finally {
    await member.stop();
  }
}

/** What was restored starts, and has the keys at higher revisions. */
async function checkRestored(etcd: string, dataDir: string): Promise<void> {
  const flags = ["--force-new-cluster"];
  const member = await MemberProcess.start(etcd, dataDir, await freePorts(), flags);
  try {
    const { kvs, header } = await member.client.kv.range({ key: bytes("newkey") });
    assert.equal(Buffer.from(kvs[0]!.value).toString(), "123");
    assert.ok(header!.revision > 1e9);
    await assert.rejects(member.client.kv.range({ key: bytes("newkey"), revision: 1e9 - 1 }), {
      message: "etcdserver: mvcc: required revision has been compacted",
    });
  } finally {
    await member.stop();
  }
}

/** Without numbers, sizes and the widths that follow from them, and without the lines of logs. */
function normalised(text: string): string {
  return text
    .split("\n")
    .filter((line) => !/^\{|^\d{4}-\d\d-\d\d|^\s*$/.test(line))
    .map((line) => line.replace(/[│|┌┐└┘├┤┬┴┼─+-]+/g, "|").replace(/\s+/g, " "))
    .map((line) => line.replace(/\d+(\.\d+)?(ms|µs|s|m)\b/g, "TIME"))
    .map((line) => (/^(exit|rev)/.test(line) ? line : withoutNumbers(line)))
    .map((line) => line.trim())
    .join("\n");
}

/** Decimal and hexadecimal, and sizes. */
function withoutNumbers(line: string): string {
  const plain = line.replace(/\b(?=[0-9a-f]*\d)[0-9a-f]+\b/g, "N");
  return plain.replace(/N(\.N)?( [kMG]?B|%)?/g, "N");
}

test("the manual, command by command", { timeout: 600_000 }, async () => {
  const stock = stockPrograms("3.7");
  const tools = dirname(stock.etcdctl);
  const expected = await run("stock", stock.etcd, tools);
  assert.match(expected, /mvcc: database space exceeded/);
  assert.match(expected, /alarm:NOSPACE/);
  assert.match(expected, /rev is a number: 1/);
  assert.equal(await run("stock-tools", OUR_ETCD, tools), expected);
  assert.equal(await run("ours", OUR_ETCD, ours), expected);
});
