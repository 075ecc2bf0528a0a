import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytes, text } from "../../client/bytes.ts";
import {
  CompareResult,
  CompareTarget,
  decodeTxnRequest,
  encodeTxnResponse,
  type TxnRequest,
} from "../../wire/messages/rpc-kv.ts";
import { quote } from "../flags/go-text.ts";
import { type Ran, run } from "./testing/fake-world.ts";
import { splitWords } from "./txn-parser.ts";

const header = { clusterId: 1n, memberId: 2n, revision: 6, raftTerm: 2 };
const kv = {
  key: bytes("key1"),
  value: bytes("11"),
  createRevision: 2,
  modRevision: 4,
  version: 2,
};
const done = encodeTxnResponse({
  header,
  succeeded: true,
  responses: [
    { responsePut: { header: { revision: 6 } } },
    { responseRange: { header: { revision: 6 }, kvs: [kv], count: 1 } },
    { responseDeleteRange: { header: { revision: 6 } } },
  ],
});

function txn(stdin: string, ...words: string[]): Promise<Ran> {
  return run(["txn", ...words], { stdin, answer: () => done });
}

async function requestOf(stdin: string): Promise<TxnRequest> {
  const { calls, err } = await txn(stdin);
  assert.equal(calls.length, 1, err);
  return decodeTxnRequest(calls[0]!.message);
}

test("three blocks become one request", async () => {
  const request = await requestOf(
    'value("key1") = "11"\nmod("key2") > "3"\n\nput a "two words"\nget b --prefix\n\ndel c d --range\n\n',
  );
  assert.deepEqual(
    request.compare.map(({ key, target, result }) => [text(key), target, result]),
    [
      ["key1", CompareTarget.VALUE, CompareResult.EQUAL],
      ["key2", CompareTarget.MOD, CompareResult.GREATER],
    ],
  );
  assert.equal(text(request.compare[0]?.value ?? bytes("")), "11");
  assert.equal(request.compare[1]?.modRevision, 3);
  assert.equal(text(request.success[0]?.requestPut?.value ?? bytes("")), "two words");
  assert.equal(text(request.success[1]?.requestRange?.rangeEnd ?? bytes("")), "c");
  assert.equal(text(request.failure[0]?.requestDeleteRange?.rangeEnd ?? bytes("")), "d");
});

test("the answer in each format", async () => {
  const stdin = "\n\n\n";
  assert.equal((await txn(stdin)).out, "SUCCESS\n\nOK\n\nkey1\n11\n\n0\n");
  assert.equal(
    (await txn(stdin, "-w", "json")).out,
    '{"header":{"cluster_id":1,"member_id":2,"revision":6,"raft_term":2},"succeeded":true,' +
      '"responses":[{"Response":{"response_put":{"header":{"revision":6}}}},' +
      '{"Response":{"response_range":{"header":{"revision":6},"kvs":[{"key":"a2V5MQ==",' +
      '"create_revision":2,"mod_revision":4,"version":2,"value":"MTE="}],"count":1}}},' +
      '{"Response":{"response_delete_range":{"header":{"revision":6}}}}]}\n',
  );
  const { out } = await txn(stdin, "-w", "fields");
  assert.match(out, /"Succeeded" : true\n"ClusterID" : 0\n"MemberID" : 0\n"Revision" : 6\n/);
  assert.match(out, /"Count" : 1\n[\s\S]*"Deleted" : 0\n$/);
  const { outBytes } = await txn(stdin, "-w", "protobuf");
  assert.deepEqual(outBytes, Buffer.from(done));
});

test("interactive: prompts come before each block", async () => {
  const { out } = await txn("\nget a\n\n\n", "-i");
  assert.equal(
    out,
    "compares:\nsuccess requests (get, put, del):\nfailure requests (get, put, del):\n" +
      "SUCCESS\n\nOK\n\nkey1\n11\n\n0\n",
  );
});

test("input that ends early is no transaction", async () => {
  for (const stdin of ["", "\n", "\n\n", 'value("a") = "b"', "\nget a\n\nget b"]) {
    const { code, err, calls } = await txn(stdin);
    assert.deepEqual([code, err, calls.length], [3, "Error: EOF\n", 0]);
  }
});

test("compares in all spellings", async () => {
  const accepted: [string, CompareTarget, CompareResult][] = [
    ['val("k") = "v"', CompareTarget.VALUE, CompareResult.EQUAL],
    ['  value( "k") !=   "v" and more', CompareTarget.VALUE, CompareResult.NOT_EQUAL],
    ["value(`k`) < `v`", CompareTarget.VALUE, CompareResult.LESS],
    ['ver("k") = "-1"', CompareTarget.VERSION, CompareResult.EQUAL],
    ['version("k") > "1"', CompareTarget.VERSION, CompareResult.GREATER],
    ['c("k") = "2"', CompareTarget.CREATE, CompareResult.EQUAL],
    ['create("k")\t=\t"2"', CompareTarget.CREATE, CompareResult.EQUAL],
    ['m("k") = "2"', CompareTarget.MOD, CompareResult.EQUAL],
  ];
  for (const [line, target, result] of accepted) {
    const { compare } = await requestOf(`${line}\n\n\n\n`);
    assert.deepEqual([compare[0]?.target, compare[0]?.result], [target, result], line);
    assert.equal(text(compare[0]?.key ?? bytes("")), "k");
  }
});

test("compares that are refused, with what was understood of them", async () => {
  const cases: [string, string][] = [
    ["nonsense", "malformed comparison: nonsense"],
    ['value("k")="v"', 'malformed comparison: value("k")="v"; got value("k")  ""'],
    ['value("k") ="v"', 'malformed comparison: value("k") ="v"; got value("k") ="v" ""'],
    ['value("k") = v', 'malformed comparison: value("k") = v; got value("k") = ""'],
    ["value('k') = 'v'", "malformed comparison: value('k') = 'v'; got value(\"\")  \"\""],
    ['value("k" ) = "v"', 'malformed comparison: value("k" ) = "v"; got value("k")  ""'],
    ['value("k") = "\\q"', 'malformed comparison: value("k") = "\\q"; got value("k") = ""'],
    ['v("k") = "2"', 'malformed comparison: v("k") = "2" (unknown target v)'],
    ['value ("k") = "2"', 'malformed comparison: value ("k") = "2" (unknown target value )'],
    ['mod("k") = "x"', 'invalid txn compare request: mod("k") = "x"'],
  ];
  for (const [line, message] of cases) {
    const { code, err } = await txn(`${line}\n\n\n\n`);
    assert.deepEqual([code, err], [3, `Error: ${message}\n`]);
  }
});

test("operators that only the stock tool's own checks refuse end it as a panic", async () => {
  const equal = await txn('value("k") == "v"\n\n\n\n');
  assert.deepEqual([equal.code, equal.calls.length], [2, 0]);
  assert.match(equal.err, /^panic: Unknown result op\n\ngoroutine 1 \[running\]:\n/);
  const lease = await txn('lease("k") = "0"\n\n\n\n');
  assert.equal(lease.code, 2);
  assert.match(lease.err, /^panic: bad value\n/);
});

test("requests that are refused", async () => {
  const cases: [string, number, string][] = [
    ["put", 3, "invalid txn compare request: put"],
    ["DEL x", 3, "invalid txn request: DEL x"],
    ["watch x", 3, "invalid txn request: watch x"],
    ['put x "\\q"', 3, "invalid syntax"],
    ["put x", 128, "put command needs 1 argument and input from stdin or 2 arguments"],
    ["get k --order=BAD", 4, "bad sort order BAD"],
  ];
  for (const [line, code, message] of cases) {
    const ran = await txn(`\n${line}\n\n\n`);
    assert.deepEqual([ran.code, ran.err], [code, `Error: ${message}\n`]);
  }
});

test("a wrong flag in a request shows the flags of that request", async () => {
  const { code, err } = await txn("\nget x --nosuch\n\n\n");
  assert.equal(code, 3);
  assert.match(err, /^Usage:\n.* get \[options\][\s\S]*--print-value-only/);
  assert.match(err, /\nError: invalid txn request: get x --nosuch\n$/);
});

test("words of a line: quotes keep them together", () => {
  assert.deepEqual(splitWords('put x "two words"'), ["put", "x", "two words"]);
  assert.deepEqual(splitWords("put x 'single quoted'"), ["put", "x", "single quoted"]);
  assert.deepEqual(splitWords('put x "new\\nline" ""'), ["put", "x", "new\nline", ""]);
  assert.deepEqual(splitWords('put x a"b"c'), ["put", "x", 'a"b"c']);
  assert.deepEqual(splitWords('put x "a""b"'), ["put", "x", "a", "b"]);
  assert.deepEqual(splitWords('put "unterminated'), ["put", "unterminated"]);
});

test("any value written in double quotes is read back", () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      const wellFormed = Buffer.from(value).toString();
      assert.deepEqual(splitWords(`put k ${quote(wellFormed)}`), ["put", "k", wellFormed]);
    }),
  );
});
