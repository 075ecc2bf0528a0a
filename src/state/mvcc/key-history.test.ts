import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyHistory } from "./key-history.ts";

// etcd's keyIndex by the book: a list of generations, each a list of revisions. A generation but
// the last ends with its tombstone; the last is empty when the key does not exist.
interface Revision {
  readonly main: number;
  readonly sub: number;
}

interface Generation {
  version: number;
  created: number;
  revisions: Revision[];
}

class NaiveHistory {
  generations: Generation[] = [];

  put(revision: Revision): void {
    if (this.generations.length === 0) this.generations.push(newGeneration());
    const last = this.generations.at(-1)!;
    if (last.revisions.length === 0) last.created = revision.main;
    last.revisions.push(revision);
    last.version++;
  }

  tombstone(revision: Revision): boolean {
    const last = this.generations.at(-1);
    if (last === undefined || last.revisions.length === 0) return false;
    this.put(revision);
    this.generations.push(newGeneration());
    return true;
  }

  find(at: number): { main: number; sub: number; created: number; version: number } | undefined {
    for (let i = this.generations.length - 1; i >= 0; i--) {
      const { revisions, created, version } = this.generations[i]!;
      if (revisions.length === 0) continue;
      if (i < this.generations.length - 1 && revisions.at(-1)!.main <= at) return undefined;
      if (revisions[0]!.main > at) continue;
      for (let n = revisions.length - 1; n >= 0; n--) {
        const { main, sub } = revisions[n]!;
        if (main > at) continue;
        return { main, sub, created, version: version - (revisions.length - 1 - n) };
      }
    }
    return undefined;
  }

  /** What a compaction keeps, and the place of its generation and revision. */
  search(at: number): { generation: number; place: number; isTombstone: boolean } {
    const last = this.generations.length - 1;
    let generation = 0;
    while (generation < last && this.generations[generation]!.revisions.at(-1)!.main < at) {
      generation++;
    }
    const { revisions } = this.generations[generation]!;
    const place = revisions.findLastIndex(({ main }) => main <= at);
    const isTombstone = generation < last && place === revisions.length - 1;
    return { generation, place, isTombstone };
  }

  compact(at: number): { kept: Revision | undefined; isGone: boolean } {
    const { generation, place } = this.search(at);
    const kept = this.generations[generation]!.revisions[place];
    if (place > 0) this.generations[generation]!.revisions.splice(0, place);
    this.generations.splice(0, generation);
    const isGone = this.generations.length === 1 && this.generations[0]!.revisions.length === 0;
    return { kept, isGone };
  }
}

function newGeneration(): Generation {
  return { version: 0, created: 0, revisions: [] };
}

const step = fc.record({
  kind: fc.constantFrom("put", "put", "put", "tombstone", "compact"),
  /** 0: another change in the same transaction, but never a put behind a tombstone of it. */
  mainStep: fc.nat(3),
  back: fc.nat(12),
});

test("history equals a naive one under puts, deletions and compactions", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const history = new KeyHistory();
      history.ensure(0);
      history.ensure(1);
      const naive = new NaiveHistory();
      let main = 2;
      let sub = 0;
      let compacted = 0;
      let wasTombstone = false;
      for (const { kind, mainStep, back } of steps) {
        if (kind === "compact") {
          if (naive.generations.length === 0) continue;
          compacted = Math.max(compacted, main - back);
          const expected = naive.compact(compacted);
          assert.equal(history.compact(1, compacted), expected.isGone);
          assert.equal(history.foundMain, expected.kept?.main ?? 0);
          if (expected.kept !== undefined) assert.equal(history.foundSub, expected.kept.sub);
          if (!expected.isGone) continue;
          naive.generations = [];
          history.clear(1);
          wasTombstone = false;
          main++;
        } else {
          if (mainStep === 0 && !wasTombstone) sub++;
          else [main, sub] = [main + Math.max(1, mainStep), 0];
          wasTombstone = kind === "tombstone";
          if (kind === "put") {
            history.put(1, main, sub);
            naive.put({ main, sub });
          } else {
            assert.equal(history.tombstone(1, main, sub), naive.tombstone({ main, sub }));
          }
        }
        check(history, naive, compacted, main);
      }
    }),
    { numRuns: 1000 },
  );
});

function check(history: KeyHistory, naive: NaiveHistory, compacted: number, main: number): void {
  for (let at = Math.max(1, compacted); at <= main + 1; at++) {
    const expected = naive.find(at);
    const isFound = history.find(1, at);
    assert.equal(isFound, expected !== undefined, `found at ${at}`);
    if (expected !== undefined) {
      const { foundMain, foundSub, foundCreated, foundVersion } = history;
      assert.deepEqual(
        { main: foundMain, sub: foundSub, created: foundCreated, version: foundVersion },
        expected,
      );
    }
    if (naive.generations.length === 0) continue;
    const kept = naive.search(at);
    history.search(1, at);
    assert.equal(history.foundMain !== 0, kept.place >= 0, `kept at ${at}`);
    if (kept.place >= 0) assert.equal(history.foundVersion < 0, kept.isTombstone);
  }
  const expected = naive.generations.flatMap(({ revisions }) => revisions).reverse();
  const found: Revision[] = [];
  history.forEach(1, (revision, sub) => found.push({ main: revision, sub }));
  assert.deepEqual(found, expected);
  assert.equal(history.isLive(1), naive.find(main) !== undefined);
}

test("a restored key goes on where its record says", () => {
  const history = new KeyHistory();
  history.ensure(0);
  history.restore(0, 40, 3, 10, 7);
  assert.equal(history.find(0, 39), false);
  assert.equal(history.find(0, 40), true);
  assert.deepEqual([history.foundSub, history.foundCreated, history.foundVersion], [3, 10, 7]);
  history.put(0, 41, 0);
  assert.equal(history.find(0, 41), true);
  assert.deepEqual([history.foundCreated, history.foundVersion], [10, 8]);
});

test("a restored tombstone is a key that is not there", () => {
  const history = new KeyHistory();
  history.ensure(0);
  history.restoreTombstone(0, 40, 0);
  assert.equal(history.isLive(0), false);
  assert.equal(history.find(0, 50), false);
  assert.equal(history.find(0, 39), false);
  assert.equal(history.tombstone(0, 41, 0), false);
  history.put(0, 42, 0);
  assert.equal(history.find(0, 42), true);
  assert.deepEqual([history.foundCreated, history.foundVersion], [42, 1]);
  assert.equal(history.find(0, 41), false);
});

test("a record without version, as restore with a raised revision makes it, is a live key", () => {
  const history = new KeyHistory();
  history.ensure(0);
  history.restore(0, 1000, 0, 0, 0);
  assert.equal(history.isLive(0), true);
  assert.equal(history.findNewest(0), true);
  assert.deepEqual([history.foundCreated, history.foundVersion], [0, 0]);
});

test("revisions of a key that do not grow are refused", () => {
  const history = new KeyHistory();
  history.ensure(0);
  history.put(0, 5, 1);
  assert.throws(() => history.put(0, 5, 1), /only grow/);
  assert.throws(() => history.put(0, 4, 9), /only grow/);
});

test("what compaction frees is used again", () => {
  const history = new KeyHistory();
  history.ensure(0);
  const main = { value: 1 };
  const updateAndCompact = (): void => {
    for (let i = 0; i < 20_000; i++) history.put(0, ++main.value, 0);
    history.compact(0, main.value);
  };
  updateAndCompact();
  updateAndCompact();
  const before = history.nodeCount;
  for (let round = 0; round < 5; round++) updateAndCompact();
  assert.equal(history.nodeCount, before);
});
