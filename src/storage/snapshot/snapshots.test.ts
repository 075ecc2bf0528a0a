import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SimDisk } from "../../../test/simulation/sim-disk.ts";
import { SimWorld } from "../../../test/simulation/world.ts";
import { type Logger, silentLogger } from "../../base/log.ts";
import { decodeSnapFile, encodeSnapFile, SnapError } from "./snap-file.ts";
import {
  checkSnapshots,
  listSnapshots,
  loadSnapshot,
  purgeSnapshots,
  readSnapshot,
  removeDatabasesBefore,
  writeSnapshot,
} from "./snapshots.ts";
import { encodeV2Store, type Membership } from "./v2-store.ts";

const membership: Membership = {
  members: [
    {
      id: 0x9174365267f7af9n,
      peerUrls: ["http://127.0.0.1:21201"],
      isLearner: false,
      name: "n1",
      clientUrls: ["http://127.0.0.1:21200"],
    },
    {
      id: 0x73efc0458f50ba72n,
      peerUrls: ["http://127.0.0.1:21208"],
      isLearner: true,
      name: "",
      clientUrls: [],
    },
  ],
  removed: [0x79cde260acb0c13an],
  version: "3.7.0",
};
const confState = {
  voters: [0x9174365267f7af9n],
  learners: [0x73efc0458f50ba72n],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/** By a member of its own with one learner, after another one was removed. */
const ETCD_STORE: string =
  '{"Root":{"Path":"/","CreatedIndex":0,"ModifiedIndex":0,"ExpireTime":"0001-01-01T00:0' +
  '0:00Z","Value":"","Children":{"0":{"Path":"/0","CreatedIndex":0,"ModifiedIndex":0,"E' +
  'xpireTime":"0001-01-01T00:00:00Z","Value":"","Children":{"members":{"Path":"/0/membe' +
  'rs","CreatedIndex":1,"ModifiedIndex":1,"ExpireTime":"0001-01-01T00:00:00Z","Value":"' +
  '","Children":{"73efc0458f50ba72":{"Path":"/0/members/73efc0458f50ba72","CreatedIndex' +
  '":3,"ModifiedIndex":3,"ExpireTime":"0001-01-01T00:00:00Z","Value":"","Children":{"ra' +
  'ftAttributes":{"Path":"/0/members/73efc0458f50ba72/raftAttributes","CreatedIndex":3,' +
  '"ModifiedIndex":3,"ExpireTime":"0001-01-01T00:00:00Z","Value":"{\\"peerURLs\\":[\\"h' +
  'ttp://127.0.0.1:21208\\"],\\"isLearner\\":true}","Children":null}}},"9174365267f7af9' +
  '":{"Path":"/0/members/9174365267f7af9","CreatedIndex":1,"ModifiedIndex":1,"ExpireTim' +
  'e":"0001-01-01T00:00:00Z","Value":"","Children":{"attributes":{"Path":"/0/members/91' +
  '74365267f7af9/attributes","CreatedIndex":2,"ModifiedIndex":2,"ExpireTime":"0001-01-0' +
  '1T00:00:00Z","Value":"{\\"name\\":\\"n1\\",\\"clientURLs\\":[\\"http://127.0.0.1:212' +
  '00\\"]}","Children":null},"raftAttributes":{"Path":"/0/members/9174365267f7af9/raftA' +
  'ttributes","CreatedIndex":1,"ModifiedIndex":1,"ExpireTime":"0001-01-01T00:00:00Z","V' +
  'alue":"{\\"peerURLs\\":[\\"http://127.0.0.1:21201\\"]}","Children":null}}}}},"remove' +
  'd_members":{"Path":"/0/removed_members","CreatedIndex":4,"ModifiedIndex":4,"ExpireTi' +
  'me":"0001-01-01T00:00:00Z","Value":"","Children":{"79cde260acb0c13a":{"Path":"/0/rem' +
  'oved_members/79cde260acb0c13a","CreatedIndex":4,"ModifiedIndex":4,"ExpireTime":"0001' +
  '-01-01T00:00:00Z","Value":"","Children":null}}},"version":{"Path":"/0/version","Crea' +
  'tedIndex":5,"ModifiedIndex":5,"ExpireTime":"0001-01-01T00:00:00Z","Value":"3.7.0","C' +
  'hildren":null}}},"1":{"Path":"/1","CreatedIndex":0,"ModifiedIndex":0,"ExpireTime":"0' +
  '001-01-01T00:00:00Z","Value":"","Children":{}}}},"WatcherHub":{"EventHistory":{"Queu' +
  'e":{"Events":[{"action":"create","node":{"key":"/0/members/9174365267f7af9/raftAttri' +
  'butes","value":"{\\"peerURLs\\":[\\"http://127.0.0.1:21201\\"]}","modifiedIndex":1,"' +
  'createdIndex":1}},{"action":"set","node":{"key":"/0/members/9174365267f7af9/attribut' +
  'es","value":"{\\"name\\":\\"n1\\",\\"clientURLs\\":[\\"http://127.0.0.1:21200\\"]}",' +
  '"modifiedIndex":2,"createdIndex":2}},{"action":"create","node":{"key":"/0/members/73' +
  'efc0458f50ba72/raftAttributes","value":"{\\"peerURLs\\":[\\"http://127.0.0.1:21208' +
  '\\"],\\"isLearner\\":true}","modifiedIndex":3,"createdIndex":3}},{"action":"create",' +
  '"node":{"key":"/0/removed_members/79cde260acb0c13a","value":"","modifiedIndex":4,"cr' +
  'eatedIndex":4}},{"action":"set","node":{"key":"/0/version","value":"3.7.0","modified' +
  'Index":5,"createdIndex":5}}],"Size":5,"Front":0,"Back":5,"Capacity":1000},"StartInde' +
  'x":1,"LastIndex":5}},"CurrentIndex":5,"Stats":{"getsSuccess":0,"getsFail":0,"setsSuc' +
  'cess":0,"setsFail":0,"deleteSuccess":0,"deleteFail":0,"updateSuccess":0,"updateFail"' +
  ':0,"createSuccess":0,"createFail":0,"compareAndSwapSuccess":0,"compareAndSwapFail":0' +
  ',"compareAndDeleteSuccess":0,"compareAndDeleteFail":0,"expireCount":0,"watchers":0},' +
  '"CurrentVersion":2}';

class Bench {
  readonly world: SimWorld;
  readonly disk: SimDisk;
  readonly said: string[] = [];
  readonly log: Logger;

  constructor(seed = 1) {
    this.world = new SimWorld(seed);
    const machine = this.world.machine(1n);
    machine.start();
    this.disk = machine.disk;
    this.disk.makeDirectory("/s");
    this.disk.syncDirectory("/");
    const say = (message: string): number => this.said.push(message);
    this.log = { ...silentLogger, warn: say, info: say };
  }

  write(index: number, term = 2): void {
    let result: Error | null | undefined;
    const done = (error: Error | null): void => {
      result = error;
    };
    writeSnapshot(this.disk, "/s", { index, term, confState }, membership, done);
    this.world.runUntil(() => result !== undefined);
    if (result !== null) throw result;
  }
}

describe("the v2 store", () => {
  it("is what etcd 3.7.3 wrote for the same membership", () => {
    const text = new TextDecoder().decode(encodeV2Store(membership));
    const nulls = ",null".repeat(995);
    assert.equal(text.replace(nulls, ""), ETCD_STORE);
  });

  it("escapes what Go escapes, and leaves out what is not there", () => {
    const member = { id: 1n, peerUrls: ["http://a/?b&c<d>"], isLearner: false, name: "x" };
    const bytes = encodeV2Store({
      members: [{ ...member, clientUrls: [] }],
      removed: [],
      version: undefined,
    });
    const store = JSON.parse(new TextDecoder().decode(bytes));
    const leaf = store.Root.Children[0].Children.members.Children[1].Children;
    assert.deepEqual(Object.keys(leaf), ["raftAttributes"]);
    assert.equal(leaf.raftAttributes.Value, '{"peerURLs":["http://a/?b\\u0026c\\u003cd\\u003e"]}');
    assert.deepEqual(Object.keys(store.Root.Children[0].Children), ["members"]);
    assert.equal(store.CurrentIndex, 1);
  });

  it("keeps the last thousand changes", () => {
    const removed = Array.from({ length: 1500 }, (_, at) => BigInt(at + 1));
    const bytes = encodeV2Store({ members: [], removed, version: "3.7.0" });
    const { EventHistory } = JSON.parse(new TextDecoder().decode(bytes)).WatcherHub;
    assert.equal(EventHistory.Queue.Events.length, 1000);
    assert.equal(EventHistory.StartIndex, 502);
    assert.equal(EventHistory.Queue.Events[EventHistory.Queue.Front].node.createdIndex, 502);
    assert.equal(EventHistory.LastIndex, 1501);
  });
});

describe(".snap files", () => {
  it("are written, listed newest first and read back", () => {
    const bench = new Bench();
    for (const [index, term] of [
      [300, 2],
      [20, 3],
      [100, 2],
    ] as const) {
      bench.write(index, term);
    }
    assert.deepEqual(listSnapshots(bench.disk, "/s"), [
      "0000000000000003-0000000000000014.snap",
      "0000000000000002-000000000000012c.snap",
      "0000000000000002-0000000000000064.snap",
    ]);
    const loaded = loadSnapshot(bench.disk, bench.log, "/s")!;
    assert.equal(loaded.index, 20);
    assert.equal(loaded.term, 3);
    assert.deepEqual(loaded.confState, confState);
    assert.deepEqual(loaded.data, encodeV2Store(membership));
  });

  it("are noticed by any flipped bit", () => {
    const small: Membership = { members: [], removed: [], version: undefined };
    const intact = encodeSnapFile({ index: 5, term: 2, confState }, small);
    const path = "/s/x.snap";
    for (let bit = 0; bit < intact.length * 8; bit += 1) {
      const bytes = intact.slice();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      assert.throws(() => decodeSnapFile(path, bytes), SnapError, `bit ${bit}`);
    }
    assert.equal(decodeSnapFile(path, intact).index, 5);
  });

  it("stop the start when the log knows of a damaged one, and are set aside otherwise", () => {
    const bench = new Bench();
    bench.write(5);
    bench.write(9);
    bench.disk.flipBit("/s/0000000000000002-0000000000000009.snap", 3000);
    const recorded = [{ index: 5, term: 2 }];
    const known = [...recorded, { index: 9, term: 2 }];
    assert.throws(
      () => checkSnapshots(bench.disk, bench.log, "/s", known),
      /^SnapError: snapshot file .*-0000000000000009\.snap at byte 9: the checksum .*; move the/,
    );
    checkSnapshots(bench.disk, bench.log, "/s", recorded);
    assert.deepEqual(bench.disk.list("/s"), [
      "0000000000000002-0000000000000005.snap",
      "0000000000000002-0000000000000009.snap.broken",
    ]);
    checkSnapshots(bench.disk, bench.log, "/s", known);
    assert.equal(loadSnapshot(bench.disk, bench.log, "/s")!.index, 5);
  });

  it("fall back to the one before when the newest cannot be read", () => {
    const bench = new Bench();
    bench.write(5);
    bench.disk.open("/s/0000000000000002-0000000000000009.snap", { mode: "create" }).close();
    assert.equal(loadSnapshot(bench.disk, bench.log, "/s")!.index, 5);
    assert.deepEqual(bench.said, ["failed to read a snap file", "renamed to a broken snap file"]);
  });

  it("are complete or absent after a crash at any call", () => {
    let complete = 0;
    for (let seed = 0; seed < 60; seed++) {
      const bench = new Bench(seed);
      bench.write(5);
      bench.disk.dieAt(1 + (seed % 6));
      try {
        bench.write(9);
        bench.world.runFor(seed / 20);
      } catch {}
      bench.disk.crash();
      const names = listSnapshots(bench.disk, "/s");
      for (const name of names) readSnapshot(bench.disk, `/s/${name}`);
      assert.equal(names.at(-1), "0000000000000002-0000000000000005.snap");
      complete += names.length - 1;
    }
    assert.ok(complete > 0 && complete < 60, `${complete}`);
  });

  for (const operation of ["open", "write", "rename", "syncDirectory"] as const) {
    it(`report a failing ${operation} and leave nothing half written`, () => {
      const bench = new Bench();
      bench.disk.failAt(operation, 1, "ENOSPC");
      assert.throws(() => bench.write(9), { code: "ENOSPC" });
      assert.ok(!bench.disk.list("/s").some((name) => name.startsWith("tmp")));
      for (const name of listSnapshots(bench.disk, "/s")) readSnapshot(bench.disk, `/s/${name}`);
    });
  }

  it("are purged with received databases, the oldest first", () => {
    const bench = new Bench();
    for (const index of [1, 2, 3, 4]) {
      bench.write(index);
      const name = `/s/000000000000000${index}.snap.db`;
      bench.disk.open(name, { mode: "create" }).close();
    }
    purgeSnapshots(bench.disk, bench.log, "/s", 3);
    removeDatabasesBefore(bench.disk, bench.log, "/s", 4);
    assert.deepEqual(bench.disk.list("/s"), [
      "0000000000000002-0000000000000002.snap",
      "0000000000000002-0000000000000003.snap",
      "0000000000000002-0000000000000004.snap",
      "0000000000000004.snap.db",
    ]);
  });
});
