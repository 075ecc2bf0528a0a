import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes } from "../../client/bytes.ts";
import { encodeQuotasResponse } from "../../wire/messages/quorate.ts";
import { encodeMemberListResponse } from "../../wire/messages/rpc-cluster.ts";
import { encodeDeleteRangeResponse } from "../../wire/messages/rpc-kv.ts";
import { Code, RpcError } from "../../wire/status.ts";
import { type FakeSetup, plainErrors, run } from "./testing/fake-world.ts";

const header = { clusterId: 1n, memberId: 1n, revision: 5, raftTerm: 2 };

/** Two members; a Go member does not know the service. */
function cluster(isOtherGo = false): FakeSetup {
  let asked = 0;
  const answers: Record<string, () => Uint8Array> = {
    Put: () => new Uint8Array(0),
    DeleteRange: () => encodeDeleteRangeResponse({ header, deleted: 0 }),
    MemberList: () =>
      encodeMemberListResponse({
        header,
        members: [
          { id: 1n, name: "m1", clientURLs: ["http://c:1"] },
          { id: 2n, name: "m2", clientURLs: ["http://c:2"] },
          { id: 3n, name: "", clientURLs: [] },
        ],
      }),
    Quotas: () => {
      if (isOtherGo && asked++ === 1) throw new RpcError(Code.Unimplemented, "unknown service");
      return encodeQuotasResponse({
        header,
        quotas: [
          { prefix: bytes("/a/"), bytesMax: 2000, keysMax: -1, bytes: 500, keys: 3 },
          { prefix: bytes("/b"), problem: "a prefix with a quota ends with a slash" },
        ],
      });
    },
  };
  return { answer: ({ path }) => answers[path.split("/").at(-1)!]!() };
}

test("quota list", async () => {
  const { out } = await run(["quota", "list"], cluster());
  assert.equal(
    out,
    "/a/: 500 B of 2.0 kB, 3 keys of any\n" +
      "/b: not in force: a prefix with a quota ends with a slash\n",
  );
  const table = (await run(["quota", "list", "-w", "table"], cluster())).out;
  assert.match(table, /│ +\/a\/ │ +500 B │ 2\.0 kB │ +3 │ any │/);
});

test("quota set is a put, and tells of members that do not check", async () => {
  const ours = await run(["quota", "set", "/a/", "2K:10"], cluster());
  assert.deepEqual([ours.out, ours.err, ours.code], ["OK\n", "", 0]);
  assert.equal(ours.calls[0]?.path, "/etcdserverpb.KV/Put");
  const mixed = await run(["quota", "set", "/a/", ":10"], cluster(true));
  assert.equal(mixed.out, "OK\n");
  assert.match(
    mixed.err,
    /^warning: member m2: it is not Quorate: what is written through it is not checked\n$/m,
  );
  assert.doesNotMatch(mixed.err, /member m1/);
});

test("quota set refuses what is no quota before anybody is asked", async () => {
  for (const words of [["/a/", "much"], ["/a", "1K"], ["/a/"], ["/a/", "1", "2"]]) {
    const ran = await run(["quota", "set", ...words], cluster());
    assert.equal(ran.code, 128, words.join(" "));
    assert.deepEqual(ran.calls, []);
  }
});

test("quota remove says when there was none", async () => {
  const ran = await run(["quota", "remove", "/a/"], cluster());
  assert.equal(ran.code, 1);
  assert.match(plainErrors(ran), /\/a\/ has no quota/);
});
