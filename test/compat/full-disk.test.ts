// A disk that is full when a member starts, or becomes full while it runs: the process says so in
// one line and ends; nothing is damaged; with room again every acknowledged write is there.
//
// A real full disk needs a mount namespace. Where the system permits none, those tests fail and say
// so; the last one goes another way, a limit on the size of files, which needs no permission.

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bytes } from "../../src/client/bytes.ts";
import type { Client } from "../../src/client/client.ts";
import { failedStart, fingerprint, lastWords, logLines, refused } from "./bad-days.ts";
import { freePorts, MemberProcess, OUR_ETCD, type Ports } from "./member-process.ts";
import { SmallDisk } from "./small-disk.ts";

const MIB = 1024 * 1024;
const WRITERS = 20;
/** More than the small disks hold. */
const LOAD_BYTES_MAX = 400 * MIB;
const VALUE = "v".repeat(8000);

const root = mkdtempSync(join(tmpdir(), "quorate-full-"));
after(() => rmSync(root, { recursive: true, force: true }));

async function mount(name: string, sizeBytes: number): Promise<SmallDisk> {
  try {
    return await SmallDisk.mount(join(root, name), sizeBytes);
  } catch (error) {
    throw new Error(
      "this test needs a mount namespace (unshare -m as root, or unprivileged user namespaces: " +
        `kernel.unprivileged_userns_clone, user.max_user_namespaces): ${(error as Error).message}`,
    );
  }
}

/** Puts until the member is gone. Returns the keys that were acknowledged. */
async function writeUntilTheEnd(client: Client, prefix: string): Promise<Set<string>> {
  const acknowledged = new Set<string>();
  const perWriter = LOAD_BYTES_MAX / VALUE.length / WRITERS;
  const writer = async (name: string): Promise<void> => {
    for (let at = 0; at < perWriter; at++) {
      const key = `${prefix}/${name}/${at}`;
      try {
        await client.kv.put({ key: bytes(key), value: bytes(VALUE) });
      } catch {
        return;
      }
      acknowledged.add(key);
    }
    assert.fail("the disk did not become full");
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, at) => writer(`w${at}`)));
  return acknowledged;
}

/** Writes as long as the member has not ended, which may be before it answers at all. */
async function load(ports: Ports, ended: Promise<unknown>): Promise<void> {
  const url = `http://127.0.0.1:${ports.client}/v3/kv/put`;
  const value = Buffer.from(VALUE).toString("base64");
  const end = new AbortController();
  const stop = (): void => end.abort();
  ended.then(stop, stop);
  for (let at = 0; !end.signal.aborted; at++) {
    const body = JSON.stringify({ key: Buffer.from(`load${at}`).toString("base64"), value });
    try {
      await fetch(url, { method: "POST", body, signal: end.signal });
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

async function verify(client: Client, acknowledged: ReadonlySet<string>): Promise<void> {
  const { kvs } = await client.kv.range({
    ...{ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), keysOnly: true },
  });
  const found = new Set(kvs.map((kv) => Buffer.from(kv.key).toString()));
  const lost = [...acknowledged].filter((key) => !found.has(key));
  assert.deepEqual(lost, []);
}

/** Waits for the end of a member that cannot go on. Returns its last words. */
async function wordsOf(member: MemberProcess, dataDir: string): Promise<string> {
  await member.ended();
  const how = member.child.exitCode ?? member.child.signalCode!;
  const text = readFileSync(`${dataDir}.log`, "utf8");
  return lastWords({ how, text });
}

function forget(dataDir: string): void {
  rmSync(`${dataDir}.log`, { force: true });
}

interface Place {
  readonly program: string;
  /** As the member names it. */
  readonly dataDir: string;
  /** As this process does. */
  readonly outside: string;
  readonly ports: Ports;
  readonly flags: readonly string[];
}

/** Runs out of room under load, starts in vain, and goes on with room again. */
async function badDay(place: Place, makeRoom: () => string): Promise<string> {
  const { program, dataDir, outside, ports, flags } = place;
  const member = await MemberProcess.start(program, dataDir, ports, flags);
  const acknowledged = await writeUntilTheEnd(member.client, "/load");
  const words = await wordsOf(member, dataDir);
  assert.ok(acknowledged.size > 100, `${acknowledged.size} writes`);
  forget(dataDir);
  const before = fingerprint(outside);
  assert.ok(before.length > 0);
  const roomy = makeRoom();
  const again = await MemberProcess.start(roomy, dataDir, ports, flags);
  await verify(again.client, acknowledged);
  await again.client.kv.put({ key: bytes("after"), value: bytes(VALUE) });
  await again.stop();
  return words;
}

test("a disk that is full from the start", async () => {
  const disk = await mount("start", 64 * 1024);
  try {
    const ports = await freePorts();
    const dataDir = join(disk.path, "data");
    const program = disk.wrap(OUR_ETCD, join(root, "start.sh"));
    disk.fill();
    const words = await failedStart(dataDir, ports, [], program);
    assert.match(words, /no space left on device; make room and start the member again$/);
    disk.resize(64 * MIB);
    forget(dataDir);
    const member = await MemberProcess.start(program, dataDir, ports);
    await member.client.kv.put({ key: bytes("a"), value: bytes("b") });
    await member.stop();
  } finally {
    disk.unmount();
  }
});

test("a disk that is full when a member with data starts", async () => {
  const disk = await mount("second", 64 * MIB);
  try {
    const ports = await freePorts();
    const dataDir = join(disk.path, "data");
    const program = disk.wrap(OUR_ETCD, join(root, "second.sh"));
    const member = await MemberProcess.start(program, dataDir, ports);
    await member.client.kv.put({ key: bytes("a"), value: bytes("b") });
    await member.stop();
    forget(dataDir);
    disk.fill();
    // Log and database have some room inside: it may run for a while.
    const ended = failedStart(dataDir, ports, [], program);
    await load(ports, ended);
    const words = await ended;
    assert.match(words, /no space left on device; make room and start the member again$/);
    disk.resize(128 * MIB);
    forget(dataDir);
    const again = await MemberProcess.start(program, dataDir, ports);
    await verify(again.client, new Set(["a"]));
    await again.stop();
  } finally {
    disk.unmount();
  }
});

test("a disk that becomes full under load", { timeout: 120_000 }, async () => {
  const disk = await mount("load", 24 * MIB);
  try {
    const dataDir = join(disk.path, "data");
    const program = disk.wrap(OUR_ETCD, join(root, "load.sh"));
    const words = await badDay(
      {
        ...{ program, dataDir, outside: join(disk.outside, "data"), flags: [] },
        ports: await freePorts(),
      },
      () => {
        disk.resize(512 * MIB);
        return program;
      },
    );
    assert.match(words, /^write \S+: no space left on device; make room and start the member/);
  } finally {
    disk.unmount();
  }
});

test("the database's disk becomes full, that of the log does not", async () => {
  const disk = await mount("database", 16 * MIB);
  try {
    const dataDir = join(disk.path, "data");
    const program = disk.wrap(OUR_ETCD, join(root, "database.sh"));
    const flags = ["--wal-dir", join(root, "database-wal")];
    const outside = join(disk.outside, "data");
    const place = { program, dataDir, outside, flags, ports: await freePorts() };
    const words = await badDay(place, () => {
      disk.resize(512 * MIB);
      return program;
    });
    assert.match(words, /member\/snap\/db: no space left on device; make room/);
  } finally {
    disk.unmount();
  }
});

test("a file system that is read-only, or becomes it", async () => {
  const disk = await mount("read-only", 64 * MIB);
  try {
    const ports = await freePorts();
    const dataDir = join(disk.path, "data");
    const program = disk.wrap(OUR_ETCD, join(root, "read-only.sh"));
    const member = await MemberProcess.start(program, dataDir, ports);
    await member.client.kv.put({ key: bytes("a"), value: bytes("b") });
    await member.stop();
    forget(dataDir);
    disk.setReadOnly(true);
    const words = await refused(dataDir, ports, [], program, join(disk.outside, "data"));
    assert.match(words, /read-only file system; make the file system writable$/);
    disk.setReadOnly(false);
    const again = await MemberProcess.start(program, dataDir, ports);
    await verify(again.client, new Set(["a"]));
    await again.stop();
  } finally {
    disk.unmount();
  }
});

/** A program that may not make files larger than this: writes fail, as on a full disk. */
function limited(script: string, kibibytes: number): string {
  // Blocks are 512 bytes in a POSIX shell and 1,024 in others: dash and busybox use 512.
  const limit = `ulimit -f ${kibibytes * 2}`;
  writeFileSync(script, `#!/bin/sh\n${limit}\nexec '${OUR_ETCD}' "$@"\n`);
  chmodSync(script, 0o755);
  return script;
}

test("files that may not grow", { timeout: 120_000 }, async () => {
  const ports = await freePorts();
  const dataDir = join(root, "limited");
  mkdirSync(dataDir, { mode: 0o700 });
  const tiny = limited(join(root, "tiny.sh"), 1024);
  assert.match(await failedStart(dataDir, ports, [], tiny), /file too large/);
  const program = limited(join(root, "limited.sh"), 100 * 1024);
  const place = { program, dataDir, outside: dataDir, ports, flags: [] };
  const words = await badDay(place, () => OUR_ETCD);
  assert.match(words, /^\S+ \S+: file too large/);
});

test("lines of the log are counted: one that alarms", () => {
  const text = '{"level":"info","msg":"x"}\n{"level":"fatal","msg":"y","error":"z"}\n';
  assert.equal(logLines(text).length, 2);
  assert.equal(lastWords({ how: 1, text }), "z");
  assert.throws(() => lastWords({ how: 0, text }));
  assert.throws(() => lastWords({ how: 1, text: text + text }));
});
