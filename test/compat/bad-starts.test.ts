// Starts that must fail: one clear line, an exit code, and nothing damaged.

import assert from "node:assert/strict";
import {
  chmodSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { bytes } from "../../src/client/bytes.ts";
import { failedStart, logLines, refused, runToEnd, setStorageVersion } from "./bad-days.ts";
import { freePorts, MemberProcess, OUR_ETCD, type Ports } from "./member-process.ts";
import { stockBinaries } from "./stock-binaries.ts";

const PAGE_BYTES = 4096;
const root = mkdtempSync(join(tmpdir(), "quorate-bad-"));
const original = join(root, "original");
let ports: Ports;
after(() => rmSync(root, { recursive: true, force: true }));

before(async () => {
  ports = await freePorts();
  const member = await MemberProcess.start(OUR_ETCD, original, ports, ["--snapshot-count", "5"]);
  for (let at = 0; at < 40; at++) {
    await member.client.kv.put({ key: bytes(`k${at}`), value: bytes("x".repeat(600)) });
  }
  await member.stop();
});

function damaged(change: (dataDir: string) => void): string {
  const copy = mkdtempSync(join(root, "copy-"));
  cpSync(original, copy, { recursive: true });
  change(copy);
  return copy;
}

function flip(path: string, offset: number): void {
  const all = readFileSync(path);
  const file = openSync(path, "r+");
  writeSync(file, Buffer.of(all[offset]! ^ 0x10), 0, 1, offset);
}

function last(directory: string, suffix: string): string {
  const names = readdirSync(directory).filter((name) => name.endsWith(suffix));
  return join(directory, names.sort().at(-1)!);
}

test("a flipped bit inside the log", async () => {
  const dataDir = damaged((copy) => flip(last(join(copy, "member/wal"), ".wal"), 900));
  const words = await refused(dataDir, ports);
  assert.match(words, /member\/wal\/0000000000000000-0000000000000000\.wal at byte \d+/);
  assert.match(words, /backup/);
});

test("a flipped bit in a .snap file", async () => {
  const dataDir = damaged((copy) => flip(last(join(copy, "member/snap"), ".snap"), 60));
  const words = await refused(dataDir, ports);
  assert.match(words, /member\/snap\/\w+-\w+\.snap\b.* (at byte|offset) \d+/);
  assert.match(words, /move the file away/);
});

test("both metas of the database", async () => {
  const dataDir = damaged((copy) => {
    flip(join(copy, "member/snap/db"), 40);
    flip(join(copy, "member/snap/db"), PAGE_BYTES + 40);
  });
  const words = await refused(dataDir, ports);
  assert.match(words, /member\/snap\/db/);
  assert.match(words, /(offset|byte) \d+/);
  assert.match(words, /restore it from a snapshot/);
});

test("one meta of the database: the other is used", async () => {
  for (const page of [0, 1]) {
    const dataDir = damaged((copy) => flip(join(copy, "member/snap/db"), page * PAGE_BYTES + 40));
    const member = await MemberProcess.start(OUR_ETCD, dataDir, ports);
    const { count } = await member.client.kv.range({ key: bytes("k"), rangeEnd: bytes("l") });
    assert.equal(count, 40);
    await member.stop();
  }
});

test("a torn end of the log is repaired, loudly", async () => {
  const dataDir = damaged((copy) => {
    const wal = last(join(copy, "member/wal"), ".wal");
    const all = readFileSync(wal);
    let end = all.length;
    while (all[end - 1] === 0) end--;
    const torn = Buffer.alloc(all.length);
    all.copy(torn, 0, 0, end);
    // The length of a record of 1,000 bytes, and nothing of it.
    torn.writeUInt32LE(1000, Math.ceil(end / 8) * 8);
    writeFileSync(wal, torn);
  });
  const member = await MemberProcess.start(OUR_ETCD, dataDir, ports);
  const { count } = await member.client.kv.range({ key: bytes("k"), rangeEnd: bytes("l") });
  assert.equal(count, 40);
  await member.stop();
  const warnings = logLines(readFileSync(`${dataDir}.log`, "utf8"))
    .filter(({ level }) => level === "warn")
    .map((line) => JSON.stringify(line));
  assert.equal(warnings.filter((line) => /repair/.test(line)).length, 1, warnings.join("\n"));
});

test("a port in use leaves no data directory behind", async () => {
  const holder = await MemberProcess.start(OUR_ETCD, join(root, "holder"), ports);
  const free = await freePorts();
  for (const taken of [ports, { ...free, client: ports.client }, { ...free, peer: ports.peer }]) {
    const words = await refused(join(root, "other"), taken);
    assert.match(words, /^listen tcp 127\.0\.0\.1:\d+: bind: address already in use$/);
  }
  await holder.client.kv.put({ key: bytes("still"), value: bytes("served") });
  await holder.stop();
});

test("a data directory in use by us or by etcd", async () => {
  const free = await freePorts();
  for (const program of [OUR_ETCD, stockBinaries("3.7")["etcd"]!]) {
    const dataDir = mkdtempSync(join(root, "held-"));
    const holder = await MemberProcess.start(program, dataDir, ports);
    const words = await failedStart(dataDir, free, [], OUR_ETCD);
    assert.match(words, /another process has it open/);
    await holder.client.kv.put({ key: bytes("still"), value: bytes("served") });
    await holder.stop();
    const again = await MemberProcess.start(OUR_ETCD, dataDir, ports);
    const { count } = await again.client.kv.range({ key: bytes("still") });
    assert.equal(count, 1);
    await again.stop();
  }
});

test("the log of one cluster and the database of another", async () => {
  const directories = ["one", "another"].map((name) => join(root, name));
  for (const [at, dataDir] of directories.entries()) {
    const flags = ["--initial-cluster-token", `token-${at}`];
    const member = await MemberProcess.start(OUR_ETCD, dataDir, ports, flags);
    await member.stop();
  }
  const [one, another] = directories as [string, string];
  cpSync(join(another, "member/snap/db"), join(one, "member/snap/db"));
  const words = await refused(one, ports);
  assert.match(words, /they belong to different clusters/);
  assert.match(words, /member\/wal .*member\/snap\/db /);
  assert.match(words, /etcdutl snapshot restore/);
});

test("a started member keeps its cluster, whatever the flags say, as in etcd", async () => {
  const identities: string[] = [];
  const renamed = ["--initial-cluster-token", "another", "--initial-cluster-state", "existing"];
  for (const flags of [[], renamed]) {
    const dataDir = damaged(() => {});
    const member = await MemberProcess.start(OUR_ETCD, dataDir, ports, flags);
    const { header } = await member.client.maintenance.status();
    identities.push(`${header!.clusterId} ${header!.memberId}`);
    await member.stop();
  }
  assert.equal(identities[0], identities[1]);
});

test("a data directory that cannot be made or read", async () => {
  writeFileSync(join(root, "file"), "");
  assert.match(await refused(join(root, "file", "data"), ports), /data directory|not a directory/);
  assert.match(await refused(join(root, "file"), ports), /not a directory/);
});

/** Root may write everywhere: it has to leave its capabilities behind. */
function withoutPowers(): string {
  if (process.getuid!() !== 0) return OUR_ETCD;
  const script = join(root, "powerless.sh");
  const words = "setpriv --bounding-set=-all --inh-caps=-all --";
  writeFileSync(script, `#!/bin/sh\nexec ${words} '${OUR_ETCD}' "$@"\n`);
  chmodSync(script, 0o755);
  return script;
}

test("directories without the right to write", async () => {
  const program = withoutPowers();
  const parent = mkdtempSync(join(root, "parent-"));
  chmodSync(parent, 0o555);
  const advice = /permission denied; give the user of this process the right to it$/;
  assert.match(await failedStart(join(parent, "data"), ports, [], program), advice);
  for (const part of ["", "member", "member/snap", "member/wal", "member/snap/db"]) {
    const dataDir = damaged(() => {});
    const locked = join(dataDir, part);
    const mode = statSync(locked).mode;
    chmodSync(locked, part.endsWith("db") ? 0o400 : 0o500);
    assert.match(await refused(dataDir, ports, [], program), advice, part);
    chmodSync(locked, mode);
    const member = await MemberProcess.start(program, dataDir, ports);
    await member.stop();
  }
});

test("a log without its database, and a database without its log", async () => {
  const noDatabase = damaged((copy) => {
    renameSync(join(copy, "member/snap/db"), join(root, "db-elsewhere"));
  });
  assert.match(await refused(noDatabase, ports), /member\/snap\/db/);
  const noLog = damaged((copy) => {
    renameSync(join(copy, "member/wal"), join(root, `wal-elsewhere`));
  });
  assert.match(await refused(noLog, ports), /member\/(wal|snap)/);
});

test("a database, and a snapshot, of a version that comes later", async () => {
  const dataDir = damaged(() => {});
  await setStorageVersion(join(dataDir, "member/snap/db"), "3.8.0");
  const wanted = /^version "3\.8\.0" is not supported: .*member\/snap\/db was written by another/;
  assert.match(await refused(dataDir, ports), wanted);
  const restored = join(root, "restored");
  const args = ["snapshot", "restore", join(dataDir, "member/snap/db"), "--skip-hash-check"];
  const { how, text } = await runToEnd(join(dirname(OUR_ETCD), "etcdutl"), [
    ...args,
    "--data-dir",
    restored,
  ]);
  assert.equal(how, 0, text);
  assert.match(await failedStart(restored, ports, [], OUR_ETCD), wanted);
});
