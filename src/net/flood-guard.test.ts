import assert from "node:assert/strict";
import { test } from "node:test";
import { FloodGuard } from "./flood-guard.ts";
import { CONTROL_FRAMES_PER_SECOND_MAX, RESETS_PER_SECOND_MAX } from "./limits.ts";

test("control frames are limited until something is answered, or a second is over", () => {
  const guard = new FloodGuard();
  const fill = (answers: number): void => {
    for (let count = 0; count < CONTROL_FRAMES_PER_SECOND_MAX; count++) {
      assert.ok(guard.onControlFrame(answers));
    }
  };
  fill(0);
  assert.equal(guard.onControlFrame(0), false);
  fill(1);
  assert.equal(guard.onControlFrame(1), false);
  guard.onSecond(1);
  fill(1);
});

test("each answer pays for one reset within its second", () => {
  const guard = new FloodGuard();
  guard.onSecond(500);
  for (let count = 0; count < RESETS_PER_SECOND_MAX; count++) assert.ok(guard.onReset(500));
  assert.equal(guard.onReset(500), false);
  assert.ok(guard.onReset(502));
  assert.equal(guard.onReset(502), false);
  guard.onSecond(502);
  assert.ok(guard.onReset(502));
});
