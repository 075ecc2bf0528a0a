// The hand-written readers and writers of the hot path mean the same as the generated codecs.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Errors } from "./errors.ts";
import {
  Proposal,
  RequestField,
  readProposal,
  sizeOfProposal,
  writeProposal,
} from "./internal-raft-request.ts";
import { KeyValueView, sizeKeyValueOf, viewKeyValue, writeKeyValueOf } from "./key-value.ts";
import { PutView, RangeView, readPut, readRange } from "./kv-requests.ts";
import {
  HeaderTemplate,
  sizePutAnswer,
  sizeRangeAnswer,
  writePutAnswer,
  writeRangeAnswer,
} from "./kv-responses.ts";
import { decodeKeyValue, encodeKeyValue } from "./messages/kv.ts";
import { decodeInternalRaftRequest, encodeInternalRaftRequest } from "./messages/raft-internal.ts";
import { decodeResponseHeader, encodeResponseHeader } from "./messages/rpc.ts";
import {
  decodePutRequest,
  decodeRangeRequest,
  encodePutRequest,
  encodePutResponse,
  encodeRangeRequest,
  encodeRangeResponse,
} from "./messages/rpc-kv.ts";
import { ProtoError } from "./protobuf/proto-error.ts";
import { Code } from "./status.ts";

const LOW_48_MAX = 2 ** 48 - 1;
const int64 = fc.oneof(
  fc.nat(200),
  fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
);
const counter = fc.oneof(fc.nat(200), fc.nat(2 ** 31 - 1), fc.maxSafeNat());
const lease = fc.oneof(fc.constant(0n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n));
const idLow48 = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat().map((value) => value % (LOW_48_MAX + 1)),
);

/** Lays `body` between other bytes, as requests lie in a read buffer. */
function embed(body: Uint8Array, pad: number): Uint8Array {
  const whole = new Uint8Array(body.length + 2 * pad).fill(0x0a);
  whole.set(body, pad);
  return whole;
}

test("readPut agrees with decodePutRequest", () => {
  const out = new PutView();
  const request = fc.record({
    key: fc.uint8Array({ maxLength: 200 }),
    value: fc.uint8Array({ maxLength: 200 }),
    lease,
    prevKv: fc.boolean(),
    ignoreValue: fc.boolean(),
    ignoreLease: fc.boolean(),
  });
  fc.assert(
    fc.property(request, fc.nat(5), (init, pad) => {
      const bytes = embed(encodePutRequest(init), pad);
      readPut(bytes, pad, bytes.length - pad, out);
      assert.deepEqual(bytes.slice(out.keyStart, out.keyEnd), init.key);
      assert.deepEqual(bytes.slice(out.valueStart, out.valueEnd), init.value);
      const { lease, prevKv, ignoreValue, ignoreLease } = out;
      const { key: _key, value: _value, ...rest } = init;
      assert.deepEqual({ lease, prevKv, ignoreValue, ignoreLease }, rest);
    }),
  );
});

test("readRange agrees with decodeRangeRequest", () => {
  const out = new RangeView();
  const request = fc.record({
    key: fc.uint8Array({ maxLength: 20 }),
    rangeEnd: fc.uint8Array({ maxLength: 20 }),
    limit: int64,
    revision: int64,
    sortOrder: fc.constantFrom(0 as const, 1 as const, 2 as const),
    sortTarget: fc.constantFrom(0 as const, 3 as const, 4 as const),
    serializable: fc.boolean(),
    keysOnly: fc.boolean(),
    countOnly: fc.boolean(),
    minModRevision: int64,
    maxModRevision: int64,
    minCreateRevision: int64,
    maxCreateRevision: int64,
  });
  fc.assert(
    fc.property(request, fc.nat(5), (init, pad) => {
      const bytes = embed(encodeRangeRequest(init), pad);
      readRange(bytes, pad, bytes.length - pad, out);
      const { keyStart, keyEnd, rangeEndStart, rangeEndEnd, ...rest } = out;
      const key = bytes.slice(keyStart, keyEnd);
      const rangeEnd = bytes.slice(rangeEndStart, rangeEndEnd);
      assert.deepEqual({ key, rangeEnd, ...rest }, { ...init });
    }),
  );
});

test("readers of the hot path accept and refuse what the generated ones do", () => {
  const put = new PutView();
  const range = new RangeView();
  const fails = (run: () => void): boolean => {
    try {
      run();
      return false;
    } catch (error) {
      assert.ok(error instanceof ProtoError);
      return true;
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 16 }), (bytes) => {
      assert.equal(
        fails(() => readPut(bytes, 0, bytes.length, put)),
        fails(() => decodePutRequest(bytes)),
      );
      assert.equal(
        fails(() => readRange(bytes, 0, bytes.length, range)),
        fails(() => decodeRangeRequest(bytes)),
      );
      fails(() => readProposal(bytes, new Proposal()));
      fails(() => viewKeyValue(bytes, 0, bytes.length, new KeyValueView()));
    }),
    { numRuns: 2000 },
  );
});

test("a view keeps nothing of the message before", () => {
  const put = new PutView();
  const full = encodePutRequest({ key: Uint8Array.of(1), value: Uint8Array.of(2), lease: 5n });
  readPut(full, 0, full.length, put);
  readPut(full, 0, 0, put);
  assert.deepEqual(put, new PutView());
  const range = new RangeView();
  const other = encodeRangeRequest({ key: Uint8Array.of(1), limit: 3, maxModRevision: 9 });
  readRange(other, 0, other.length, range);
  readRange(other, 0, 0, range);
  assert.deepEqual(range, new RangeView());
});

test("KeyValue from parts is what the generated encoder writes, and is viewed again", () => {
  const parts = fc.record({
    key: fc.uint8Array({ maxLength: 200 }),
    createRevision: counter,
    modRevision: counter,
    version: counter,
    value: fc.uint8Array({ maxLength: 300 }),
    lease,
  });
  fc.assert(
    fc.property(parts, fc.nat(5), (kv, pad) => {
      const { createRevision, modRevision, version } = kv;
      const expected = encodeKeyValue(kv);
      const size = sizeKeyValueOf(
        kv.key.length,
        createRevision,
        modRevision,
        version,
        kv.value.length,
        kv.lease,
      );
      assert.equal(size, expected.length);
      const target = new Uint8Array(size + 2 * pad);
      const end = writeKeyValueOf(
        target,
        pad,
        embed(kv.key, pad),
        pad,
        pad + kv.key.length,
        createRevision,
        modRevision,
        version,
        embed(kv.value, pad),
        pad,
        pad + kv.value.length,
        kv.lease,
      );
      assert.equal(end, pad + size);
      assert.deepEqual(target.slice(pad, end), expected);
      const view = new KeyValueView();
      viewKeyValue(target, pad, end, view);
      assert.deepEqual(target.slice(view.keyStart, view.keyEnd), kv.key);
      assert.deepEqual(target.slice(view.valueStart, view.valueEnd), kv.value);
      assert.deepEqual(
        [view.createRevision, view.modRevision, view.version, view.lease],
        [createRevision, modRevision, version, kv.lease],
      );
      assert.deepEqual(decodeKeyValue(expected).lease, kv.lease);
    }),
  );
});

test("a proposal is what the generated encoder writes", () => {
  const put = encodePutRequest({ key: Uint8Array.of(1, 2), value: new Uint8Array(100) });
  fc.assert(
    fc.property(
      fc.nat(0xffff),
      idLow48,
      fc.boolean(),
      fc.option(fc.string({ minLength: 1, maxLength: 20 }), { nil: "" }),
      counter,
      fc.nat(5),
      (high, low, isAuth, username, authRevision, pad) => {
        const id = (BigInt(high) << 48n) | BigInt(low);
        const field = isAuth ? RequestField.AuthUserAdd : RequestField.Put;
        // The header always carries the id, be it zero; ids of members never are.
        fc.pre(id !== 0n);
        const expected = encodeInternalRaftRequest({
          header: { id, username, authRevision },
          ...(isAuth ? { authUserAdd: put } : { put }),
        });
        const size = sizeOfProposal(high, low, field, put.length, username, authRevision);
        assert.equal(size, expected.length);
        const target = new Uint8Array(size + pad);
        const source = embed(put, pad);
        const to = pad + put.length;
        const end = writeProposal(
          target,
          pad,
          high,
          low,
          field,
          source,
          pad,
          to,
          username,
          authRevision,
        );
        assert.equal(end, pad + size);
        assert.deepEqual(target.slice(pad), expected);
        const out = new Proposal();
        readProposal(target, out, pad, end);
        assert.deepEqual(target.slice(out.start, out.end), put);
        assert.deepEqual(
          [out.idHigh, out.idLow48, out.field, out.username, out.authRevision],
          [high, low, field, username, authRevision],
        );
      },
    ),
  );
});

test("a proposal without user is read after one with user", () => {
  const out = new Proposal();
  const first = encodeInternalRaftRequest({
    header: { id: 1n, username: "root", authRevision: 4 },
    txn: {},
  });
  readProposal(first, out);
  assert.deepEqual([out.field, out.end - out.start], [RequestField.Txn, 0]);
  readProposal(encodeInternalRaftRequest({}), out);
  assert.deepEqual(out, new Proposal());
});

test("entries of older members: id in field 1, before or beside a header", () => {
  const out = new Proposal();
  const id = (0xabcdn << 48n) | 0x123456789abcn;
  for (const header of [undefined, { id: 7n }]) {
    const entry = encodeInternalRaftRequest({ id, header, leaseRevoke: { id: 5n } });
    readProposal(entry, out);
    assert.deepEqual([out.idHigh, out.idLow48], [0xabcd, 0x123456789abc]);
    assert.equal(out.field, RequestField.LeaseRevoke);
  }
  readProposal(encodeInternalRaftRequest({ id: 0n, header: { id: 7n }, range: {} }), out);
  assert.equal(out.idLow48, 7);
});

test("two requests in one entry are malformed, an unknown one is reported by number", () => {
  const out = new Proposal();
  const put = encodeInternalRaftRequest({ header: { id: 1n }, put: {}, txn: {} });
  assert.throws(() => readProposal(put, out), ProtoError);
  // field 77, length-delimited, one byte
  readProposal(Uint8Array.of(0xea, 0x04, 0x01, 0xff), out);
  assert.deepEqual([out.field, out.end - out.start], [77, 1]);
});

test("the numbers of RequestField are those of the schema", () => {
  for (const [name, number] of Object.entries(RequestField)) {
    if (name === "None" || name === "V2") continue;
    const property = name.charAt(0).toLowerCase() + name.slice(1);
    const entry = encodeInternalRaftRequest({ [property]: {} });
    const out = new Proposal();
    readProposal(entry, out);
    assert.equal(out.field, number, name);
    const decoded = decodeInternalRaftRequest(entry) as unknown as Record<string, unknown>;
    assert.notEqual(decoded[property], undefined, name);
  }
});

test("answers from a header template are what the generated encoders write", () => {
  const uint64 = fc.bigInt(0n, 2n ** 64n - 1n);
  const record = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(
      fc.tuple(uint64, uint64, counter, counter),
      fc.array(record, { maxLength: 5 }),
      fc.boolean(),
      counter,
      ([clusterId, memberId, revision, raftTerm], kvs, more, count) => {
        const template = new HeaderTemplate(clusterId, memberId);
        const header = encodeResponseHeader({ clusterId, memberId, revision, raftTerm });
        assert.deepEqual(template.encode(revision, raftTerm), header);
        assert.equal(decodeResponseHeader(header).memberId, memberId);

        const columns = {
          buffers: kvs.map((kv) => embed(kv, 3)),
          starts: kvs.map(() => 3),
          ends: kvs.map((kv) => 3 + kv.length),
          count: kvs.length,
        };
        const expected = encodeRangeResponse({ header, kvs, more, count });
        const size = sizeRangeAnswer(template, revision, raftTerm, columns, more, count);
        assert.equal(size, expected.length);
        const target = new Uint8Array(size + 1);
        writeRangeAnswer(target, 1, template, revision, raftTerm, columns, more, count);
        assert.deepEqual(target.slice(1), expected);

        const prev = kvs[0];
        const putExpected = encodePutResponse({ header, prevKv: prev });
        const putSize = sizePutAnswer(template, revision, raftTerm, prev?.length ?? -1);
        assert.equal(putSize, putExpected.length);
        const putTarget = new Uint8Array(putSize);
        const length = prev?.length ?? 0;
        const source = prev === undefined ? undefined : embed(prev, 3);
        writePutAnswer(putTarget, 0, template, revision, raftTerm, source, 3, 3 + length);
        assert.deepEqual(putTarget, putExpected);
      },
    ),
  );
});

test("errors: 63, of eleven codes, each with its prefix", () => {
  const all = Object.values(Errors);
  assert.equal(all.length, 63);
  assert.equal(new Set(all.map(({ message }) => message)).size, 63);
  assert.equal(new Set(all.map(({ code }) => code)).size, 11);
  assert.ok(all.every(({ message }) => message.startsWith("etcdserver: ")));
  assert.deepEqual(
    { ...Errors.Compacted },
    {
      code: Code.OutOfRange,
      message: "etcdserver: mvcc: required revision has been compacted",
    },
  );
});
