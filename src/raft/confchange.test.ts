import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { InvariantError } from "../base/assert.ts";
import {
  type ConfChangeSingle,
  type ConfChangeTransition,
  ConfChangeType,
  type ConfChangeV2,
} from "../wire/messages/raft.ts";
import { asV2, changed, configurationOf, confStateOf, isLeaveJoint } from "./confchange.ts";
import type { ConfState } from "./ready.ts";

const context = new Uint8Array(0);

/** `+1 ~2 -3`; the first word may be a transition. */
function changeOf(text: string): ConfChangeV2 {
  const words = text.split(" ").filter((word) => word !== "");
  const names = ["auto", "implicit", "explicit"];
  const transition = Math.max(0, names.indexOf(words[0] ?? "")) as ConfChangeTransition;
  const singles = words.filter((word) => !names.includes(word));
  const changes = singles.map((word): ConfChangeSingle => {
    const type = "+-=~".indexOf(word[0]!) as ConfChangeType;
    return { type, nodeId: BigInt(word.slice(1)) };
  });
  return { transition, changes, context };
}

/** `1 2 3 & 1 2 | 4 | 5 auto`: incoming & outgoing | learners | learners next. */
function stateOf(text: string): ConfState {
  const idsOf = (part: string | undefined) => (part?.match(/\d+/g) ?? []).map(BigInt);
  const [voters, learners, learnersNext] = text.split("|");
  const [incoming, outgoing] = voters!.split("&");
  return {
    voters: idsOf(incoming),
    votersOutgoing: idsOf(outgoing),
    learners: idsOf(learners),
    learnersNext: idsOf(learnersNext),
    autoLeave: text.includes("auto"),
  };
}

function after(from: string, change: string): ConfState {
  return confStateOf(changed(configurationOf(stateOf(from)), changeOf(change)));
}

test("what follows from a change", () => {
  for (const [from, change, to] of [
    ["", "+1", "1"],
    ["1", "+2", "1 2"],
    ["1 2", "-2", "1"],
    ["1 2", "~3", "1 2 | 3"],
    ["1 2 | 3", "+3", "1 2 3"],
    ["1 2 | 3", "-3", "1 2"],
    ["1 2", "~2", "1 | 2"],
    ["1 2", "-9", "1 2"],
    ["1 2", "+2", "1 2"],
    ["1 2", "=2", "1 2"],
    ["1 2", "-0", "1 2"],
    ["1 2", "explicit +3", "1 2 3 & 1 2"],
    ["1 2", "implicit +3", "1 2 3 & 1 2 | | auto"],
    ["1 2", "+3 -1", "2 3 & 1 2 | | auto"],
    ["1 2 3", "~2 +4 -3", "1 4 & 1 2 3 | | 2 auto"],
    ["1 4 & 1 2 3 | | 2 auto", "", "1 4 | 2"],
    ["1 2 3 | 5", "explicit ~2 ~4 -5", "1 3 & 1 2 3 | 4 | 2"],
    ["1 2 3 | 5", "explicit +5 ~1", "2 3 5 & 1 2 3 | | 1"],
    ["1 2 & 3 4", "", "1 2"],
  ] as const) {
    assert.deepEqual(after(from, change), stateOf(to), `(${from}) ${change}`);
  }
});

test("what no leader lets into the log is fatal", () => {
  for (const [from, change] of [
    ["1", "-1"],
    ["1", "~1"],
    ["", "~1"],
    ["1 2", ""],
    ["1 2 & 1", "+3"],
    ["1 2 & 1", "explicit +3"],
    ["", "explicit +3"],
    ["1 2", "explicit -1 -2"],
  ] as const) {
    assert.throws(() => after(from, change), InvariantError, `(${from}) ${change}`);
  }
  const strange = { ...changeOf("+1"), changes: [{ type: 9 as ConfChangeType, nodeId: 1n }] };
  assert.throws(() => changed(configurationOf(stateOf("1 2")), strange), InvariantError);
});

test("a configuration that cannot be is refused", () => {
  for (const text of ["1 | 1", "1 & 2 | 2", "1 | | 2", "1 2 & 2 | | 2", "1 | | auto"]) {
    assert.throws(() => configurationOf(stateOf(text)), InvariantError, text);
  }
});

test("a V1 change is a V2 change of one member", () => {
  const type = ConfChangeType.ConfChangeRemoveNode;
  const v2 = asV2({ id: 5n, type, nodeId: 7n, context });
  assert.deepEqual(v2, changeOf("-7"));
  assert.equal(isLeaveJoint(v2), false);
  assert.equal(isLeaveJoint(changeOf("")), true);
  assert.equal(isLeaveJoint(changeOf("explicit")), false);
});

const id = fc.integer({ min: 1, max: 7 }).map(BigInt);
const singles = fc.array(fc.record({ type: fc.constantFrom(0, 1, 2, 3), nodeId: id }), {
  minLength: 1,
  maxLength: 5,
});
const start = fc.uniqueArray(id, { minLength: 1, maxLength: 5 });

test("through a joint configuration or one by one, the result is the same", () => {
  fc.assert(
    fc.property(start, singles, (voters, drawn) => {
      const changes = drawn as ConfChangeSingle[];
      const from = configurationOf({ ...stateOf(""), voters });
      let simple = from;
      try {
        for (const single of changes) {
          simple = changed(simple, { transition: 0, changes: [single], context });
        }
      } catch (error) {
        assert.ok(error instanceof InvariantError);
        return;
      }
      const joint = changed(from, { transition: 1, changes, context });
      assert.deepEqual(confStateOf(joint).votersOutgoing, confStateOf(from).voters);
      const left = changed(joint, { transition: 0, changes: [], context });
      assert.deepEqual(confStateOf(left), confStateOf(simple));
      // What is recorded in a snapshot restores to itself.
      assert.deepEqual(confStateOf(configurationOf(confStateOf(joint))), confStateOf(joint));
    }),
  );
});
