// JSON of messages against what Go's protojson and encoding/json, as the gateway uses them, answer.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { fromJson } from "./from-json.ts";
import { JsonError, nextJsonValue } from "./json-scan.ts";
import { ResponseHeader_DESCRIPTOR } from "./messages/rpc.ts";
import { AuthUserAddRequest_DESCRIPTOR, encodeAuthUserAddRequest } from "./messages/rpc-auth.ts";
import {
  Compare_DESCRIPTOR,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
  encodeRequestOp,
  encodeTxnRequest,
  PutRequest_DESCRIPTOR,
  RangeRequest_DESCRIPTOR,
  RangeResponse_DESCRIPTOR,
  RequestOp_DESCRIPTOR,
  TxnRequest_DESCRIPTOR,
} from "./messages/rpc-kv.ts";
import { LeaseGrantRequest_DESCRIPTOR, LeaseStatus_DESCRIPTOR } from "./messages/rpc-lease.ts";
import { AlarmRequest_DESCRIPTOR } from "./messages/rpc-maintenance.ts";
import { WatchCreateRequest_DESCRIPTOR } from "./messages/rpc-watch.ts";
import type { MessageDescriptor } from "./protobuf/descriptor.ts";
import { ProtoError } from "./protobuf/proto-error.ts";
import { toJson } from "./to-json.ts";

const RANGE = RangeRequest_DESCRIPTOR;
const PUT = PutRequest_DESCRIPTOR;

/** Encoded message and JSON, both written by Go from the same message. */
const PAIRS: readonly (readonly [MessageDescriptor, string, string])[] = [
  [
    RANGE,
    "0a03666f6f1203666f7018ffffffffffffffffff0120818080808080801028023004480168808001",
    '{"key":"Zm9v", "range_end":"Zm9w", "limit":"-1", "revision":"9007199254740993", ' +
      '"sort_order":"DESCEND", "sort_target":"VALUE", "count_only":true, ' +
      '"max_create_revision":"16384"}',
  ],
  [
    Compare_DESCRIPTOR,
    "080210041a016b8204016c4000",
    '{"result":"LESS", "target":"LEASE", "key":"aw==", "lease":"0", "range_end":"bA=="}',
  ],
  [
    ResponseHeader_DESCRIPTOR,
    "08b298eaf1948386fccd0110cdd2918bd2b881cf8e01188080808080808080402002",
    '{"cluster_id":"14841639068965178418", "member_id":"10276657743932975437", ' +
      '"revision":"4611686018427387904", "raft_term":"2"}',
  ],
  [
    WatchCreateRequest_DESCRIPTOR,
    "0a016b18fbffffffffffffffff012a02010038ac02",
    '{"key":"aw==", "start_revision":"-5", "filters":["NODELETE", "NOPUT"], "watch_id":"300"}',
  ],
  [LeaseStatus_DESCRIPTOR, "0880808080808080808001", '{"ID":"-9223372036854775808"}'],
  [RangeResponse_DESCRIPTOR, "0a0012001801", '{"header":{}, "kvs":[{}], "more":true}'],
  [AlarmRequest_DESCRIPTOR, "0807", '{"action":7}'],
  [RequestOp_DESCRIPTOR, "0a00", '{"request_range":{}}'],
  [PUT, "", "{}"],
];

test("messages and JSON are those of Go", () => {
  for (const [descriptor, hex, json] of PAIRS) {
    const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
    assert.equal(toJson(descriptor, bytes), json);
    assert.equal(Buffer.from(fromJson(descriptor, json)).toString("hex"), hex, json);
    const compact = toJson(descriptor, bytes, 0, bytes.length, "compact");
    assert.equal(compact, json.replaceAll(", ", ","));
  }
});

test("only the given part of the bytes is read", () => {
  const bytes = Uint8Array.from(Buffer.from("ffff0a016bffff", "hex"));
  assert.equal(toJson(PUT, bytes, 2, 5), '{"key":"aw=="}');
  assert.throws(() => toJson(PUT, bytes), ProtoError);
});

test("strings: quotes, control characters, and HTML in chunks of streams", () => {
  const name = 'a"\\\n\u0001<b>&\u2028é😀';
  const bytes = encodeAuthUserAddRequest({ name });
  const descriptor = AuthUserAddRequest_DESCRIPTOR;
  assert.equal(toJson(descriptor, bytes), '{"name":"a\\"\\\\\\n\\u0001<b>&\u2028é😀"}');
  assert.equal(
    toJson(descriptor, bytes, 0, bytes.length, "compact"),
    '{"name":"a\\"\\\\\\n\\u0001\\u003cb\\u003e\\u0026\\u2028é😀"}',
  );
  assert.deepEqual(fromJson(descriptor, toJson(descriptor, bytes)), bytes);
  assert.deepEqual(fromJson(descriptor, JSON.stringify({ name })), bytes);
});

test("names in both spellings; unknown names and enum names are ignored, null is absent", () => {
  const put = decodePutRequest(
    fromJson(
      PUT,
      '{"key":"Zg==", "prevKv":true, "ignore_lease":true, "lease":null, "x":[{"y":1}]}',
    ),
  );
  assert.deepEqual([put.prevKv, put.ignoreLease, put.lease], [true, true, 0n]);
  const range = decodeRangeRequest(fromJson(RANGE, '{"sort_order":"BOGUS","sortTarget":"MOD"}'));
  assert.deepEqual([range.sortOrder, range.sortTarget], [0, 3]);
  assert.deepEqual(fromJson(LeaseGrantRequest_DESCRIPTOR, '{"ttl":5,"Key":1}'), new Uint8Array(0));
});

test("numbers: strings or numbers, whole in value, exact in all 64 bits", () => {
  const accepted: Record<string, bigint> = {
    '"9223372036854775807"': 2n ** 63n - 1n,
    "-9223372036854775808": -(2n ** 63n),
    "1.0": 1n,
    "1e3": 1000n,
    "12.50e1": 125n,
    "100e-2": 1n,
    "-0": 0n,
    '"7"': 7n,
    '"3["': 3n,
    '"3 4"': 3n,
    '"1e1,x"': 10n,
  };
  for (const [json, value] of Object.entries(accepted)) {
    assert.equal(decodePutRequest(fromJson(PUT, `{"lease":${json}}`)).lease, value, json);
  }
  const refused = ["1.5", "1e-1", "9223372036854775808", '" 1"', '"x"', '""', "true", "[]", "1e30"];
  refused.push('"3x"', '"3_"', '"3 "', '"1.5,"', '"1e"');
  for (const json of refused) {
    const shown = json.replace("]", "");
    assert.throws(() => fromJson(PUT, `{"lease":${json}}`), {
      name: "JsonError",
      message: `proto:\u00a0(line 1:10): invalid value for int64 field lease: ${shown}`,
    });
  }
});

test("base64: both alphabets, padded or not, line ends ignored", () => {
  const decoded: Record<string, string | undefined> = {
    Zm9v: "666f6f",
    "Zm8=": "666f",
    Zm8: "666f",
    "Zg==": "66",
    "_-8=": "ffef",
    "_-8": "ffef",
    "/+8=": "ffef",
    "Zm9v\n": "666f6f",
    "": "",
    "!!!": undefined,
    Z: undefined,
    Zm9vZ: undefined,
    "Zg=": undefined,
    "Zg==Zg==": undefined,
    "/_==": undefined,
  };
  for (const [text, hex] of Object.entries(decoded)) {
    const bytes = decodeBase64(text);
    assert.equal(bytes && Buffer.from(bytes).toString("hex"), hex, text);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
      const text = encodeBase64(bytes);
      assert.deepEqual(Uint8Array.from(decodeBase64(text)!), bytes);
      assert.deepEqual(Uint8Array.from(decodeBase64(text.replace(/=+$/, ""))!), bytes);
    }),
  );
});

/** Requests that are refused, with the text that etcd's gateway answers. */
const REFUSED: readonly (readonly [MessageDescriptor, string, string])[] = [
  [RANGE, "{", "unexpected EOF"],
  [RANGE, '{"key":"Zm9v', "unexpected EOF"],
  [RANGE, "-", "unexpected EOF"],
  [RANGE, "nonsense", "invalid character 'o' in literal null (expecting 'u')"],
  [RANGE, "x", "invalid character 'x' looking for beginning of value"],
  [RANGE, "{'key':'Zm9v'}", "invalid character '\\'' looking for beginning of object key string"],
  [RANGE, '{"key":"Zm9v",}', "invalid character '}' looking for beginning of object key string"],
  [RANGE, '{"key" "x"}', "invalid character '\"' after object key"],
  [RANGE, '{"key":1 2}', "invalid character '2' after object key:value pair"],
  [RANGE, "[1 2]", "invalid character '2' after array element"],
  [RANGE, '{"key":"\n"}', "invalid character '\\n' in string literal"],
  [RANGE, '{"key":"\\x"}', "invalid character 'x' in string escape code"],
  [RANGE, '{"key":"\\u00g0"}', "invalid character 'g' in \\u hexadecimal character escape"],
  [RANGE, '{"limit":-a}', "invalid character 'a' in numeric literal"],
  [RANGE, '{"limit":1.a}', "invalid character 'a' after decimal point in numeric literal"],
  [RANGE, '{"limit":1ea}', "invalid character 'a' in exponent of numeric literal"],
  [RANGE, '{"limit":01}', "invalid character '1' after object key:value pair"],
  [RANGE, "{é", "invalid character 'Ã' looking for beginning of object key string"],
  [RANGE, "[".repeat(10_001), "exceeded max depth"],
  [RANGE, "[]", "proto:\u00a0syntax error (line 1:1): unexpected token ["],
  [RANGE, '"x"', 'proto:\u00a0syntax error (line 1:1): unexpected token "x"'],
  [RANGE, "null", "proto:\u00a0syntax error (line 1:1): unexpected token null"],
  [RANGE, '{"key":"!!!"}', 'proto:\u00a0(line 1:8): invalid value for bytes field key: "!!!"'],
  [RANGE, '{"key":123}', "proto:\u00a0(line 1:8): invalid value for bytes field key: 123"],
  [RANGE, '\n {"key":\n  {}}', "proto:\u00a0(line 2:3): invalid value for bytes field key: {"],
  [RANGE, '{"key":"","key":""}', 'proto:\u00a0(line 1:11): duplicate field "key"'],
  [RANGE, '{"range_end":1}', "proto:\u00a0(line 1:14): invalid value for bytes field rangeEnd: 1"],
  [
    RANGE,
    '{"serializable":"true"}',
    'proto:\u00a0(line 1:17): invalid value for bool field serializable: "true"',
  ],
  [
    TxnRequest_DESCRIPTOR,
    '{"success": [{"request_put": {}, "request_range": {}}]}',
    'proto:\u00a0(line 1:34): error parsing "request_range", oneof ' +
      "etcdserverpb.RequestOp.request is already set",
  ],
  [
    TxnRequest_DESCRIPTOR,
    '{"success":{}}',
    "proto:\u00a0syntax error (line 1:12): unexpected token {",
  ],
  [
    TxnRequest_DESCRIPTOR,
    '{"success":[5]}',
    "proto:\u00a0syntax error (line 1:13): unexpected token 5",
  ],
  [
    AuthUserAddRequest_DESCRIPTOR,
    '{"name":"a\\ud800bcdefgh"}',
    'proto:\u00a0syntax error (line 1:9): invalid escape code "bcdefg" in string',
  ],
  [
    AuthUserAddRequest_DESCRIPTOR,
    '{"name":1}',
    "proto:\u00a0(line 1:9): invalid value for string field name: 1",
  ],
];

test("refused JSON has Go's words", () => {
  for (const [descriptor, json, message] of REFUSED) {
    assert.throws(() => fromJson(descriptor, json), { name: "JsonError", message }, json);
  }
});

test("values follow one another in a text", () => {
  const text = ' {"a":[1,{"b":"}"}]} 5\n"x"null ';
  const found: string[] = [];
  let at = 0;
  for (let span = nextJsonValue(text, at); span !== undefined; span = nextJsonValue(text, at)) {
    found.push(text.slice(span.start, span.end));
    at = span.end;
  }
  assert.deepEqual(found, ['{"a":[1,{"b":"}"}]}', "5", '"x"', "null"]);
});

test("what JSON.parse accepts and refuses, the scanner does too", () => {
  const piece = fc.constantFrom(
    ...'{}[],:"\\ \n0123-+.eE'.split(""),
    "true",
    "null",
    "\\u00e9",
    "a",
  );
  const text = fc.oneof(
    fc.json(),
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
  );
  fc.assert(
    fc.property(text, (value) => {
      let parses = true;
      try {
        JSON.parse(value);
      } catch {
        parses = false;
      }
      let scans = true;
      try {
        const span = nextJsonValue(value, 0);
        scans = span !== undefined && nextJsonValue(value, span.end) === undefined;
      } catch (error) {
        assert.ok(error instanceof JsonError);
        scans = false;
      }
      assert.equal(scans, parses, JSON.stringify(value));
    }),
    { numRuns: 3000 },
  );
});

test("a message field in two parts is shown merged, and of a oneof the last member", () => {
  const first = encodeRequestOp({ requestPut: { key: Uint8Array.of(107) } });
  const second = encodeRequestOp({ requestPut: { prevKv: true } });
  const bytes = Uint8Array.from([...first, ...second]);
  assert.equal(
    toJson(RequestOp_DESCRIPTOR, bytes),
    '{"request_put":{"key":"aw==", "prev_kv":true}}',
  );
  const last = Uint8Array.from([...bytes, ...encodeRequestOp({ requestRange: {} })]);
  assert.equal(toJson(RequestOp_DESCRIPTOR, last), '{"request_range":{}}');
});

test("deep messages: as deep as the decoder takes them, then a refusal", () => {
  const nest = (depth: number): string =>
    `${'{"success":[{"request_txn":'.repeat(depth)}{}${"}]}".repeat(depth)}`;
  const bytes = fromJson(TxnRequest_DESCRIPTOR, nest(400));
  assert.ok(decodeTxnRequest(bytes).success.length === 1);
  assert.equal(toJson(TxnRequest_DESCRIPTOR, bytes).length, nest(400).length);
  assert.throws(() => fromJson(TxnRequest_DESCRIPTOR, nest(600)), {
    message: "proto:\u00a0exceeded max recursion depth",
  });
  let nested: Uint8Array = new Uint8Array(0);
  for (let i = 0; i < 600; i++) nested = encodeTxnRequest({ success: [{ requestTxn: nested }] });
  assert.throws(() => toJson(TxnRequest_DESCRIPTOR, nested), ProtoError);
});
