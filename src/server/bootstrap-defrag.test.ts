import assert from "node:assert/strict";
import { test } from "node:test";
import { SimWorld } from "../../test/simulation/world.ts";
import { type Fields, type Logger, silentLogger } from "../base/log.ts";
import { Backend } from "../storage/backend.ts";
import { defragmentAtStart } from "./bootstrap-defrag.ts";

const RECORDS = 2000;

/** A database most of which is free, as a start finds it. */
function bench() {
  const world = new SimWorld(3);
  const { clock, disk } = world.machine(1n).start();
  disk.makeDirectory("/data");
  const lines: [string, Fields][] = [];
  const info = (message: string, fields: Fields = {}) => {
    lines.push([message, fields]);
  };
  const log: Logger = { ...silentLogger, info };
  const limits = { batchIntervalMs: 100, batchLimit: 10_000, freelistType: "map" as const };
  const onFatal = (error: Error) => assert.fail(error);
  const open = () => Backend.open({ disk, clock, log, path: "/data/db", ...limits, onFatal });
  const close = (backend: Backend) => {
    let isClosed = false;
    backend.close(() => {
      isClosed = true;
    });
    assert.ok(world.runUntil(() => isClosed, 60_000));
  };
  const commit = (backend: Backend) => {
    let isDone = false;
    backend.commit(() => {
      isDone = true;
    });
    assert.ok(world.runUntil(() => isDone, 60_000));
  };
  const backend = open();
  for (let main = 1; main <= RECORDS; main++) {
    const at = backend.reserveRecord(main, 0, false, 1000);
    backend.recordBuffer.fill(main, at, at + 1000);
  }
  commit(backend);
  for (let main = 1; main < RECORDS; main++) {
    if (main % 10 !== 0) backend.deleteRecord(main, 0, false);
  }
  commit(backend);
  close(backend);
  lines.length = 0;
  return { open, close, lines, disk: world.machine(1n).disk };
}

test("less is free than the threshold: a line says so", () => {
  const { open, lines } = bench();
  const backend = open();
  const { sizeBytes, sizeInUseBytes } = backend;
  const freeBytes = sizeBytes - sizeInUseBytes;
  assert.ok(freeBytes > 1e6);
  defragmentAtStart(
    backend,
    { bootstrapDefragThresholdBytes: freeBytes + 1 },
    {
      ...silentLogger,
      info: (message, fields = {}) => lines.push([message, fields]),
    },
  );
  assert.equal(backend.sizeBytes, sizeBytes);
  assert.deepEqual(lines.at(-1)?.[0], "Skipping defragmentation");
  assert.deepEqual(Object.keys(lines.at(-1)![1]), [
    ...["current-db-size-bytes", "current-db-size"],
    ...["current-db-size-in-use-bytes", "current-db-size-in-use"],
    ...["bootstrap-defrag-threshold-bytes", "bootstrap-defrag-threshold"],
  ]);
});

test("the threshold is 0: nothing is done", () => {
  const { open, lines } = bench();
  const backend = open();
  const { sizeBytes } = backend;
  defragmentAtStart(backend, { bootstrapDefragThresholdBytes: 0 }, silentLogger);
  assert.equal(backend.sizeBytes, sizeBytes);
  assert.deepEqual(lines, []);
});

test("as much is free as the threshold: the file shrinks and has the same in it", () => {
  const { open, close, lines, disk } = bench();
  let backend = open();
  const { sizeBytes, sizeInUseBytes } = backend;
  const options = { bootstrapDefragThresholdBytes: sizeBytes - sizeInUseBytes };
  defragmentAtStart(backend, options, silentLogger);
  for (let start = 0; start < 2; start++) {
    assert.ok(backend.sizeBytes < sizeBytes / 4, `${backend.sizeBytes}`);
    assert.ok(backend.sizeInUseBytes <= backend.sizeBytes);
    assert.deepEqual(backend.problems(), []);
    const found: number[] = [];
    backend.scanRecords(0, 0, (main, _sub, _tombstone, bytes, from, to) => {
      assert.equal(to - from, 1000);
      assert.equal(bytes[from], main % 256);
      found.push(main);
      return true;
    });
    assert.deepEqual(
      found,
      Array.from({ length: RECORDS / 10 }, (_, at) => (at + 1) * 10),
    );
    close(backend);
    assert.deepEqual(disk.list("/data"), ["db"]);
    backend = open();
  }
  assert.deepEqual(
    lines.map(([message]) => message),
    ["defragmenting", "finished defragmenting directory"],
  );
});

test("a full disk: the error is told, and everything is as it was", () => {
  const { open, close, disk } = bench();
  for (const operation of ["open", "truncate", "sync", "rename"] as const) {
    const backend = open();
    const { sizeBytes } = backend;
    disk.failAt(operation, 1, "ENOSPC");
    assert.throws(
      () => defragmentAtStart(backend, { bootstrapDefragThresholdBytes: 1 }, silentLogger),
      /no space left/,
    );
    assert.equal(backend.sizeBytes, sizeBytes);
    assert.deepEqual(backend.problems(), []);
    assert.deepEqual(disk.list("/data"), ["db"]);
    close(backend);
  }
});
