import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, text } from "../../client/bytes.ts";
import {
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
  encodePutResponse,
  encodeRangeResponse,
  encodeTxnResponse,
} from "../../wire/messages/rpc-kv.ts";
import { decodeWatchRequest, encodeWatchResponse } from "../../wire/messages/rpc-watch.ts";
import { type FakeSetup, type Ran, run } from "./testing/fake-world.ts";

const changes = [
  { kv: { key: bytes("src/1"), value: bytes("new"), modRevision: 11 } },
  { type: 1 as const, kv: { key: bytes("src/2"), modRevision: 11 } },
  { kv: { key: bytes("src/3"), value: bytes("c"), modRevision: 12 } },
];

/** Two pages at revision 10, then changes, then the end. */
const source: FakeSetup = {
  answer: ({ path, message }) => {
    if (path.endsWith("/Put")) return encodePutResponse({});
    if (path.endsWith("/Txn")) return encodeTxnResponse({ succeeded: true });
    const isFirst = decodeRangeRequest(message).revision === 0;
    const key = bytes(isFirst ? "src/1" : "src/2");
    return encodeRangeResponse({
      header: { revision: isFirst ? 10 : 99 },
      kvs: [{ key, value: bytes("old") }],
      more: isFirst,
    });
  },
  stream: () => [
    encodeWatchResponse({ created: true, header: { revision: 12 } }),
    encodeWatchResponse({ header: { revision: 12 }, events: changes }),
    encodeWatchResponse({ canceled: true, compactRevision: 5 }),
  ],
};

function keysPut({ calls }: Ran): string[] {
  return calls
    .filter(({ path }) => path.endsWith("/Put"))
    .map(({ message }) => text(decodePutRequest(message).key));
}

function transactions({ calls }: Ran): string[][] {
  return calls
    .filter(({ path }) => path.endsWith("/Txn"))
    .map(({ message }) =>
      decodeTxnRequest(message).success.map(({ requestPut, requestDeleteRange }) =>
        requestPut === undefined
          ? `del ${text(requestDeleteRange?.key ?? bytes(""))}`
          : `put ${text(requestPut.key)} ${text(requestPut.value)}`,
      ),
    );
}

test("pages of one revision, then one transaction per revision", async () => {
  const ran = await run(["make-mirror", "--prefix=src/", "b:1"], source);
  assert.deepEqual(keysPut(ran), ["src/1", "src/2"]);
  assert.deepEqual(transactions(ran), [["put src/1 new", "del src/2"], ["put src/3 c"]]);
  const watch = ran.calls.find(({ path }) => path.endsWith("/Watch"));
  assert.equal(decodeWatchRequest(watch!.message).createRequest?.startRevision, 11);
  assert.equal(ran.code, 1);
});

test("keys are renamed on their way", async () => {
  const moved = await run(["make-mirror", "--prefix=src/", "--dest-prefix=dst/", "b:1"], source);
  assert.deepEqual(keysPut(moved), ["dst/1", "dst/2"]);
  const bare = await run(["make-mirror", "--prefix=src/", "--no-dest-prefix", "b:1"], source);
  assert.deepEqual(transactions(bare), [["put 1 new", "del 2"], ["put 3 c"]]);
});

test("a revision to begin at skips what is there; small transactions are cut", async () => {
  const ran = await run(["make-mirror", "--rev=3", "--max-txn-ops=1", "b:1"], source);
  assert.deepEqual(keysPut(ran), []);
  assert.deepEqual(transactions(ran), [["put src/1 new"], ["del src/2"], ["put src/3 c"]]);
  const bare = await run(["make-mirror", "--rev=3", "--prefix=src/", "b:1"], source);
  assert.deepEqual(transactions(bare), [["put 1 new", "del 2"], ["put 3 c"]]);
  const all = await run(["make-mirror", "--rev=1", "--prefix=src/", "b:1"], source);
  assert.deepEqual(keysPut(all), ["src/1", "src/2"]);
});

test("wrong uses", async () => {
  const none = await run(["make-mirror"]);
  assert.deepEqual(
    [none.code, none.err],
    [128, "Error: make-mirror takes one destination argument\n"],
  );
  const both = await run(["make-mirror", "--no-dest-prefix", "--dest-prefix=x", "b:1"]);
  assert.match(both.err, /^Error: `--dest-prefix` and `--no-dest-prefix` cannot be set/);
});
