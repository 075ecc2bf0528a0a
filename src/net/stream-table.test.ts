// Against a Map, with ids as clients choose them: growing, some staying for long.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SimRandom } from "../../test/simulation/sim-random.ts";
import { StreamTable } from "./stream-table.ts";

interface Stream {
  readonly id: number;
}

function assertSame(table: StreamTable<Stream>, model: Map<number, Stream>, newest: number): void {
  assert.equal(table.size, model.size);
  assert.deepEqual(
    table.all().sort((a, b) => a.id - b.id),
    [...model.values()].sort((a, b) => a.id - b.id),
  );
  for (let id = Math.max(1, newest - 200); id <= newest + 2; id++) {
    assert.equal(table.get(id), model.get(id));
  }
}

for (const open of [1, 7, 10, 100, 1000]) {
  test(`streams come and go, some ${open} at a time`, () => {
    const random = new SimRandom(open);
    const table = new StreamTable<Stream>();
    const model = new Map<number, Stream>();
    let id = 1;
    for (let step = 0; step < 6000; step++) {
      if (model.size < open || (model.size < 2 * open && random.oneIn(2))) {
        const stream = { id };
        table.add(stream);
        model.set(id, stream);
        id += random.oneIn(50) ? 2 * (1 + random.below(1000)) : 2;
      } else {
        const ids = [...model.keys()];
        // Mostly an old one, so that a few of the oldest are left between many new ones.
        const gone = ids[random.oneIn(5) ? random.below(ids.length) : ids.length >> 1]!;
        table.delete(gone);
        model.delete(gone);
        table.delete(gone);
      }
      if (step % 50 === 0) assertSame(table, model, id);
    }
    assertSame(table, model, id);
  });
}

test("ids up to the largest there is", () => {
  const table = new StreamTable<Stream>();
  for (const id of [1, 2 ** 31 - 1, 2 ** 31 - 3]) table.add({ id });
  table.delete(1);
  assert.deepEqual(
    [table.get(1), table.get(2 ** 31 - 1)?.id, table.size],
    [undefined, 2 ** 31 - 1, 2],
  );
});
