import assert from "node:assert/strict";
import { test } from "node:test";
import { AppliedState, bytes } from "../../../test/model/applied-state.ts";
import { Bucket } from "../../storage/schema.ts";
import { Errors } from "../../wire/errors.ts";
import { RequestField } from "../../wire/internal-raft-request.ts";
import {
  encodeClusterMemberAttrSetRequest,
  encodeClusterVersionSetRequest,
  encodeDowngradeInfoSetRequest,
} from "../../wire/messages/membership.ts";
import { type ConfChange, ConfChangeType } from "../../wire/messages/raft.ts";
import type { RpcError } from "../../wire/status.ts";
import type { ConfState } from "../state.ts";
import { decodeMember, encodeMember } from "./member-json.ts";

const ONE = 0xb71f75320dc06a6cn;
const TWO = 0xffff_ffff_ffff_fff0n;
const THREE = 3n;

const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString();

function change(kind: keyof typeof ConfChangeType, nodeId: bigint, context = ""): ConfChange {
  return {
    type: ConfChangeType[kind],
    nodeId,
    context: bytes(context),
    id: 0xabcd_0000_0000_0007n,
  };
}

const add = (id: bigint, url: string): ConfChange =>
  change("ConfChangeAddNode", id, `{"id":${id},"peerURLs":["${url}"],"name":""}`);
const addLearner = (id: bigint, url: string): ConfChange =>
  change("ConfChangeAddLearnerNode", id, `{"id":${id},"peerURLs":["${url}"],"isLearner":true}`);
const promote = (id: bigint): ConfChange =>
  change("ConfChangeAddNode", id, `{"id":${id},"peerURLs":null,"isPromote":true}`);
const update = (id: bigint, url: string): ConfChange =>
  change("ConfChangeUpdateNode", id, `{"id":${id},"peerURLs":["${url}"]}`);
const remove = (id: bigint): ConfChange => change("ConfChangeRemoveNode", id);

/** Applies a change; raft is told the members that there would be. */
function apply(s: AppliedState, given: ConfChange): RpcError | null {
  const toRaft: bigint[] = [];
  const outcome = s.state.applyConfChange(s.state.appliedIndex + 1, 1, given, ({ nodeId }) => {
    toRaft.push(nodeId);
    return confState([ONE]);
  });
  assert.deepEqual(toRaft, [outcome.error === null ? given.nodeId : 0n]);
  assert.deepEqual([outcome.idHigh, outcome.idLow48], [0xabcd, 7]);
  return outcome.error;
}

function confState(voters: bigint[]): ConfState {
  return { voters, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
}

test("adding, promoting, updating and removing members", () => {
  const s = new AppliedState();
  assert.equal(apply(s, add(ONE, "http://1")), null);
  assert.equal(apply(s, addLearner(TWO, "http://2")), null);
  assert.deepEqual(s.state.members.confState(), { voters: [ONE], learners: [TWO] });
  assert.equal(apply(s, promote(TWO)), null);
  assert.deepEqual(s.state.members.confState(), { voters: [ONE, TWO], learners: [] });
  assert.deepEqual(s.state.members.find(TWO)?.peerUrls, ["http://2"]);
  assert.equal(apply(s, update(TWO, "http://two")), null);
  assert.equal(apply(s, remove(ONE)), null);
  assert.equal(
    text(s.store.get(Bucket.members, bytes("fffffffffffffff0"))),
    '{"id":18446744073709551600,"peerURLs":["http://two"]}',
  );
  assert.equal(text(s.store.get(Bucket.membersRemoved, bytes("b71f75320dc06a6c"))), "removed");
  const restarted = s.restarted().state.members;
  assert.deepEqual(restarted.all(), s.state.members.all());
  assert.deepEqual(restarted.removed(), [ONE]);
});

test("changes that cannot be are refused, the same on all members", () => {
  const s = new AppliedState({ maxLearners: 1 });
  apply(s, add(ONE, "http://1"));
  assert.equal(apply(s, add(ONE, "http://other")), Errors.MemberExist);
  assert.equal(apply(s, add(TWO, "http://1")), Errors.PeerURLExist);
  assert.equal(apply(s, remove(TWO)), Errors.MemberNotFound);
  assert.equal(apply(s, update(TWO, "http://2")), Errors.MemberNotFound);
  assert.equal(apply(s, promote(TWO)), Errors.MemberNotFound);
  assert.equal(apply(s, promote(ONE)), Errors.MemberNotLearner);
  assert.equal(apply(s, addLearner(TWO, "http://2")), null);
  assert.equal(apply(s, addLearner(THREE, "http://3")), Errors.TooManyLearners);
  assert.equal(apply(s, update(TWO, "http://1")), Errors.PeerURLExist);
  assert.equal(apply(s, update(TWO, "http://2")), null);
  assert.equal(apply(s, remove(TWO)), null);
  assert.equal(apply(s, addLearner(TWO, "http://2")), Errors.MemberNotFound);
  assert.equal(s.state.appliedIndex, 13);
});

test("a change that no member would propose stops the process", () => {
  const s = new AppliedState();
  const toRaft = (): ConfState => confState([]);
  const applying = (given: ConfChange) => () => s.state.applyConfChange(1, 1, given, toRaft);
  assert.throws(applying(change("ConfChangeAddNode", ONE, "{")), /unreadable context/);
  assert.throws(applying(change("ConfChangeAddNode", ONE, `{"id":5}`)), /one member/);
  assert.throws(applying({ ...remove(ONE), type: 9 as ConfChange["type"] }), /unknown type 9/);
  assert.equal(s.state.appliedIndex, 0);
});

test("a change of before the restart is not given to raft again", () => {
  const s = new AppliedState();
  apply(s, add(ONE, "http://1"));
  const outcome = s.state.applyConfChange(1, 1, add(ONE, "http://1"), () => {
    throw new Error("raft has it from the members bucket");
  });
  assert.equal(outcome.isReplay, true);
});

test("raft's configuration is stored with exact ids", () => {
  const s = new AppliedState();
  s.state.applyConfChange(1, 1, add(ONE, "http://1"), () => confState([ONE]));
  assert.equal(text(s.store.confState), '{"voters":[13195394291058371180],"auto_leave":false}');
  const joint = { ...confState([ONE]), learners: [TWO, 3n], votersOutgoing: [3n], autoLeave: true };
  s.state.applyConfChange(2, 1, add(TWO, "http://2"), () => joint);
  assert.equal(
    text(s.store.confState),
    '{"voters":[13195394291058371180],"learners":[18446744073709551600,3],' +
      '"voters_outgoing":[3],"auto_leave":true}',
  );
});

test("a member's name and client URLs", () => {
  const s = new AppliedState();
  apply(s, add(ONE, "http://1"));
  const set = (memberID: bigint): void => {
    const memberAttributes = { name: "m<1>", clientUrls: ["http://c"] };
    const request = encodeClusterMemberAttrSetRequest({ memberID, memberAttributes });
    s.apply(RequestField.ClusterMemberAttrSet, request);
  };
  set(ONE);
  assert.equal(
    text(s.store.get(Bucket.members, bytes("b71f75320dc06a6c"))),
    '{"id":13195394291058371180,"peerURLs":["http://1"],"name":"m\\u003c1\\u003e",' +
      '"clientURLs":["http://c"]}',
  );
  apply(s, update(ONE, "http://new"));
  assert.equal(s.restarted().state.members.find(ONE)?.name, "m<1>");
  assert.throws(() => set(THREE), /never was one/);
  apply(s, remove(ONE));
  set(ONE);
  assert.deepEqual(s.state.members.all(), []);
});

test("the cluster's version and downgrades", () => {
  const s = new AppliedState({ serverVersion: "3.7.3" });
  const setVersion = (ver: string): void =>
    void s.apply(RequestField.ClusterVersionSet, encodeClusterVersionSetRequest({ ver }));
  const setDowngrade = (enabled: boolean, ver: string): void =>
    void s.apply(RequestField.DowngradeInfoSet, encodeDowngradeInfoSetRequest({ enabled, ver }));
  assert.equal(s.state.members.clusterVersion, undefined);
  setVersion("3.7.0");
  setDowngrade(true, "3.6.0");
  assert.equal(
    text(s.store.get(Bucket.cluster, bytes("downgrade"))),
    '{"target-version":"3.6.0","enabled":true}',
  );
  const { members } = s.restarted().state;
  assert.equal(members.clusterVersion, "3.7.0");
  assert.deepEqual(members.downgrade, { enabled: true, targetVersion: "3.6.0" });
  setDowngrade(false, "3.6.0");
  assert.deepEqual(s.state.members.downgrade, { enabled: false, targetVersion: "" });
  assert.throws(() => setVersion("3.8.0"), /invalid downgrade/);
  assert.throws(() => s.restarted({ serverVersion: "3.6.9" }), /invalid downgrade/);
});

test("the JSON of members: exact ids, any case of keys, unknown keys, hostile names", () => {
  const member = {
    id: 2n ** 64n - 1n,
    peerUrls: ["http://a", "http://b"],
    isLearner: true,
    name: `x"id":5,\\"id\\":7&\u2028é`,
    clientUrls: ["http://c"],
  };
  assert.deepEqual(decodeMember(encodeMember(member)), { ...member, isPromote: false });
  const encoded = text(encodeMember(member))!;
  assert.ok(encoded.startsWith('{"id":18446744073709551615,"peerURLs":["http://a","http://b"],'));
  assert.ok(encoded.includes("\\u0026\\u2028é"));
  assert.deepEqual(decodeMember(bytes(`{"ID": 12, "PeerURLs": null, "new": {"id": 1}}`)), {
    id: 12n,
    peerUrls: [],
    isLearner: false,
    name: "",
    clientUrls: [],
    isPromote: false,
  });
  for (const wrong of ["", "5", "null", '{"id":"x"}', '{"peerURLs":5}', '{"name":5}', "\xff"]) {
    assert.throws(() => decodeMember(bytes(wrong)), wrong);
  }
});
