// Looked at where it lies, a transaction is what it is when it is decoded.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { txn } from "../../test/model/arbitraries.ts";
import { txnCostBytes } from "../state/quota.ts";
import {
  decodeTxnRequest,
  encodeTxnRequest,
  type RequestOpInit,
  type SortOrder,
  type TxnRequestInit,
} from "../wire/messages/rpc-kv.ts";
import { ProtoError } from "../wire/protobuf/proto-error.ts";
import { checkTxn } from "./kv-validate.ts";
import { usualTxnCost } from "./usual-txn.ts";

/** What decoding says: the cost if the request may be proposed, else -1; or "unreadable". */
function decodedCost(bytes: Uint8Array, opsMax: number): number | "unreadable" {
  try {
    const request = decodeTxnRequest(bytes, 0, bytes.length);
    const isChange = [...request.success, ...request.failure].some(
      (op) => op.requestRange === undefined,
    );
    return checkTxn(request, opsMax) === null && isChange
      ? txnCostBytes(bytes, 0, bytes.length)
      : -1;
  } catch (error) {
    assert.ok(error instanceof ProtoError);
    return "unreadable";
  }
}

/** -1 leaves it open; all else has to be what decoding says. */
function agrees(bytes: Uint8Array, opsMax: number): boolean {
  let cost: number;
  try {
    cost = usualTxnCost(bytes, 0, bytes.length, opsMax);
  } catch (error) {
    assert.ok(error instanceof ProtoError);
    assert.equal(decodedCost(bytes, opsMax), "unreadable");
    return true;
  }
  if (cost >= 0) assert.equal(cost, decodedCost(bytes, opsMax));
  return cost >= 0;
}

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
const put: RequestOpInit = { requestPut: { key: bytes("k"), value: bytes("v"), lease: 7n } };
const get: RequestOpInit = { requestRange: { key: bytes("k"), limit: 1 } };
const update: TxnRequestInit = {
  compare: [{ target: 2, result: 0, key: bytes("k"), modRevision: 5 }],
  success: [put],
  failure: [get],
};

test("random transactions, whole, extended, cut and damaged", () => {
  const damage = fc.record({
    at: fc.nat(),
    byte: fc.nat(255),
    kind: fc.constantFrom("none", "none", "set", "cut", "insert", "twice"),
  });
  const request = fc.oneof(txn, fc.constant(update));
  fc.assert(
    fc.property(
      request,
      damage,
      fc.integer({ min: 0, max: 4 }),
      (init, { at, byte, kind }, max) => {
        const whole = encodeTxnRequest(init);
        const place = whole.length === 0 ? 0 : at % whole.length;
        const rest = whole.subarray(place);
        if (kind === "none") agrees(whole, max);
        else if (kind === "cut") agrees(whole.subarray(0, place), max);
        else if (kind === "twice") agrees(Buffer.concat([whole, whole]), max);
        else {
          const behind = kind === "set" ? rest.subarray(1) : rest;
          agrees(Buffer.concat([whole.subarray(0, place), Uint8Array.of(byte), behind]), max);
        }
      },
    ),
    { numRuns: 3000 },
  );
});

test("what Kubernetes sends is usual", () => {
  assert.ok(agrees(encodeTxnRequest(update), 128));
  assert.ok(agrees(encodeTxnRequest({ ...update, failure: [] }), 128));
  assert.ok(agrees(encodeTxnRequest({ success: [get, put] }), 128));
});

test("what needs a closer look is not", () => {
  const none = (request: TxnRequestInit, opsMax = 128): void =>
    assert.equal(usualTxnCost(...whole(encodeTxnRequest(request)), opsMax), -1);
  const whole = (request: Uint8Array): [Uint8Array, number, number] => [request, 0, request.length];
  none({});
  none({ success: [get] });
  none({ success: [put, put] });
  none({ success: [put], failure: [{}] });
  none({ success: [put, { requestDeleteRange: { key: bytes("a") } }] });
  none({ success: [put, { requestTxn: update }] });
  none({ ...update, compare: [{ target: 2, key: bytes("") }] });
  none({ success: [{ requestPut: { key: bytes("") } }] });
  none({ success: [{ requestPut: { key: bytes("k"), value: bytes("v"), ignoreValue: true } }] });
  none({ success: [put, { requestRange: { key: bytes("k"), sortOrder: 9 as SortOrder } }] });
  none(update, 0);
  const twoInOne = Buffer.concat([
    Uint8Array.of(0x12, 12),
    ...Array(2)
      .fill([0x12, 4, 10, 2, 65, 66])
      .map((b) => Uint8Array.from(b)),
  ]);
  assert.equal(usualTxnCost(...whole(twoInOne), 128), -1);
});
