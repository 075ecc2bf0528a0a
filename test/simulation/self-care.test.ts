// The three stories, with what a member does by itself and nobody else doing anything. Ten days in
// `npm test`; a month, with what was done and why:
//
//   SELF_CARE_DAYS=30 SELF_CARE_STORY=1 node --test test/simulation/self-care.test.ts

import assert from "node:assert/strict";
import { test } from "node:test";
import { AlarmType } from "../../src/wire/messages/rpc-maintenance.ts";
import { actionsOf, Story } from "./three-stories.ts";

/** In `npm test` ten; SELF_CARE_DAYS=30 for the whole month. */
const DAYS = Number(process.env["SELF_CARE_DAYS"] ?? 10);
/** Three members talk to each other every second: fewer days, and as much fuller. */
const DAYS_OF_THREE = Math.ceil(DAYS * 0.3);
/** Of several members each waits for its turn to defragment: three slots of ten minutes. */
const WAIT_MAX_MS = 40 * 60_000;

function assertCared(story: Story): void {
  assert.deepEqual(story.errors, [], "no write was refused");
  for (const member of story.cluster.running) {
    assert.equal(member.state.alarms.isActive(AlarmType.NOSPACE), false);
    const failed = member.care.self.events.filter(({ result }) => result.startsWith("failed"));
    assert.deepEqual(failed, []);
  }
}

test("the three stories on one member: the file stays small, nobody is called", () => {
  const story = new Story(1, 1);
  for (let day = 0; day < DAYS; day++) story.day(40);
  story.tell("one member");
  assertCared(story);
  assert.ok(story.ratioMax <= 2, `the file is at most twice what it holds: ${story.ratioMax}`);
  const [member] = story.cluster.running;
  assert.ok(actionsOf(member!, "compact") >= 3, "it compacted");
  assert.ok(actionsOf(member!, "defragment") >= 1, "it defragmented");
});

test("… on three members: each its own file, one at a time", () => {
  const story = new Story(2, 3);
  for (let day = 0; day < DAYS_OF_THREE; day++) story.day(27, 80);
  story.tell("three members");
  assertCared(story);
  assert.ok(story.bloatedMaxMs <= WAIT_MAX_MS, `it waits for its turn: ${story.bloatedMaxMs}`);
  const all = story.cluster.running;
  const sum = (action: string): number => all.reduce((n, one) => n + actionsOf(one, action), 0);
  assert.ok(sum("compact") >= 1);
  for (const member of all) assert.ok(actionsOf(member, "defragment") >= 1);
});

test("with self-care off the same fills the quota", () => {
  const story = new Story(3, 1, { selfCare: "off" });
  for (let day = 0; day < DAYS && story.errors.length === 0; day++) story.day(40);
  assert.match(story.errors[0] ?? "", /database space exceeded/);
  assert.deepEqual(story.cluster.running[0]!.care.self.events, []);
});

test("observe tells and does nothing", () => {
  const story = new Story(4, 1, { selfCare: "observe" });
  for (let day = 0; day < 4; day++) story.day(40);
  const [member] = story.cluster.running;
  const { events } = member!.care.self;
  assert.ok(events.some(({ action, result }) => action === "compact" && result === "observed"));
  assert.ok(events.every(({ result }) => result === "observed" || result === "told"));
  assert.equal(member!.mvcc.compactRevision, -1);
});
