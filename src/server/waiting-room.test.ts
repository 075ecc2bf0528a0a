import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { WaitingRoom } from "./waiting-room.ts";

describe("WaitingRoom", () => {
  it("answers as a Map would, whoever is answered first and whatever ids are left out", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("add" as const), gap: fc.integer({ min: 1, max: 700 }) }),
      fc.record({ kind: fc.constant("take" as const), at: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.boolean(), (steps, isFar) => {
        const room = new WaitingRoom<object>();
        const model = new Map<number, object>();
        let id = isFar ? 2 ** 47 + 123 : 0;
        for (const step of steps) {
          if (step.kind === "add") {
            const waiter = {};
            id += step.gap;
            room.add(id, waiter);
            model.set(id, waiter);
          } else {
            const ids = [...model.keys()];
            const taken = ids[step.at % Math.max(1, ids.length)] ?? id + 1;
            assert.equal(room.take(taken), model.get(taken));
            model.delete(taken);
            assert.equal(room.take(taken), undefined);
          }
          assert.equal(room.size, model.size);
          assert.equal(room.oldest(), model.keys().next().value);
          assert.deepEqual(room.ids(), [...model.keys()]);
          for (const [at, waiter] of model) assert.equal(room.get(at), waiter);
        }
      }),
    );
  });

  it("knows nobody before the first and behind the last", () => {
    const room = new WaitingRoom<string>();
    assert.equal(room.get(5), undefined);
    room.add(5000, "a");
    assert.equal(room.get(5000 - 1024), undefined);
    assert.equal(room.get(5000 + 1024), undefined);
    assert.equal(room.take(5000), "a");
    assert.equal(room.oldest(), undefined);
  });
});
