import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { humanSize } from "../../../base/human-size.ts";
import { MemberListResponse_DESCRIPTOR } from "../../../wire/messages/rpc-cluster.ts";
import { RangeResponse_DESCRIPTOR } from "../../../wire/messages/rpc-kv.ts";
import { StatusResponse_DESCRIPTOR } from "../../../wire/messages/rpc-maintenance.ts";
import { Exit } from "../exit.ts";
import { headerFields, leaseId, quotedField } from "./fields.ts";
import { jsonString, messageJson } from "./json.ts";
import { plain } from "./simple.ts";
import { displayWidth, drawTable } from "./table.ts";
import { parseFormat, render, type Style } from "./view.ts";

const decimal: Style = { format: "fields", hex: false };
const hexadecimal: Style = { format: "fields", hex: true };

test("a table: centred heads, cells to the right", () => {
  assert.equal(
    drawTable(
      ["endpoint", "health", "error"],
      [
        ["127.0.0.1:2379", "true", ""],
        ["a:1", "false", "Active Alarm(s): NOSPACE "],
      ],
    ),
    `┌────────────────┬────────┬──────────────────────────┐
│    ENDPOINT    │ HEALTH │          ERROR           │
├────────────────┼────────┼──────────────────────────┤
│ 127.0.0.1:2379 │   true │                          │
│            a:1 │  false │ Active Alarm(s): NOSPACE │
└────────────────┴────────┴──────────────────────────┘
`,
  );
});

test("a table without rows has no middle rule", () => {
  assert.equal(
    drawTable(["endpoint", "hash"], []),
    `┌──────────┬──────┐
│ ENDPOINT │ HASH │
└──────────┴──────┘
`,
  );
});

test("all lines of a table are equally wide", () => {
  const cell = fc.string({ unit: fc.constantFrom("a", "ż", "漢", "e\u0301", " ") });
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell)), (rows) => {
      const lines = drawTable(["left", "right"], rows).trimEnd().split("\n");
      for (const line of lines) assert.equal(displayWidth(line), displayWidth(lines[0]!));
      assert.equal(lines.length, rows.length === 0 ? 3 : rows.length + 4);
    }),
  );
});

test("width of characters", () => {
  assert.equal(displayWidth("abc"), 3);
  assert.equal(displayWidth("漢字😀"), 6);
  assert.equal(displayWidth("e\u0301\u200d"), 1);
});

test("json: exact numbers, names of the protocol, nothing that is zero", () => {
  const message = {
    header: { clusterId: 2n ** 64n - 1n, memberId: 1n, revision: 9007199254740991, raftTerm: 0 },
    kvs: [
      {
        key: Uint8Array.of(0xfb, 0xff),
        value: new Uint8Array(0),
        createRevision: 0,
        modRevision: 0,
        version: 0,
        lease: -1n,
      },
    ],
    more: false,
    count: 0,
  };
  assert.equal(
    messageJson(RangeResponse_DESCRIPTOR, message),
    '{"header":{"cluster_id":18446744073709551615,"member_id":1,"revision":9007199254740991},' +
      '"kvs":[{"key":"+/8=","lease":-1}]}',
  );
  assert.equal(messageJson(RangeResponse_DESCRIPTOR, { kvs: [] }), "{}");
});

test("json: a message that is there but empty, texts, and ids as hexadecimal texts", () => {
  const status = { version: "3.7.3", errors: ["a<b>"], downgradeInfo: {}, dbSize: 20480 };
  assert.equal(
    messageJson(StatusResponse_DESCRIPTOR, status),
    '{"version":"3.7.3","dbSize":20480,"errors":["a\\u003cb\\u003e"],"downgradeInfo":{}}',
  );
  const members = { members: [{ id: 255n, name: "m1", peerURLs: ["http://a:1"] }] };
  assert.equal(
    messageJson(MemberListResponse_DESCRIPTOR, members, new Set(["ID"])),
    '{"members":[{"ID":"ff","name":"m1","peerURLs":["http://a:1"]}]}',
  );
});

test("json texts escape what Go escapes, and mean the same", () => {
  assert.equal(jsonString('<&>\u2028"'), '"\\u003c\\u0026\\u003e\\u2028\\""');
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (value) => {
      assert.equal(JSON.parse(jsonString(value)), value);
    }),
  );
});

test("fields: headers in both number systems, revision only if there is one", () => {
  const header = { clusterId: 255n, memberId: 2n ** 64n - 1n, revision: 0, raftTerm: 2 };
  assert.equal(
    headerFields(header, decimal),
    '"ClusterID" : 255\n"MemberID" : 18446744073709551615\n"RaftTerm" : 2\n',
  );
  assert.equal(
    headerFields({ ...header, revision: 7 }, hexadecimal),
    '"ClusterID" : ff\n"MemberID" : ffffffffffffffff\n"Revision" : 7\n"RaftTerm" : 2\n',
  );
  assert.equal(
    headerFields(undefined, decimal),
    '"ClusterID" : 0\n"MemberID" : 0\n"RaftTerm" : 0\n',
  );
  assert.equal(quotedField("Key", 'a"b'), '"Key" : "a\\"b"\n');
  assert.equal(leaseId(0x1234abcdn), "000000001234abcd");
  assert.equal(leaseId(-1n), "ffffffffffffffff");
});

test("bytes as hexadecimal escapes", () => {
  assert.equal(plain(Uint8Array.of(0x66, 0, 0xff), hexadecimal), "\\x66\\x00\\xff");
});

test("sizes for people", () => {
  const cases: [number, string][] = [
    [0, "0 B"],
    [9, "9 B"],
    [10, "10 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [20480, "20 kB"],
    [8_286_240, "8.3 MB"],
    [2_147_483_648, "2.1 GB"],
    [1e15, "1.0 PB"],
  ];
  for (const [sizeBytes, text] of cases) assert.equal(humanSize(sizeBytes), text);
});

test("formats: unknown ones, and those that a result does not have", () => {
  assert.equal(parseFormat("table"), "table");
  const failure = (run: () => unknown): [number, string | undefined] => {
    try {
      run();
    } catch (error) {
      assert.ok(error instanceof Exit);
      return [error.code, error.text];
    }
    return assert.fail("did not throw");
  };
  for (const text of ["yaml", "", "JSON"]) {
    assert.deepEqual(
      failure(() => parseFormat(text)),
      [4, "unsupported output format"],
    );
  }
  const view = { simple: () => ["x"] };
  assert.deepEqual(render(view, { format: "simple", hex: false }), ["x"]);
  assert.deepEqual(
    failure(() => render(view, { format: "table", hex: false })),
    [4, "table not supported as output format"],
  );
});
