import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SimDisk } from "../../../test/simulation/sim-disk.ts";
import { SimRandom } from "../../../test/simulation/sim-random.ts";
import { NodeClock } from "../../io/node-clock.ts";
import { encodeMetadata } from "../../wire/messages/etcdserver.ts";
import { decodeEntry } from "../../wire/messages/raft.ts";
import { RecordEncoder, RecordType, type WalEntry } from "./record.ts";
import { SegmentReader } from "./segment-reader.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));

/** The records of `bytes`, as the file `/a` of a simulated disk. */
function readBack(bytes: Uint8Array): { type: number; data: string }[] {
  const disk = new SimDisk({ clock: new NodeClock(), random: new SimRandom(1) });
  const file = disk.open("/a", { mode: "create" });
  file.writeNow(bytes, 0);
  const reader = new SegmentReader({ file, isLast: true, crc: 0, verifyEntries: true });
  const records: { type: number; data: string }[] = [];
  while (reader.next() === "record") {
    const data = hex(reader.bytes.subarray(reader.dataStart, reader.dataEnd));
    records.push({ type: reader.type, data });
  }
  assert.equal(reader.offset, bytes.length);
  return records;
}

/** Node and cluster of a member that etcd 3.7.3 bootstrapped, and what it wrote first. */
const NODE = 0x9174365267f7af9n;
const CLUSTER = 0xdd99a29d612ae0f6n;
const CONF_CHANGE =
  "100018f9f5fdb3d2ecd08b09224b7b226964223a3635353036363337323532323334333136312c227065" +
  "657255524c73223a5b22687474703a2f2f3132372e302e302e313a3231323031225d2c226e616d65223a" +
  "226e31227d";
const GO_BYTES =
  "040000000000008408041000000000001f00000000000081080110ae8fb284031a1508f9f5fdb3d2ecd0" +
  "8b0910f6c1ab89d6d3e8ccdd01000e0000000000008208051086efad880d1a040800100000006b000000" +
  "00000085080210ec82e6ee0e1a610801100118012259100018f9f5fdb3d2ecd08b09224b7b226964223a" +
  "3635353036363337323532323334333136312c227065657255524c73223a5b22687474703a2f2f313237" +
  "2e302e302e313a3231323031225d2c226e616d65223a226e31227d000000000010000000000000000803" +
  "10d4f2e0e7021a0608011000180118000000000000000803109192d296021a0e080210f9f5fdb3d2ecd0" +
  "8b0918010e00000000000082080210cdf1b5dc031a04100218020000";

describe("RecordEncoder", () => {
  it("writes the very bytes that etcd 3.7.3 wrote for the same records", () => {
    const encoder = new RecordEncoder(0);
    encoder.addCrc();
    encoder.addMetadata(encodeMetadata({ nodeID: NODE, clusterID: CLUSTER }));
    encoder.addSnapshot({ index: 0, term: 0 });
    const context = bytesOf(CONF_CHANGE);
    encoder.addEntry({ type: 1, term: 1, index: 1, data: context });
    encoder.addState({ term: 1, vote: 0n, commit: 1 });
    encoder.addState({ term: 2, vote: NODE, commit: 1 });
    encoder.addEntry({ type: 0, term: 2, index: 2, data: new Uint8Array(0) });
    assert.equal(hex(encoder.view()), GO_BYTES);
  });

  it("is read back, with any crc, term, index and data", () => {
    const entry: fc.Arbitrary<WalEntry> = fc.record({
      type: fc.constantFrom(0 as const, 1 as const, 2 as const),
      term: fc.integer({ min: 1, max: 2 ** 40 }),
      index: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      data: fc.uint8Array({ maxLength: 1500 }),
    });
    const property = fc.property(
      fc.array(entry, { minLength: 1, maxLength: 20 }),
      fc.nat(0xffffffff),
      (entries, crc) => {
        const encoder = new RecordEncoder(crc);
        encoder.addCrc();
        for (const one of entries) encoder.addEntry(one);
        const [first, ...records] = readBack(encoder.view());
        assert.equal(first!.type, RecordType.Crc);
        assert.deepEqual(
          records.map(({ data }) => ({ ...decodeEntry(bytesOf(data)) })),
          entries.map(({ type, term, index, data }) => ({ type, term, index, data })),
        );
      },
    );
    fc.assert(property, { numRuns: 200 });
  });

  it("has no bytes of a group before in the padding", () => {
    const encoder = new RecordEncoder(0);
    encoder.addEntry({ type: 0, term: 1, index: 1, data: new Uint8Array(100).fill(255) });
    encoder.reset();
    for (let length = 0; length < 8; length++) {
      encoder.addEntry({ type: 0, term: 1, index: 1, data: new Uint8Array(length).fill(255) });
    }
    const view = encoder.view();
    for (let at = 0; at < view.length; ) {
      const length = view[at]!;
      const pad = -length & 7;
      assert.deepEqual(view.subarray(at + 8 + length, at + 8 + length + pad), new Uint8Array(pad));
      at += 8 + length + pad;
    }
  });

  it("grows for a large entry and lets the buffer go afterwards", () => {
    const encoder = new RecordEncoder(0);
    const data = new Uint8Array(9_000_000).map((_, at) => at * 31);
    encoder.addEntry({ type: 0, term: 1, index: 1, data });
    const large = encoder.view();
    encoder.reset();
    encoder.addEntry({ type: 0, term: 1, index: 2, data: new Uint8Array(1) });
    assert.notEqual(encoder.view().buffer, large.buffer);
    assert.ok(encoder.view().buffer.byteLength < 1_000_000);
  });
});
