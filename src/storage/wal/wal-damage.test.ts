// What was once durable and is no longer what it was: the member must not start on it, and must
// not take it for the torn end of a write either.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SimDisk } from "../../../test/simulation/sim-disk.ts";
import { SimRandom } from "../../../test/simulation/sim-random.ts";
import { silentLogger } from "../../base/log.ts";
import { NodeClock } from "../../io/node-clock.ts";
import { NO_SNAPSHOT, readLog, validSnapshots } from "./read-log.ts";
import { RecordEncoder } from "./record.ts";
import { segmentName } from "./segment.ts";
import { Wal } from "./wal.ts";
import { WalError } from "./wal-error.ts";

const NODE = 0x8e9e05c52164694dn;
const METADATA = Uint8Array.from([8, 1, 16, 2]);
const SEGMENT_BYTES = 16 * 1024;
const [FIRST, SECOND] = [`/w/${segmentName(0, 0)}`, `/w/${segmentName(1, 7)}`];

/** Two segments: the first ends where its data ends, the second has zeros behind it. */
function makeLog(tailBytes: number = SEGMENT_BYTES): {
  disk: SimDisk;
  lengths: Record<string, number>;
} {
  const disk = new SimDisk({ clock: new NodeClock(), random: new SimRandom(1) });
  disk.makeDirectory("/w");
  const encoder = new RecordEncoder(0);
  encoder.addCrc();
  encoder.addMetadata(METADATA);
  encoder.addSnapshot({ index: 0, term: 0 });
  encoder.addEntry({ type: 1, term: 1, index: 1, data: Buffer.from("a change of members") });
  encoder.addState({ term: 1, vote: 0n, commit: 1 });
  encoder.addState({ term: 2, vote: NODE, commit: 1 });
  encoder.addEntry({ type: 0, term: 2, index: 2, data: new Uint8Array(0) });
  for (let index = 3; index < 7; index++) {
    const data = new Uint8Array(index * 40).fill(index);
    encoder.addEntry({ type: 0, term: 2, index, data });
    encoder.addState({ term: 2, vote: NODE, commit: index - 1 });
  }
  const first = encoder.view().slice();
  encoder.reset();
  encoder.addCrc();
  encoder.addMetadata(METADATA);
  encoder.addState({ term: 2, vote: NODE, commit: 5 });
  encoder.addSnapshot({ index: 5, term: 2, confState: { voters: [NODE] } });
  for (let index = 7; index < 12; index++) {
    const data = new Uint8Array(index * 30).fill(index);
    encoder.addEntry({ type: 0, term: 2, index, data });
    encoder.addState({ term: 2, vote: NODE, commit: index - 1 });
  }
  encoder.addEntry({ type: 2, term: 2, index: 12, data: new Uint8Array(0) });
  const second = encoder.view();
  for (const [path, bytes, size] of [
    [FIRST, first, first.length],
    [SECOND, second, Math.max(second.length, tailBytes)],
  ] as const) {
    const file = disk.open(path, { mode: "create" });
    file.truncate(size);
    file.writeNow(bytes, 0);
    file.close();
  }
  return { disk, lengths: { [FIRST]: first.length, [SECOND]: second.length } };
}

const read = (disk: SimDisk): ReturnType<typeof readLog> => readLog(disk, "/w", NO_SNAPSHOT);

describe("a damaged write-ahead log", () => {
  it("is undamaged to begin with", () => {
    const { disk } = makeLog();
    const { contents, tail } = read(disk);
    assert.equal(contents.entries.length, 12);
    assert.equal(tail.torn, false);
    assert.equal(validSnapshots(disk, "/w").at(-1)!.index, 5);
  });

  for (const [where, tailBytes, paths] of [
    ["with zeros behind it", SEGMENT_BYTES, [FIRST, SECOND]],
    ["that ends with its data", 0, [SECOND]],
  ] as const) {
    it(`is noticed by any flipped bit in a log ${where}`, () => {
      const { disk, lengths } = makeLog(tailBytes);
      const { contents: intact } = read(disk);
      let harmless = 0;
      for (const path of paths) {
        for (let bit = 0; bit < lengths[path]! * 8; bit++) {
          disk.flipBit(path, bit);
          try {
            const { contents } = read(disk);
            assert.deepEqual(contents, intact, `bit ${bit % 8} of byte ${bit >> 3} of ${path}`);
            harmless++;
          } catch (error) {
            if (!(error instanceof WalError)) throw error;
            assert.match(error.message, /restore this member from a backup/);
          }
          disk.flipBit(path, bit);
        }
      }
      // Padding, and the checksum record at the head of the very first file.
      assert.ok(harmless < 1500, `${harmless}`);
    });
  }

  it("does not lose anything by a bit that appears behind the data", () => {
    const { disk, lengths } = makeLog();
    const { contents: intact } = read(disk);
    for (let bit = 0; bit < 64; bit++) {
      disk.flipBit(SECOND, lengths[SECOND]! * 8 + bit);
      const { contents, tail } = read(disk);
      assert.deepEqual(contents, intact);
      assert.equal(tail.torn, true);
      assert.equal(tail.offset, lengths[SECOND]);
      disk.flipBit(SECOND, lengths[SECOND]! * 8 + bit);
    }
  });

  it("names file, place and remedy", () => {
    const { disk } = makeLog();
    disk.flipBit(FIRST, 300 * 8);
    assert.throws(
      () => read(disk),
      (error: unknown) => {
        assert.ok(error instanceof WalError);
        assert.equal(error.path, FIRST);
        assert.ok(error.offset! > 100 && error.offset! <= 300, `${error.offset}`);
        assert.match(
          error.message,
          /^write-ahead log \/w\/0{16}-0{16}\.wal at byte \d+: the checksum .*; restore this member/,
        );
        return true;
      },
    );
  });

  it("is not repaired in the middle: a sector of zeros in a segment that others follow", () => {
    const { disk } = makeLog();
    const file = disk.open(FIRST, { mode: "write" });
    file.writeNow(new Uint8Array(512), 512);
    file.close();
    assert.throws(() => read(disk), /not the last file|length of zero|does not agree/);
  });

  it("is repaired at the end, with a copy and a warning, and stays so", () => {
    const { disk, lengths } = makeLog();
    const end = lengths[SECOND]!;
    const file = disk.open(SECOND, { mode: "write" });
    // The last sector that holds data, of which the record before the last has a part.
    file.writeNow(new Uint8Array(1024), end - (end % 512));
    file.close();
    const { contents, tail } = read(disk);
    assert.equal(tail.torn, true);
    const kept = contents.entries.length;
    assert.ok(kept > 7 && kept < 12, `${kept}`);
    const seen: string[] = [];
    const log = { ...silentLogger, warn: (message: string) => seen.push(message) };
    const options = { disk, log, clock: new NodeClock(), directory: "/w" };
    const { wal } = Wal.open({ ...options, segmentBytes: SEGMENT_BYTES }, NO_SNAPSHOT);
    wal.close();
    assert.match(seen.join(), /^repaired the write-ahead log/);
    assert.ok(disk.exists(`${SECOND}.broken`));
    const again = read(disk);
    assert.equal(again.tail.torn, false);
    assert.equal(again.contents.entries.length, kept);
  });

  it("is refused when it is of another member or mixes two logs", () => {
    const { disk } = makeLog();
    const encoder = new RecordEncoder(0);
    encoder.addCrc();
    encoder.addMetadata(Uint8Array.from([8, 9, 16, 2]));
    disk.remove(SECOND);
    const file = disk.open(SECOND, { mode: "create" });
    file.writeNow(encoder.view(), 0);
    assert.throws(() => read(disk), /checksum|metadata differs/);
  });
});
