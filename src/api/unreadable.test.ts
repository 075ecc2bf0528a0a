// What cannot be read is refused by every method and never gets into the log, where it would stop
// each member that comes to it, at every start.

import assert from "node:assert/strict";
import { test } from "node:test";
import { served } from "../../test/watch/served-member.ts";
import { decodePutResponse, encodePutRequest } from "../wire/messages/rpc-kv.ts";
import { ProtoError } from "../wire/protobuf/proto-error.ts";
import { Code } from "../wire/status.ts";

const UNREADABLE: readonly (readonly [string, Uint8Array])[] = [
  ["a number that is cut", Uint8Array.of(0x08)],
  ["a number of eleven bytes", Uint8Array.of(0x08, ...Array<number>(10).fill(0xff), 1)],
  ["an overflowing number", Uint8Array.of(0x08, ...Array<number>(9).fill(0xff), 2)],
  ["bytes that are cut", Uint8Array.of(0x0a, 5, 1)],
  ["a group", Uint8Array.of(0x0b)],
  ["field number zero", Uint8Array.of(0x00, 1)],
  ["an unknown field that is cut", Uint8Array.of(0xba, 0x3e, 9)],
];

for (const [what, message] of UNREADABLE) {
  test(`refused by all methods: ${what}`, () => {
    const bench = served();
    for (const [path, method] of bench.methods) {
      if (method.kind !== "unary") continue;
      let refusal: string;
      try {
        refusal = bench.refusal(path, message);
      } catch (error) {
        // The transport makes an answer of it.
        assert.ok(error instanceof ProtoError, `${path}: ${error}`);
        continue;
      }
      assert.match(refusal, new RegExp(`^${Code.Internal} .*unmarshalling`), path);
    }
    const put = encodePutRequest({ key: Buffer.from("k") });
    const { header } = bench.ask("/etcdserverpb.KV/Put", put, decodePutResponse);
    assert.equal(header?.revision, 2);
  });
}
