// What every Disk promises, asked of the real one and of the simulated one.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Disk, File } from "../../src/io/io.ts";
import { NodeClock } from "../../src/io/node-clock.ts";
import { NodeDisk } from "../../src/io/node-disk.ts";
import { SimDisk } from "./sim-disk.ts";
import { SimRandom } from "./sim-random.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const written = (file: File, bytes: Uint8Array, position: number): Promise<void> =>
  new Promise((resolve, reject) => {
    file.write(bytes, position, (error) => (error === null ? resolve() : reject(error)));
  });
const synced = (file: File): Promise<void> =>
  new Promise((resolve, reject) => {
    file.sync((error) => (error === null ? resolve() : reject(error)));
  });

function content(file: File): string {
  const target = new Uint8Array(file.sizeBytes());
  assert.equal(file.read(target, 0), target.length);
  return new TextDecoder().decode(target);
}

function diskSuite(name: string, makeDisk: () => { disk: Disk; root: string; end(): void }): void {
  const withDisk = (body: (disk: Disk, root: string) => Promise<void> | void) => async () => {
    const { disk, root, end } = makeDisk();
    try {
      await body(disk, root);
    } finally {
      end();
    }
  };

  describe(name, () => {
    it(
      "creates, writes and reads a file",
      withDisk(async (disk, root) => {
        const path = `${root}/a`;
        const file = disk.open(path, { mode: "create" });
        assert.equal(file.path, path);
        file.writeNow(text("hello"), 0);
        await written(file, text("world"), 7);
        await synced(file);
        file.syncNow();
        assert.equal(content(file), "hello\0\0world");
        file.truncate(3);
        assert.equal(content(file), "hel");
        file.truncate(5);
        assert.equal(content(file), "hel\0\0");
        file.close();
        const again = disk.open(path, { mode: "read" });
        assert.equal(content(again), "hel\0\0");
        assert.equal(again.read(new Uint8Array(10), 3), 2);
        assert.equal(again.read(new Uint8Array(10), 99), 0);
        again.close();
      }),
    );

    it(
      "writes durably, large pieces too",
      withDisk(async (disk, root) => {
        const file = disk.open(`${root}/a`, { mode: "create", durable: true });
        const large = new Uint8Array(1_000_003).map((_, at) => at * 7);
        await Promise.all([written(file, large, 10), written(file, text("0123456789"), 0)]);
        const back = new Uint8Array(large.length);
        file.read(back, 10);
        assert.deepEqual(back, large);
        file.close();
      }),
    );

    it(
      "refuses by the mode of opening",
      withDisk((disk, root) => {
        const path = `${root}/a`;
        const code = (expected: string) => (error: unknown) =>
          (error as { code?: string }).code === expected;
        assert.throws(() => disk.open(path, { mode: "read" }), code("ENOENT"));
        assert.throws(() => disk.open(path, { mode: "write" }), code("ENOENT"));
        disk.open(path, { mode: "create" }).close();
        assert.throws(() => disk.open(path, { mode: "create" }), code("EEXIST"));
        assert.throws(() => disk.list(`${root}/nowhere`), code("ENOENT"));
        assert.throws(() => disk.rename(`${root}/no`, `${root}/b`), code("ENOENT"));
        assert.throws(() => disk.open(`${root}/no/b`, { mode: "create" }), code("ENOENT"));
      }),
    );

    it(
      "keeps directories",
      withDisk(async (disk, root) => {
        disk.makeDirectory(`${root}/x/y`);
        disk.makeDirectory(`${root}/x/y`);
        assert.ok(disk.isDirectory(`${root}/x/y`));
        for (const name of ["b", "a", "B", "a1"]) {
          disk.open(`${root}/x/y/${name}`, { mode: "create" }).close();
        }
        assert.deepEqual(disk.list(`${root}/x/y`), ["B", "a", "a1", "b"]);
        assert.ok(!disk.isDirectory(`${root}/x/y/a`));
        disk.syncDirectory(`${root}/x/y`);
        await new Promise((resolve) => disk.syncDirectory(`${root}/x`, resolve));
        disk.rename(`${root}/x/y`, `${root}/z`);
        assert.ok(!disk.exists(`${root}/x/y`));
        assert.deepEqual(disk.list(`${root}/z`), ["B", "a", "a1", "b"]);
        disk.remove(`${root}/z`);
        disk.remove(`${root}/z`);
        assert.deepEqual(disk.list(root), ["x"]);
        disk.open(`${root}/x`, { mode: "read" }).close();
      }),
    );

    it(
      "renames over a file, which open handles still see",
      withDisk((disk, root) => {
        const old = disk.open(`${root}/old`, { mode: "create" });
        old.writeNow(text("old"), 0);
        const fresh = disk.open(`${root}/new`, { mode: "create" });
        fresh.writeNow(text("fresh"), 0);
        disk.rename(`${root}/new`, `${root}/old`);
        assert.equal(content(old), "old");
        const reread = disk.open(`${root}/old`, { mode: "write" });
        assert.equal(content(reread), "fresh");
        for (const file of [old, fresh, reread]) file.close();
        assert.deepEqual(disk.list(root), ["old"]);
      }),
    );

    it(
      "gives a file a second name, and it stays under that when the first is another's",
      withDisk((disk, root) => {
        const old = disk.open(`${root}/a`, { mode: "create" });
        old.writeNow(text("old"), 0);
        disk.link(`${root}/a`, `${root}/b`);
        assert.throws(() => disk.link(`${root}/a`, `${root}/b`), { code: "EEXIST" });
        assert.throws(() => disk.link(`${root}/c`, `${root}/d`), { code: "ENOENT" });
        disk.open(`${root}/c`, { mode: "create" }).close();
        disk.rename(`${root}/c`, `${root}/a`);
        old.writeNow(text("new"), 0);
        const second = disk.open(`${root}/b`, { mode: "write" });
        assert.equal(content(second), "new");
        assert.equal(disk.open(`${root}/a`, { mode: "read" }).sizeBytes(), 0);
        for (const file of [old, second]) file.close();
      }),
    );

    it(
      "empties a file, also one without a name",
      withDisk(async (disk, root) => {
        const file = disk.open(`${root}/a`, { mode: "create" });
        file.truncate(10 << 20);
        disk.remove(`${root}/a`);
        const emptied = new Promise((resolve) => file.empty(resolve));
        assert.throws(() => file.close(), /under way/);
        assert.equal(await emptied, null);
        assert.equal(file.sizeBytes(), 0);
        file.close();
      }),
    );

    it(
      "locks a file or a directory against other holders",
      withDisk((disk, root) => {
        disk.open(`${root}/a`, { mode: "create" }).close();
        for (const path of [`${root}/a`, root]) {
          const first = disk.open(path, { mode: "read" });
          const second = disk.open(path, { mode: "read" });
          assert.equal(first.tryLock("exclusive"), true);
          assert.equal(first.tryLock("exclusive"), true);
          assert.equal(second.tryLock("exclusive"), false);
          assert.equal(second.tryLock("shared"), false);
          assert.equal(first.tryLock("shared"), true);
          assert.equal(second.tryLock("shared"), true);
          assert.equal(second.tryLock("exclusive"), false);
          first.close();
          assert.equal(second.tryLock("exclusive"), true);
          second.close();
        }
      }),
    );

    it(
      "refuses to close a file that is being written",
      withDisk(async (disk, root) => {
        const file = disk.open(`${root}/a`, { mode: "create" });
        const pending = written(file, text("x"), 0);
        assert.throws(() => file.close(), /under way/);
        await pending;
        file.close();
      }),
    );
  });
}

diskSuite("NodeDisk", () => {
  const root = mkdtempSync(join(tmpdir(), "disk-contract-"));
  return { disk: new NodeDisk(), root, end: () => rmSync(root, { recursive: true, force: true }) };
});

diskSuite("SimDisk", () => {
  const disk = new SimDisk({ clock: new NodeClock(), random: new SimRandom(1) });
  disk.makeDirectory("/root");
  return { disk, root: "/root", end: () => {} };
});

describe("NodeDisk on this system", () => {
  const disk = new NodeDisk();
  const inFolder = async (body: (root: string) => Promise<void> | void): Promise<void> => {
    const root = mkdtempSync(join(tmpdir(), "disk-contract-"));
    try {
      await body(root);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  };

  it("tells what was tried, where and why, also of open files", () =>
    inFolder(async (root) => {
      disk.open(`${root}/a`, { mode: "create" }).close();
      const file = disk.open(`${root}/a`, { mode: "read" });
      const text = { message: `write ${root}/a: bad file descriptor` };
      assert.throws(() => file.writeNow(new Uint8Array(1), 0), text);
      await assert.rejects(written(file, new Uint8Array(1), 0), text);
      file.close();
      const beneathFile = `${root}/a/b`;
      const notDirectory = { message: `mkdir ${beneathFile}: not a directory` };
      assert.throws(() => disk.makeDirectory(beneathFile), notDirectory);
      assert.throws(() => disk.makeDirectory(`${root}/a`), {
        message: `mkdir ${root}/a: file exists`,
      });
    }));

  it("gives files 0600 and directories 0700 unless told otherwise", () =>
    inFolder((root) => {
      const mode = (path: string): number => statSync(path).mode & 0o777;
      disk.open(`${root}/a`, { mode: "create" }).close();
      disk.open(`${root}/b`, { mode: "create", permissions: 0o640 }).close();
      disk.makeDirectory(`${root}/c/d`);
      assert.equal(mode(`${root}/a`), 0o600);
      assert.equal(mode(`${root}/b`), 0o640);
      assert.equal(mode(`${root}/c`), 0o700);
      assert.equal(mode(`${root}/c/d`), 0o700);
    }));

  it("sees the lock of another process, and has it when that one is gone", () =>
    inFolder(async (root) => {
      const path = `${root}/a`;
      const file = disk.open(path, { mode: "create" });
      const holder = spawn("flock", ["-x", path, "sh", "-c", "echo held; read line"]);
      await new Promise((resolve) => holder.stdout.once("data", resolve));
      assert.equal(file.tryLock("exclusive"), false);
      holder.stdin.end("\n");
      await new Promise((resolve) => holder.once("close", resolve));
      assert.equal(file.tryLock("exclusive"), true);
      file.close();
    }));

  it("says what is missing when there is no flock program", () =>
    inFolder((root) => {
      const file = disk.open(`${root}/a`, { mode: "create" });
      const environment: { PATH?: string | undefined } = process.env;
      const path = environment.PATH;
      environment.PATH = root;
      try {
        assert.throws(() => file.tryLock("exclusive"), /"flock" was not found; install it/);
      } finally {
        environment.PATH = path;
      }
      file.close();
    }));
});
