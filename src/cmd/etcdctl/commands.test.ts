// Commands about the cluster, and what all commands have in common.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, text } from "../../client/bytes.ts";
import { Errors } from "../../wire/errors.ts";
import {
  decodeAuthUserAddRequest,
  encodeAuthRoleGetResponse,
  encodeAuthUserAddResponse,
} from "../../wire/messages/rpc-auth.ts";
import {
  encodeMemberAddResponse,
  encodeMemberListResponse,
} from "../../wire/messages/rpc-cluster.ts";
import { encodeRangeResponse } from "../../wire/messages/rpc-kv.ts";
import {
  encodeLeaseGrantResponse,
  encodeLeaseKeepAliveResponse,
  encodeLeaseLeasesResponse,
  encodeLeaseRevokeResponse,
  encodeLeaseTimeToLiveResponse,
} from "../../wire/messages/rpc-lease.ts";
import {
  AlarmType,
  encodeAlarmResponse,
  encodeHashKVResponse,
  encodeStatusResponse,
} from "../../wire/messages/rpc-maintenance.ts";
import { type FakeSetup, plainErrors, run } from "./testing/fake-world.ts";

const header = { clusterId: 0xc1n, memberId: 0xa1n, revision: 8, raftTerm: 2 };
const never = (): never => {
  throw Errors.NoLeader;
};

/** Answers by method: `Status`, `Range`, … */
function byMethod(answers: Record<string, () => Uint8Array>): FakeSetup {
  return { answer: ({ path }) => (answers[path.split("/").at(-1)!] ?? never)() };
}

const status = byMethod({
  Status: () =>
    encodeStatusResponse({
      header,
      version: "3.7.3",
      storageVersion: "3.7.0",
      dbSize: 20480,
      dbSizeInUse: 16384,
      dbSizeQuota: 2147483648,
      leader: 0xa1n,
      raftIndex: 6,
      raftTerm: 2,
      raftAppliedIndex: 6,
      errors: ["one", "two"],
    }),
  MemberList: () =>
    encodeMemberListResponse({
      header: { ...header, revision: 0 },
      members: [
        { id: 0xa1n, name: "m1", peerURLs: ["http://p:1"], clientURLs: ["http://c:1"] },
        { id: 0xb2n, peerURLs: ["http://p:2"], isLearner: true },
      ],
    }),
});

test("endpoint status: one line, a table, the members of the cluster", async () => {
  const line =
    "a1, 3.7.3, 3.7.0, 20 kB, 16 kB, 20%, 2.1 GB, true, false, 2, 6, 6, one, two, , false\n";
  assert.equal((await run(["endpoint", "status"], status)).out, `127.0.0.1:2379, ${line}`);
  const cluster = await run(["endpoint", "status", "--cluster"], status);
  assert.equal(cluster.out, `http://c:1, ${line}`);
  const { out } = await run(["endpoint", "status", "-w", "fields"], status);
  assert.match(out, /"Errors" : \[one two\]\n"Endpoint" : "127\.0\.0\.1:2379"\n/);
});

test("endpoint status: a member that does not answer is told, the others are shown", async () => {
  const { code, out, err } = await run(["endpoint", "status", "-w", "json"], { isUp: false });
  assert.equal(code, 1);
  assert.equal(out, "null\n");
  assert.match(
    err,
    /Failed to get the status of endpoint 127\.0\.0\.1:2379 \(context deadline exceeded\)\n$/,
  );
});

test("endpoint health: a read, and no alarm", async () => {
  const healthy = byMethod({
    Range: () => encodeRangeResponse({ header }),
    Alarm: () => encodeAlarmResponse({ header }),
  });
  const good = await run(["endpoint", "health"], healthy);
  assert.match(
    good.out,
    /^127\.0\.0\.1:2379 is healthy: successfully committed proposal: took = \S+\n$/,
  );
  const alarmed = byMethod({
    Range: () => encodeRangeResponse({ header }),
    Alarm: () => encodeAlarmResponse({ alarms: [{ memberID: 1n, alarm: AlarmType.NOSPACE }] }),
  });
  const bad = await run(["endpoint", "health", "-w", "json"], alarmed);
  assert.equal(bad.code, 1);
  assert.match(
    bad.out,
    /"health":false,"took":"[^"]+","error":"Active Alarm\(s\): NOSPACE "\}\]\n/,
  );
  assert.equal(bad.err, "Error: unhealthy cluster\n");
});

test("endpoint health: a user without the right to read has reached a healthy cluster", async () => {
  const ran = await run(
    ["endpoint", "health"],
    byMethod({
      Range: () => {
        throw Errors.PermissionDenied;
      },
      Alarm: () => encodeAlarmResponse({ header }),
    }),
  );
  assert.equal(ran.code, 0);
});

test("endpoint hashkv", async () => {
  const answers = byMethod({
    HashKV: () =>
      encodeHashKVResponse({ header, hash: 1907043746, compactRevision: -1, hashRevision: 8 }),
  });
  assert.equal((await run(["endpoint", "hashkv"], answers)).out, "127.0.0.1:2379, 1907043746, 8\n");
  const { out } = await run(["endpoint", "hashkv", "-w", "json"], answers);
  assert.match(out, /"hash":1907043746,"compact_revision":-1,"hash_revision":8\}\}\]\n$/);
});

test("member list and member add", async () => {
  const { out } = await run(["member", "list"], status);
  assert.equal(
    out,
    "a1, started, m1, http://p:1, http://c:1, false\nb2, unstarted, , http://p:2, , true\n",
  );
  const hex = await run(["member", "list", "-w", "json", "--hex"], status);
  assert.match(hex.out, /^\{"header":\{"cluster_id":"c1","member_id":"a1","raft_term":2\},/);
  const added = byMethod({
    MemberAdd: () =>
      encodeMemberAddResponse({
        header,
        member: { id: 0xb2n, peerURLs: ["http://p:2"] },
        members: [
          { id: 0xa1n, name: "m1", peerURLs: ["http://p:1"] },
          { id: 0xb2n, peerURLs: ["http://p:2"] },
        ],
      }),
  });
  const ran = await run(["member", "add", "m2", "--peer-urls=http://p:2"], added);
  assert.equal(
    ran.out.replace(/ +/g, " "),
    `Member b2 added to cluster c1

ETCD_NAME="m2"
ETCD_INITIAL_CLUSTER="m1=http://p:1,m2=http://p:2"
ETCD_INITIAL_ADVERTISE_PEER_URLS="http://p:2"
ETCD_INITIAL_CLUSTER_STATE="existing"
`,
  );
});

test("member: wrong uses", async () => {
  const cases: [string[], number, string][] = [
    [["add"], 128, "member name not provided"],
    [["add", "x"], 128, "member peer urls not provided"],
    [["add", "x", "y", "--peer-urls=http://a:1"], 128, "too many arguments"],
    [["add", "x", "http://a:1"], 128, "too many arguments, did you mean --peer-urls=http://a:1"],
    [["remove"], 128, "member ID is not provided"],
    [
      ["remove", "zz"],
      128,
      'bad member ID arg (strconv.ParseUint: parsing "zz": invalid syntax), expecting ID in Hex',
    ],
    [["update", "1"], 128, "member peer urls not provided"],
    [["add", "x", "--peer-urls=bad"], 1, "URL scheme must be http, https, unix, or unixs: bad"],
    [
      ["add", "x", "--peer-urls=127.0.0.1:1"],
      1,
      'parse "127.0.0.1:1": first path segment in URL cannot contain colon',
    ],
    [
      ["add", "x", "--peer-urls=http://a"],
      1,
      'URL address does not have the form "host:port": http://a',
    ],
    [["add", "x", "--peer-urls=http://a:1/p"], 1, "URL must not contain a path: http://a:1/p"],
  ];
  for (const [words, code, message] of cases) {
    const ran = await run(["member", ...words], status);
    assert.deepEqual([ran.code, ran.err], [code, `Error: ${message}\n`]);
  }
});

test("leases: granted, listed, kept alive, and what is left", async () => {
  const id = 0x1234abcdn;
  const answers: FakeSetup = {
    ...byMethod({
      LeaseGrant: () => encodeLeaseGrantResponse({ header, id, ttl: 60 }),
      LeaseLeases: () => encodeLeaseLeasesResponse({ header, leases: [{ id }] }),
      LeaseTimeToLive: () =>
        encodeLeaseTimeToLiveResponse({ header, id, ttl: 50, grantedTTL: 60, keys: [bytes("k")] }),
    }),
    stream: () => [60, 60, 0].map((ttl) => encodeLeaseKeepAliveResponse({ header, id, ttl })),
  };
  const outOf = async (...words: string[]): Promise<string> =>
    (await run(["lease", ...words], answers)).out;
  assert.equal(await outOf("grant", "60"), "lease 000000001234abcd granted with TTL(60s)\n");
  assert.equal(
    await outOf("grant", "60", "-w", "json"),
    '{"cluster_id":193,"member_id":161,"revision":8,"raft_term":2,"ID":305441741,"TTL":60,"Error":""}\n',
  );
  assert.equal(await outOf("list"), "found 1 leases\n000000001234abcd\n");
  assert.equal(
    await outOf("timetolive", "1234abcd", "--keys"),
    "lease 000000001234abcd granted with TTL(60s), remaining(50s), attached keys([k])\n",
  );
  assert.equal(
    await outOf("timetolive", "1234abcd", "-w", "json"),
    '{"cluster_id":193,"member_id":161,"revision":8,"raft_term":2,"id":305441741,"ttl":50,' +
      '"granted-ttl":60,"keys":["aw=="]}\n',
  );
  const kept = await run(["lease", "keep-alive", "1234abcd"], answers);
  assert.equal(
    kept.out,
    "lease 000000001234abcd keepalived with TTL(60)\n".repeat(2) +
      "lease 000000001234abcd expired or revoked.\n",
  );
  // Renewed three times per TTL.
  assert.equal(kept.sleptMs, 40_000);
});

test("lease revoke: the lease is gone, and there is no protobuf of that", async () => {
  const answers = byMethod({ LeaseRevoke: () => encodeLeaseRevokeResponse({ header }) });
  const revoke = (format: string) => run(["lease", "revoke", "1234abcd", "-w", format], answers);
  assert.equal((await revoke("simple")).out, "lease 000000001234abcd revoked\n");
  const { code, out, err } = await revoke("protobuf");
  assert.deepEqual([code, out], [4, ""]);
  const response = "cluster_id:193  member_id:161  revision:8  raft_term:2";
  assert.equal(
    err,
    "Error: marshal unsupported for type *clientv3.LeaseRevokeResponse " +
      `(&{{{} [] [] 0xc000000000} ${response} [] 0})\n`,
  );
});

test("a new user's password: in the name, by a flag, from standard input", async () => {
  const answers = byMethod({ UserAdd: () => encodeAuthUserAddResponse({ header }) });
  const cases: [string[], string, string, boolean][] = [
    [["bob:pw"], "bob", "pw", false],
    [["bob:pw:more"], "bob", "pw:more", false],
    [["bob", "--new-user-password=pw"], "bob", "pw", false],
    [["bob", "--interactive=false"], "bob", "typed", false],
    [["bob:x", "--no-password"], "bob:x", "", true],
  ];
  for (const [words, name, password, noPassword] of cases) {
    const ran = await run(["user", "add", ...words], { ...answers, stdin: "typed\n" });
    assert.equal(ran.out, `User ${name} created\n`);
    const request = decodeAuthUserAddRequest(ran.calls[0]!.message);
    assert.deepEqual(
      [request.name, request.password, request.options?.noPassword ?? false],
      [name, password, noPassword],
    );
  }
});

test("role get names ranges, prefixes and open ends", async () => {
  const perm = [
    { permType: 0, key: bytes("a"), rangeEnd: bytes("b") },
    { permType: 1, key: bytes("c") },
    { permType: 2, key: bytes("d"), rangeEnd: Uint8Array.of(0) },
    { permType: 0, key: bytes("e"), rangeEnd: bytes("g") },
  ] as const;
  const answers = byMethod({
    RoleGet: () => encodeAuthRoleGetResponse({ header, perm: [...perm] }),
  });
  assert.equal(
    (await run(["role", "get", "r"], answers)).out,
    "Role r\nKV Read:\n\t[a, b) (prefix a)\n\t[d, <open ended>\n\t[e, g)\n" +
      "KV Write:\n\tc\n\t[d, <open ended>\n",
  );
});

test("the environment: flags, unknown variables, conflicts", async () => {
  const json = await run(["member", "list"], {
    ...status,
    environment: { ETCDCTL_WRITE_OUT: "json" },
  });
  assert.match(json.out, /^\{"header"/);
  const unknown = await run(["member", "list"], { ...status, environment: { ETCDCTL_API: "3" } });
  assert.equal(unknown.code, 0);
  assert.match(
    unknown.err,
    /"msg":"unrecognized environment variable","environment-variable":"ETCDCTL_API=3"\}/,
  );
  const conflict = await run(["member", "list", "-w", "json"], {
    ...status,
    environment: { ETCDCTL_WRITE_OUT: "json" },
  });
  assert.deepEqual([conflict.code, conflict.calls.length], [1, 0]);
  assert.match(
    conflict.err,
    /^\{"level":"fatal",.*"environment-variable":"ETCDCTL_WRITE_OUT"\}\n$/,
  );
  const version = await run(["version"], { environment: { ETCDCTL_API: "3" } });
  assert.deepEqual([version.err, version.out.split("\n")[1]], ["", "API version: 3.7"]);
});

test("--debug lists the flags by their variables", async () => {
  const { err } = await run(["--debug", "member", "list"], status);
  assert.match(err, /^ETCDCTL_AUTH_JWT_TOKEN=\nETCDCTL_CACERT=\n[\s\S]*ETCDCTL_WRITE_OUT=simple\n/);
  assert.match(err, /\nETCDCTL_ENDPOINTS=\[127\.0\.0\.1:2379\]\n/);
});

test("TLS files that do not fit are told before anything is sent", async () => {
  const cases: [string[], string][] = [
    [["--cert=x.pem"], "KeyFile and CertFile must both be present[key: , cert: x.pem]"],
    [["--cert=nosuch.pem", "--key=x"], "open nosuch.pem: no such file or directory"],
    [["--cacert=nosuch.pem"], "open nosuch.pem: no such file or directory"],
    [["--cert="], "empty string is passed to --cert option"],
  ];
  for (const [words, message] of cases) {
    const ran = await run([...words, "member", "list"], status);
    assert.deepEqual([ran.code, ran.err], [128, `Error: ${message}\n`]);
  }
});

test("global flags become the options of the client", async () => {
  const { options } = await run(
    [
      "--endpoints=a:1,b:2",
      "--user=root:pw:more",
      "--insecure-skip-tls-verify",
      "--max-request-bytes=100",
      "--dial-timeout=3s",
      "auth",
      "status",
    ],
    byMethod({ Authenticate: never }),
  );
  const [given] = options;
  assert.deepEqual(given?.endpoints, ["a:1", "b:2"]);
  assert.deepEqual([given.username, given.password], ["root", "pw:more"]);
  assert.deepEqual([given.sendBytesMax, given.receiveBytesMax], [100, undefined]);
  assert.equal(given.tls?.skipVerify, true);
  assert.equal(given.dialTimeoutMs, 3000);
  const plain = await run(["member", "list"], status);
  assert.equal(plain.options[0]?.tls, undefined);
});

test("a client that cannot be made ends with 2", async () => {
  const none = await run(["--endpoints=", "get", "k"]);
  assert.deepEqual([none.code, none.err], [2, "Error: etcdclient: no available endpoints\n"]);
  const refused = await run(["--user=root:bad", "get", "k"], {
    answer: () => {
      throw Errors.AuthFailed;
    },
  });
  assert.equal(refused.code, 2);
  assert.equal(plainErrors(refused), `Error: ${Errors.AuthFailed.message}\n`);
});

test("help and lists of flags name every flag with its default", async () => {
  const { out } = await run(["options"]);
  assert.match(out, /^The following options can be passed to any command:\n\n/);
  assert.match(out, /\n {6}--command-timeout duration {5}.* \(default 5s\)\n/);
  assert.match(out, /\n {2}-w, --write-out string .* \(default "simple"\)\n$/);
  assert.equal(out.split("\n").filter((line) => line.includes("--")).length, 21);
  const get = await run(["get", "--help"]);
  assert.doesNotMatch(get.out, /--endpoints/);
  assert.match(get.out, /\n {6}--consistency string .* \(default "l"\)\n/);
  assert.equal(text(bytes(get.err)), "");
});
