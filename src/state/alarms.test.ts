import assert from "node:assert/strict";
import { test } from "node:test";
import { AppliedState } from "../../test/model/applied-state.ts";
import { Bucket } from "../storage/schema.ts";
import { AlarmAction, type AlarmMember, AlarmType } from "../wire/messages/rpc-maintenance.ts";

const noSpace = (memberID: bigint): AlarmMember => ({ memberID, alarm: AlarmType.NOSPACE });
const { GET, ACTIVATE, DEACTIVATE } = AlarmAction;

test("alarms are raised once, listed by type and taken back", () => {
  const s = new AppliedState();
  const corrupt = { memberID: 2n, alarm: AlarmType.CORRUPT };
  assert.deepEqual(s.alarm({ action: ACTIVATE, ...noSpace(1n) }).alarms, [noSpace(1n)]);
  assert.deepEqual(s.alarm({ action: ACTIVATE, ...noSpace(1n) }).alarms, [noSpace(1n)]);
  assert.deepEqual(s.alarm({ action: ACTIVATE, ...corrupt }).alarms, [corrupt]);
  assert.deepEqual(s.alarm({ action: ACTIVATE, memberID: 1n }).alarms, []);
  assert.deepEqual(s.alarm({ action: GET }).alarms, [noSpace(1n), corrupt]);
  assert.deepEqual(s.alarm({ action: GET, alarm: AlarmType.CORRUPT }).alarms, [corrupt]);
  assert.deepEqual(s.alarm({ action: DEACTIVATE, ...noSpace(3n) }).alarms, []);
  assert.deepEqual(s.alarm({ action: DEACTIVATE, ...corrupt }).alarms, [corrupt]);
  assert.equal(s.state.alarms.isActive(AlarmType.CORRUPT), false);
  assert.equal(s.state.alarms.isActive(AlarmType.NOSPACE), true);
});

test("alarms outlast a restart, in the bytes that etcd stores", () => {
  const s = new AppliedState();
  s.alarm({ action: ACTIVATE, ...noSpace(0xffff_ffff_ffff_ffffn) });
  s.alarm({ action: ACTIVATE, memberID: 0n, alarm: AlarmType.CORRUPT });
  const keys: string[] = [];
  s.store.forEach(Bucket.alarm, (key, value) => {
    assert.equal(value.length, 0);
    keys.push(Buffer.from(key).toString("hex"));
  });
  assert.deepEqual(keys, ["08ffffffffffffffffff011001", "1002"]);
  const { alarms } = s.restarted().state;
  assert.deepEqual(new Set(alarms.list(0)), new Set(s.state.alarms.list(0)));
});
