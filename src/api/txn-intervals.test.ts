import assert from "node:assert/strict";
import { test } from "node:test";
import { Errors } from "../wire/errors.ts";
import { decodeTxnRequest, encodeTxnRequest, type RequestOpInit } from "../wire/messages/rpc-kv.ts";
import { checkTxn } from "./kv-validate.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const put = (key: string): RequestOpInit => ({
  requestPut: { key: bytes(key), value: bytes("v") },
});
const remove = (key: string, end = ""): RequestOpInit => ({
  requestDeleteRange: { key: bytes(key), rangeEnd: bytes(end) },
});
const nested = (success: RequestOpInit[], failure: RequestOpInit[] = []): RequestOpInit => ({
  requestTxn: { success, failure },
});

function check(success: RequestOpInit[], failure: RequestOpInit[] = [], opsMax = 128): unknown {
  return checkTxn(decodeTxnRequest(encodeTxnRequest({ success, failure })), opsMax);
}

test("a key may be put once in a branch, deletes may overlap", () => {
  assert.equal(check([put("a"), put("b")]), null);
  assert.equal(check([put("a"), put("a")]), Errors.DuplicateKey);
  assert.equal(check([put("a")], [put("a")]), null);
  assert.equal(check([remove("a", "z"), remove("b")]), null);
});

test("put and delete may not meet", () => {
  assert.equal(check([put("b"), remove("a", "c")]), Errors.DuplicateKey);
  assert.equal(check([put("c"), remove("a", "c")]), null);
  assert.equal(check([put("z"), remove("a", "\0")]), Errors.DuplicateKey);
  assert.equal(check([put("a"), remove("a")]), Errors.DuplicateKey);
  assert.equal(check([put("a\0"), remove("a")]), null);
});

test("nested transactions are part of the branch, their two branches exclude each other", () => {
  assert.equal(check([nested([put("a")], [put("a")])]), null);
  assert.equal(check([nested([put("a")]), put("a")]), Errors.DuplicateKey);
  assert.equal(check([nested([put("a")]), nested([], [put("a")])]), Errors.DuplicateKey);
  assert.equal(check([nested([remove("a", "z")]), put("b")]), Errors.DuplicateKey);
  assert.equal(check([remove("a", "z"), nested([put("b")])]), Errors.DuplicateKey);
});

test("the number of operations is limited, nested ones get what is left", () => {
  assert.equal(check([put("a"), put("b"), put("c")], [], 2), Errors.TooManyOps);
  assert.equal(check([nested([put("a"), put("b")])], [], 2), Errors.TooManyOps);
  assert.equal(check([nested([put("a")])], [], 2), null);
});

test("an operation that asks for nothing, and empty keys", () => {
  assert.equal(check([{}]), Errors.KeyNotFound);
  assert.equal(check([put("")]), Errors.EmptyKey);
  assert.equal(check([nested([remove("")])]), Errors.EmptyKey);
});
