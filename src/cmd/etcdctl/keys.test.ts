// put, get and del: what they ask for and how they show the answers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, text } from "../../client/bytes.ts";
import { Errors } from "../../wire/errors.ts";
import type { KeyValueInit } from "../../wire/messages/kv.ts";
import {
  decodeDeleteRangeRequest,
  decodePutRequest,
  decodeRangeRequest,
  encodeDeleteRangeResponse,
  encodePutResponse,
  encodeRangeResponse,
  encodeRangeStreamResponse,
  SortOrder,
  SortTarget,
} from "../../wire/messages/rpc-kv.ts";
import { plainErrors, run } from "./testing/fake-world.ts";

// More than a double can hold: ids must come out exactly.
const header = {
  clusterId: 17_237_436_991_929_493_444n,
  memberId: 9_372_538_179_322_589_801n,
  revision: 8,
  raftTerm: 2,
};
const lease = 0x694d7a4b4fe70201n;

function keyValue(key: string | Uint8Array, value: string | Uint8Array): KeyValueInit {
  return {
    key: typeof key === "string" ? bytes(key) : key,
    value: typeof value === "string" ? bytes(value) : value,
    createRevision: 2,
    modRevision: 5,
    version: 2,
    lease,
  };
}

const HEADER_JSON =
  '"header":{"cluster_id":17237436991929493444,"member_id":9372538179322589801,' +
  '"revision":8,"raft_term":2}';
const HEADER_FIELDS = `"ClusterID" : 17237436991929493444
"MemberID" : 9372538179322589801
"Revision" : 8
"RaftTerm" : 2
`;

const found = encodeRangeResponse({ header, kvs: [keyValue("k1", "v4")], count: 1 });
const answerFound = { answer: () => found };

test("get in each format", async () => {
  assert.equal((await run(["get", "k1"], answerFound)).out, "k1\nv4\n");
  assert.equal((await run(["get", "k1", "--hex"], answerFound)).out, "\\x6b\\x31\n\\x76\\x34\n");
  assert.equal(
    (await run(["get", "k1", "-w", "json"], answerFound)).out,
    `{${HEADER_JSON},"kvs":[{"key":"azE=","create_revision":2,"mod_revision":5,` +
      `"version":2,"value":"djQ=","lease":${lease}}],"count":1}\n`,
  );
  assert.equal(
    (await run(["get", "k1", "-w", "fields"], answerFound)).out,
    `${HEADER_FIELDS}"Key" : "k1"
"CreateRevision" : 2
"ModRevision" : 5
"Version" : 2
"Value" : "v4"
"Lease" : ${lease}
"More" : false
"Count" : 1
`,
  );
  const { outBytes } = await run(["-w", "protobuf", "get", "k1"], answerFound);
  assert.deepEqual(outBytes, Buffer.from(found));
});

test("fields with --hex have ids in hexadecimal", async () => {
  const { out } = await run(["--hex", "-w", "fields", "get", "k1"], answerFound);
  assert.match(out, /^"ClusterID" : ef37ad9dc622a7c4\n"MemberID" : 8211f1d0f64f3269\n/);
  assert.match(out, /\n"Lease" : 694d7a4b4fe70201\n/);
});

test("get: bytes that are no text come out as they are", async () => {
  const raw = Uint8Array.of(0, 1, 0xff, 0xfe);
  const answer = (): Uint8Array => encodeRangeResponse({ kvs: [keyValue(raw, raw)] });
  const { outBytes } = await run(["get", "x"], { answer });
  assert.deepEqual(outBytes, Buffer.concat([raw, Buffer.from("\n"), raw, Buffer.from("\n")]));
  const fields = await run(["get", "x", "-w", "fields"], { answer });
  assert.match(fields.out, /"Value" : "\\x00\\x01\\xff\\xfe"/);
});

test("get: formats that cannot be, after the call", async () => {
  const table = await run(["get", "k1", "-w", "table"], answerFound);
  assert.deepEqual([table.code, table.calls.length], [4, 1]);
  assert.equal(table.err, "Error: table not supported as output format\n");
  const yaml = await run(["get", "k1", "-w", "yaml"], answerFound);
  assert.deepEqual([yaml.code, yaml.calls.length], [4, 0]);
  assert.equal(yaml.err, "Error: unsupported output format\n");
});

test("get: flags become the request", async () => {
  const cases: [string[], Record<string, unknown>][] = [
    [["a", "c"], { key: bytes("a"), rangeEnd: bytes("c") }],
    [["a", "--prefix"], { key: bytes("a"), rangeEnd: bytes("b") }],
    [["a", "--from-key"], { key: bytes("a"), rangeEnd: Uint8Array.of(0) }],
    [["", "--prefix"], { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) }],
    [["", "--from-key"], { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) }],
    [["a", "--limit=2", "--rev=7", "--keys-only"], { limit: 2, revision: 7, keysOnly: true }],
    [["a", "--consistency=s"], { serializable: true }],
    [["a", "--order=descend"], { sortOrder: SortOrder.DESCEND, sortTarget: SortTarget.KEY }],
    [["a", "--sort-by=Modify"], { sortOrder: SortOrder.NONE, sortTarget: SortTarget.MOD }],
    // What the server does anyway is not asked for.
    [["a", "--order=ASCEND"], { sortOrder: SortOrder.NONE, sortTarget: SortTarget.KEY }],
    [["a", "--min-mod-rev=3", "--max-create-rev=4"], { minModRevision: 3, maxCreateRevision: 4 }],
  ];
  for (const [words, expected] of cases) {
    const { calls } = await run(["get", ...words], answerFound);
    assert.equal(calls[0]?.path, "/etcdserverpb.KV/Range");
    const request = decodeRangeRequest(calls[0].message) as unknown as Record<string, unknown>;
    for (const [name, value] of Object.entries(expected)) {
      const actual = request[name];
      const plain = actual instanceof Uint8Array ? Uint8Array.from(actual) : actual;
      assert.deepEqual(plain, value, `${words.join(" ")}: ${name}`);
    }
  }
});

test("get: wrong uses and their exit codes", async () => {
  const cases: [string[], number, string][] = [
    [["get"], 128, "get command needs one argument as key and an optional argument as range_end"],
    [
      ["get", "a", "b", "--prefix"],
      128,
      "too many arguments, only accept one argument when `--prefix` or `--from-key` is set",
    ],
    [
      ["get", "a", "--prefix", "--from-key"],
      128,
      "`--prefix` and `--from-key` cannot be set at the same time, choose one",
    ],
    [
      ["get", "a", "--keys-only", "--count-only"],
      128,
      "`--keys-only` and `--count-only` cannot be set at the same time, choose one",
    ],
    [["get", "a", "--count-only"], 128, "--count-only is only for `--write-out=fields`"],
    [
      ["get", "a", "--print-value-only", "-w", "json"],
      128,
      "print-value-only is only for `--write-out=simple`",
    ],
    [["get", "a", "--consistency=L"], 4, 'unknown consistency flag "L"'],
    [["get", "a", "--order=bogus"], 4, "bad sort order bogus"],
    [["get", "a", "--sort-by=bogus"], 4, "bad sort target bogus"],
  ];
  for (const [words, code, message] of cases) {
    const ran = await run(words, answerFound);
    assert.deepEqual([ran.code, ran.err, ran.out], [code, `Error: ${message}\n`, ""]);
  }
});

test("get --stream puts the pieces together", async () => {
  const pieces = [
    { kvs: [keyValue("a", "1")] },
    { kvs: [keyValue("b", "2")] },
    { header, more: true, count: 7 },
  ].map((rangeResponse) => encodeRangeStreamResponse({ rangeResponse }));
  const ran = await run(["get", "a", "--stream", "-w", "fields"], { stream: () => pieces });
  assert.match(ran.out, /^"ClusterID" : 17237436991929493444\n/);
  assert.match(ran.out, /"Key" : "a"\n[\s\S]*"Key" : "b"\n[\s\S]*"More" : true\n"Count" : 7\n$/);
  assert.equal(ran.calls[0]?.path, "/etcdserverpb.KV/RangeStream");
});

test("put: value from an argument or from standard input", async () => {
  const answer = (): Uint8Array => encodePutResponse({ header });
  const given = await run(["put", "k", "v", "--lease=1F"], { answer });
  assert.equal(given.out, "OK\n");
  const request = decodePutRequest(given.calls[0]!.message);
  assert.deepEqual([text(request.key), text(request.value), request.lease], ["k", "v", 31n]);
  const read = await run(["put", "k"], { answer, stdin: "line1\nline2\n" });
  assert.equal(text(decodePutRequest(read.calls[0]!.message).value), "line1\nline2\n");
  const dashes = await run(["put", "--", "-k", "-v"], { answer });
  assert.equal(text(decodePutRequest(dashes.calls[0]!.message).key), "-k");
});

test("put: wrong uses", async () => {
  const missing = "put command needs 1 argument and input from stdin or 2 arguments";
  const cases: [string[], string][] = [
    [["put"], missing],
    [["put", "k"], missing],
    [
      ["put", "k", "v", "--ignore-value"],
      "put command needs only 1 argument when 'ignore-value' is set",
    ],
    [
      ["put", "k", "v", "--lease=zz"],
      'bad lease ID (strconv.ParseInt: parsing "zz": invalid syntax), expecting ID in Hex',
    ],
  ];
  for (const [words, message] of cases) {
    const ran = await run(words);
    assert.deepEqual([ran.code, ran.err], [128, `Error: ${message}\n`]);
    assert.equal(ran.calls.length, 0);
  }
});

test("put --prev-kv in each format", async () => {
  const answer = (): Uint8Array => encodePutResponse({ header, prevKv: keyValue("k", "old") });
  assert.equal((await run(["put", "k", "v", "--prev-kv"], { answer })).out, "OK\nk\nold\n");
  const json = await run(["put", "k", "v", "--prev-kv", "-w", "json"], { answer });
  assert.match(json.out, /,"prev_kv":\{"key":"aw==",/);
  const fields = await run(["put", "k", "v", "--prev-kv", "-w", "fields"], { answer });
  assert.match(fields.out, /"RaftTerm" : 2\n"PrevKey" : "k"\n[\s\S]*"PrevLease" : 7587/);
});

test("del waits before it deletes a range, unless told not to", async () => {
  const answer = (): Uint8Array =>
    encodeDeleteRangeResponse({ header, deleted: 2, prevKvs: [keyValue("a", "1")] });
  const slow = await run(["del", "a", "c", "--prev-kv"], { answer });
  assert.equal(slow.out, "2\na\n1\n");
  assert.equal(slow.sleptMs, 2000);
  assert.match(slow.err, /^Warning: Keys between "a" and "c" will be deleted\. Please interrupt/);
  const quick = await run(["del", "a", "c", "--range", "-w", "json"], { answer });
  assert.deepEqual([quick.sleptMs, quick.err], [0, ""]);
  assert.match(quick.out, /,"deleted":2,"prev_kvs":\[\{"key":"YQ=="/);
  assert.equal(text(decodeDeleteRangeRequest(quick.calls[0]!.message).rangeEnd), "c");
});

test("errors of the server end with 1 and its text", async () => {
  const answer = (): Uint8Array => {
    throw Errors.FutureRev;
  };
  const ran = await run(["get", "k", "--rev=99"], { answer });
  assert.equal(ran.code, 1);
  assert.equal(
    plainErrors(ran),
    "Error: etcdserver: mvcc: required revision is a future revision\n",
  );
  assert.match(ran.err, /^\{"level":"warn","ts":"[^"]+Z","logger":"etcd-client","caller":/);
});

test("no member answers: the deadline of the command", async () => {
  const ran = await run(["get", "k", "--command-timeout=1s"], { isUp: false });
  assert.equal(ran.code, 1);
  assert.equal(plainErrors(ran), "Error: context deadline exceeded\n");
});
