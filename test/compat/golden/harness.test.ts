// The harness itself, without any program.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Background } from "./background.ts";
import { compareTranscripts, parseKnown, showDifference, staleKnown } from "./compare.ts";
import { chooseIdentity } from "./member.ts";
import { Normaliser } from "./normalise.ts";
import { protobufLines } from "./protobuf-text.ts";
import { replaceInTable, tableLength } from "./tables.ts";
import { parseTranscript, showTranscript, splitWords } from "./transcript.ts";
import { bytesOfBlock, decodeLoosely, visible } from "./visible.ts";

const text = [
  "# etcdctl put",
  "do: server",
  "",
  "=== 001",
  "$ etcdctl put foo 'a b'",
  "stdin:",
  "| x",
  "stdout:",
  "| OK",
  "stderr:",
  "exit: 0",
  "",
  "# more",
  "",
  "=== 002",
  "$ GET /health",
  "status: 200 OK",
  "",
].join("\n");

test("a transcript is read and written back", () => {
  const items = parseTranscript(text);
  assert.deepEqual(
    items.map((item) => item.kind),
    ["comment", "do", "step", "comment", "step"],
  );
  const step = items[2];
  assert.ok(step?.kind === "step");
  assert.deepEqual(step.input, ["stdin:", "| x"]);
  assert.deepEqual(step.answer, ["stdout:", "| OK", "stderr:", "exit: 0"]);
  assert.equal(showTranscript(items), text);
});

test("words are split as by a shell", () => {
  assert.deepEqual(splitWords(`a 'b c' "d \\"e" f\\ g '' x'y'"z"`), [
    ...["a", "b c", 'd "e', "f g", "", "xyz"],
  ]);
});

test("what cannot be seen is spelled out, and read back", () => {
  const bytes = Buffer.from([0x61, 0x00, 0xff, 0xc3, 0xa9, 0x09, 0x20]);
  const shown = visible(decodeLoosely(bytes));
  assert.equal(shown, "a<0x00><0xff>\u00e9<0x09><SP>");
  assert.deepEqual(bytesOfBlock([`| ${shown}<NO-NEWLINE>`]), bytes);
  assert.deepEqual(bytesOfBlock(["| a", "|", "| b"]), Buffer.from("a\n\nb\n"));
});

const identity = chooseIdentity(21301);
const normaliser = new Normaliser({
  directory: "/dir/golden-x",
  clientPorts: [21300],
  peerPorts: [21301],
  deadPort: 21302,
  ...identity,
});
const lines = (output: string) => normaliser.lines(Buffer.from(output));

test("ids have 16 digits", () => {
  assert.equal(identity.memberIds[0]!.toString(16).length, 16);
  assert.equal(identity.clusterId.toString(10).length, 19);
  // What the server makes of them for its leases.
  const firstLease = BigInt.asUintN(63, identity.memberIds[0]! << 48n);
  assert.equal(firstLease.toString(16).length, 16);
});

test("ids, ports, times, sizes and paths are replaced, revisions are not", () => {
  const { memberIds, clusterId } = identity;
  const memberId = memberIds[0]!;
  assert.deepEqual(
    lines(
      `{"member_id":${memberId},"revision":7}\n${clusterId.toString(16)} took 1.234567ms\n` +
        `127.0.0.1:21300, ${memberId.toString(16)}, 3.7.3, 20 kB, 16 kB, 20%, 2.1 GB, true, false, ` +
        "2, 12, 12, \nsaved /dir/golden-x/a.db\n",
    ),
    [
      '{"member_id":<MEMBER1:dec>,"revision":7}',
      "<CLUSTER> took <DURATION>",
      "127.0.0.1:<CPORT1>, <MEMBER1>, 3.7.3, <SIZE>, <SIZE>, <PCT>, 2.1 GB, true, false, " +
        "2, <RAFTINDEX>, <RAFTINDEX>,<SP>",
      "saved <TMP>/a.db",
    ],
  );
});

test("leases have names, also in keys that are encoded", () => {
  const id = 0x1234567890abcdefn;
  normaliser.learn(id, "LEASE1");
  const key = Buffer.from("el/1234567890abcdef");
  const hex = key.toString("hex").replace(/../g, "\\x$&");
  const other = `{"key":"${Buffer.from("el/1234567890abcdee").toString("base64")}"}`;
  assert.deepEqual(
    lines(`{"key":"${key.toString("base64")}","lease":${id}}\n${hex}\n${key}\n${other}\n`),
    [
      '{"key":"base64(el/<LEASE1>)","lease":<LEASE1:dec>}',
      "hex(el/<LEASE1>)",
      "el/<LEASE1>",
      other,
    ],
  );
  assert.equal(normaliser.expand("--lease=<LEASE1:upper>"), "--lease=1234567890ABCDEF");
});

test("what is left of a lease is hidden unless more is missing than the time between steps", () => {
  assert.deepEqual(
    lines(
      "granted with TTL(500s), remaining(488s)\ngranted with TTL(500s), remaining(399s)\n" +
        'granted with TTL(500s), remaining(501s)\n"ttl":488,"granted-ttl":500\n' +
        '"ttl":-1,"granted-ttl":0\n"TTL" : 488\n"GrantedTTL" : 500\n',
    ),
    [
      "granted with TTL(500s), remaining(<TTL>s)",
      "granted with TTL(500s), remaining(399s)",
      "granted with TTL(500s), remaining(501s)",
      '"ttl":<TTL>,"granted-ttl":500',
      '"ttl":-1,"granted-ttl":0',
      '"TTL" : <TTL>',
      '"GrantedTTL" : 500',
    ],
  );
});

test("a command in the background is answered when it is ended", async () => {
  const background = new Background();
  const begun = await background.begin("a", async (ending) => [`ended by ${await ending()}`]);
  await background.end("a", "SIGINT");
  assert.deepEqual(await begun.answer, ["ended by SIGINT"]);
  const short = await background.begin("b", async () => ["ended before"]);
  await background.end("b");
  assert.deepEqual(await short.answer, ["ended before"]);
  await assert.rejects(background.end("b"), /nothing named b/);
});

test("names in commands are expanded", () => {
  assert.equal(
    normaliser.expand("127.0.0.1:<DEADPORT> <TMP>/x"),
    "127.0.0.1:21302 /dir/golden-x/x",
  );
});

test("help texts and usages are each program's own", () => {
  assert.deepEqual(lines("NAME\nUsage:\n  x\n"), ["<HELP>"]);
  assert.deepEqual(lines("Error: x\nUsage:\n  x"), ["Error: x", "<USAGE>"]);
});

test("an output without a newline at its end is marked", () => {
  assert.deepEqual(lines("a\nb"), ["a", "b<NO-NEWLINE>"]);
  assert.deepEqual(lines(""), []);
});

test("hashes of files are hidden on demand only", () => {
  const output = '{"hash":123}\n';
  assert.deepEqual(lines(output), ['{"hash":123}']);
  normaliser.hidesHashes = true;
  assert.deepEqual(lines(output), ['{"hash":<HASH>}']);
  normaliser.hidesHashes = false;
});

const table = [
  "+-----------------+---------+",
  "|    ENDPOINT     | DB SIZE |",
  "+-----------------+---------+",
  "| 127.0.0.1:2379  |   20 kB |",
  "| 127.0.0.1:23790 |  120 kB |",
  "+-----------------+---------+",
];
const replaceSize = (heading: string, cell: string) => (heading === "DB SIZE" ? "<A-SIZE>" : cell);

test("tables are drawn again around replaced cells", () => {
  assert.equal(tableLength(["x", ...table, "y"], 1), 6);
  assert.deepEqual(replaceInTable(table, replaceSize), [
    "+-----------------+----------+",
    "|    ENDPOINT     | DB SIZE  |",
    "+-----------------+----------+",
    "| 127.0.0.1:2379  | <A-SIZE> |",
    "| 127.0.0.1:23790 | <A-SIZE> |",
    "+-----------------+----------+",
  ]);
});

test("a table that is not drawn by the rules shows", () => {
  const wrong = table.map((line) => line.replace("2379  |", "2379 |"));
  assert.equal(replaceInTable(wrong, replaceSize)[0], "<TABLE-IRREGULAR>");
});

test("messages are shown by field numbers", () => {
  const message = Buffer.from("0a0408011002" + "120361620a", "hex");
  assert.deepEqual(protobufLines(message), ["1 {", "  1: 1", "  2: 2", "}", '2: "ab\\n"']);
  assert.equal(protobufLines(Buffer.from([0x0a, 0x05, 0x01])), undefined);
  assert.equal(protobufLines(Buffer.from([0x08, 0x81, 0x00])), undefined);
});

function answered(...answer: string[]) {
  const command = "etcdctl put a b";
  return [{ kind: "step", number: "007", command, input: [], answer } as const];
}

test("answers are compared, and logs and chance are not", () => {
  const expected = answered("stdout:", "| OK", "stderr:", '| {"level":"warn","n":1}', "exit: 0");
  assert.deepEqual(
    compareTranscripts("t", expected, answered("stdout:", "| OK", "stderr:", "exit: 0"), []),
    [],
  );
  const [found] = compareTranscripts("t", expected, answered("stdout:", "| KO", "exit: 0"), []);
  assert.equal(found!.known, undefined);
  assert.match(showDifference(found!), /^t 007: \$ etcdctl put a b\n {2}- \| OK/);
  const spaced = answered("status: 200", "body:", '| {"a":"b, c", "d":1}');
  const tight = answered("status: 200", "body:", '| {"a":"b, c","d":1}');
  assert.deepEqual(compareTranscripts("t", spaced, tight, []), []);
  const other = answered("status: 200", "body:", '| {"a":"b,c","d":1}');
  assert.equal(compareTranscripts("t", spaced, other, []).length, 1);
});

test("known differences excuse their steps only", () => {
  const known = parseKnown(
    "# Known\n\n- `t 006-007` (etcdctl, etcd): because\n  of this\n- `u 001` (etcdutl): x\n",
  );
  assert.deepEqual(
    known.map((one) => [one.transcript, one.first, one.last, one.reason]),
    [
      ["t", 6, 7, "because of this"],
      ["u", 1, 1, "x"],
    ],
  );
  const [found] = compareTranscripts("t", answered("exit: 0"), answered("exit: 1"), known);
  assert.equal(found!.known, "because of this");
  assert.deepEqual(staleKnown(known, [found!], ["t", "u"]), [known[1]]);
  assert.deepEqual(staleKnown(known, [], ["t"]), [known[0]]);
});
