import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, text } from "../../client/bytes.ts";
import {
  decodeWatchRequest,
  encodeWatchResponse,
  type WatchCreateRequest,
  type WatchResponseInit,
} from "../../wire/messages/rpc-watch.ts";
import { type FakeSetup, type Ran, run } from "./testing/fake-world.ts";

const header = { clusterId: 1n, memberId: 2n, revision: 9, raftTerm: 2 };
const put: WatchResponseInit = {
  header,
  events: [
    {
      kv: { key: bytes("w1"), value: bytes("b"), createRevision: 8, modRevision: 9, version: 2 },
      prevKv: { key: bytes("w1"), value: bytes("a"), modRevision: 8 },
    },
  ],
};
const deletion: WatchResponseInit = {
  header: { ...header, revision: 10 },
  events: [{ type: 1, kv: { key: bytes("w1"), modRevision: 10 } }],
};
const compacted: WatchResponseInit = {
  header: { ...header, revision: 0 },
  canceled: true,
  compactRevision: 5,
};

/** A watch that is answered so. */
function answers(...responses: WatchResponseInit[]): FakeSetup {
  return { stream: () => responses.map(encodeWatchResponse) };
}

function createOf({ calls }: Ran): WatchCreateRequest {
  const request = decodeWatchRequest(calls[0]!.message).createRequest;
  assert.ok(request);
  return request;
}

test("events in each format, then the end of the watch", async () => {
  const setup = answers({ created: true, header }, put, deletion, compacted);
  const simple = await run(["watch", "w1"], setup);
  assert.equal(simple.out, "PUT\nw1\na\nw1\nb\nDELETE\nw1\n\n");
  assert.equal(simple.code, 5);
  assert.equal(
    simple.err,
    "watch was canceled (etcdserver: mvcc: required revision has been compacted)\n" +
      "Error: watch is canceled by the server\n",
  );
  const json = await run(["-w", "json", "watch", "w1"], setup);
  assert.deepEqual(json.out.split("\n"), [
    '{"Header":{"cluster_id":1,"member_id":2,"revision":9,"raft_term":2},"Events":[{"kv":' +
      '{"key":"dzE=","create_revision":8,"mod_revision":9,"version":2,"value":"Yg=="},"prev_kv":' +
      '{"key":"dzE=","mod_revision":8,"value":"YQ=="}}],"CompactRevision":0,"Canceled":false,' +
      '"Created":false,"CancelReason":""}',
    '{"Header":{"cluster_id":1,"member_id":2,"revision":10,"raft_term":2},"Events":[{"type":1,' +
      '"kv":{"key":"dzE=","mod_revision":10}}],"CompactRevision":0,"Canceled":false,' +
      '"Created":false,"CancelReason":""}',
    '{"Header":{"cluster_id":1,"member_id":2,"raft_term":2},"Events":null,"CompactRevision":5,' +
      '"Canceled":true,"Created":false,"CancelReason":""}',
    "",
  ]);
  const fields = await run(["-w", "fields", "watch", "w1"], setup);
  assert.match(fields.out, /"Type" : PUT\n"PrevKey" : "w1"\n[\s\S]*\n"Key" : "w1"\n/);
  const table = await run(["-w", "table", "watch", "w1"], setup);
  assert.deepEqual([table.code, table.out], [4, ""]);
});

test("keys and ranges of the arguments", async () => {
  const setup = answers(compacted);
  const cases: [string[], string, string][] = [
    [["a"], "a", ""],
    [["a", "c"], "a", "c"],
    [["a", "--prefix"], "a", "b"],
    [["", "--prefix"], "\0", "\0"],
    // A third word is not looked at, and nor is the second then.
    [["a", "b", "c"], "a", ""],
  ];
  for (const [words, key, rangeEnd] of cases) {
    const create = createOf(await run(["watch", ...words], setup));
    assert.deepEqual([text(create.key), text(create.rangeEnd)], [key, rangeEnd]);
  }
  const flags = ["--rev=7", "--prev-kv", "--progress-notify"];
  const create = createOf(await run(["watch", "a", ...flags], setup));
  assert.deepEqual([create.startRevision, create.prevKv, create.progressNotify], [7, true, true]);
});

test("the key may come from the environment", async () => {
  const environment = { ETCDCTL_WATCH_KEY: "a", ETCDCTL_WATCH_RANGE_END: "c" };
  const ran = await run(["watch"], { ...answers(compacted), environment });
  const create = createOf(ran);
  assert.deepEqual([text(create.key), text(create.rangeEnd)], ["a", "c"]);
  assert.doesNotMatch(ran.err, /unrecognized/);
});

test("wrong uses", async () => {
  const cases: [string[], Record<string, string>, string][] = [
    [["watch"], {}, "bad number of arguments"],
    [["watch", "--", "w1", "echo"], {}, "bad number of arguments"],
    [["watch", "w1", "--"], {}, "bad number of arguments (found separator --, but no commands)"],
    [["watch", "a", "b", "--prefix"], {}, "`range_end` and `--prefix` are mutually exclusive"],
    [
      ["watch", "w1"],
      { ETCDCTL_WATCH_KEY: "w1" },
      "bad number of arguments (found conflicting environment key)",
    ],
    [
      ["watch"],
      { ETCDCTL_WATCH_RANGE_END: "w1" },
      'ETCDCTL_WATCH_KEY is empty but got ETCDCTL_WATCH_RANGE_END="w1"',
    ],
  ];
  for (const [words, environment, message] of cases) {
    const ran = await run(words, { environment });
    assert.deepEqual([ran.code, ran.err], [128, `Error: ${message}\n`]);
  }
});

test("interactive: lines that are not understood, and the end of the input", async () => {
  const cases: [string, string][] = [
    ["foo w1", "Invalid command foo w1 (only support watch)\n"],
    ["", "Invalid command:  (watch and progress supported)\n"],
    ["watch", "Invalid command watch (command type or key is not provided)\n"],
    [
      "watch w --prefix extra",
      "Invalid command watch w --prefix extra (`range_end` and `--prefix` are mutually exclusive)\n",
    ],
  ];
  for (const [line, message] of cases) {
    const ran = await run(["watch", "-i"], { stdin: `${line}\n` });
    const end = "Error: error reading watch request line: EOF\n";
    assert.deepEqual([ran.code, ran.err], [3, message + end]);
  }
  const flag = await run(["watch", "-i"], { stdin: "watch --nosuch w1\n" });
  assert.deepEqual([flag.code, flag.err], [128, "Error: unknown flag: --nosuch\n"]);
});
