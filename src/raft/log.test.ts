import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { InvariantError } from "../base/assert.ts";
import { encodeEntry } from "../wire/messages/raft.ts";
import { RaftLog, sizeOfEntryBytes, UNKNOWN_TERM } from "./log.ts";
import { type ConfState, type Entry, EntryType } from "./ready.ts";

const confState: ConfState = {
  voters: [1n],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

function entry(term: number, index: number, bytes = 0): Entry {
  return { term, index, type: EntryType.Normal, data: new Uint8Array(bytes) };
}

/** From `first` on, with these terms. */
function entries(first: number, terms: readonly number[]): Entry[] {
  return terms.map((term, at) => entry(term, first + at));
}

function logOf(terms: readonly number[], index = 0, term = 0): RaftLog {
  return new RaftLog({ index, term, confState }, entries(index + 1, terms));
}

function termsOf(log: RaftLog): number[] {
  return log.slice(log.first, log.last, Number.POSITIVE_INFINITY).map((one) => one.term);
}

test("terms are known from the boundary to the end", () => {
  const log = logOf([2, 2, 3], 5, 1);
  assert.deepEqual(
    [4, 5, 6, 7, 8, 9].map((index) => log.term(index)),
    [UNKNOWN_TERM, 1, 2, 2, 3, UNKNOWN_TERM],
  );
  assert.equal(log.first, 6);
  assert.equal(log.last, 8);
  assert.equal(logOf([]).lastTerm, 0);
});

test("a log is up to date by its last term first, then by its length", () => {
  const log = logOf([1, 2, 2]);
  for (const [term, index, isUpToDate] of [
    [1, 9, false],
    [2, 2, false],
    [2, 3, true],
    [2, 4, true],
    [3, 1, true],
  ] as const) {
    assert.equal(log.isUpToDate(term, index), isUpToDate, `${term}/${index}`);
  }
});

test("a committed entry is never replaced", () => {
  const log = logOf([1, 1, 1]);
  log.commitTo(2);
  assert.throws(() => log.merge(entries(2, [2])), InvariantError);
  log.merge(entries(3, [2]));
  assert.deepEqual(termsOf(log), [1, 1, 2]);
});

test("a commit index beyond the log means that the disk has lost something", () => {
  assert.throws(() => logOf([1]).commitTo(2), InvariantError);
});

test("what replaced an entry since it was handed out is not durable", () => {
  const log = logOf([1]);
  log.append(entry(2, 2));
  log.handed = 2;
  log.merge(entries(2, [3]));
  assert.equal(log.handed, 1);
  log.stableTo(2, 2);
  assert.equal(log.stable, 1);
  log.stableTo(3, 2);
  assert.equal(log.stable, 2);
});

test("slices end at the limit of bytes, but have an entry", () => {
  const log = new RaftLog({ index: 0, term: 0, confState }, [
    entry(1, 1, 100),
    entry(1, 2, 100),
    entry(1, 3, 100),
  ]);
  const size = sizeOfEntryBytes(entry(1, 1, 100));
  const count = (maxBytes: number) => log.slice(1, 3, maxBytes).length;
  assert.deepEqual(
    [0, size, size * 2 - 1, size * 2, size * 3, Number.POSITIVE_INFINITY].map(count),
    [1, 1, 1, 2, 3, 3],
  );
  assert.deepEqual(log.slice(2, 1, 0), []);
});

test("the size of an entry is that of its encoding", () => {
  const place = fc.oneof(fc.nat(300), fc.maxSafeNat());
  fc.assert(
    fc.property(place, place, fc.nat(300), fc.constantFrom(0, 1, 2), (term, index, bytes, type) => {
      const one: Entry = { term, index, type: type as EntryType, data: new Uint8Array(bytes) };
      const given = { term, index, type: type === 0 ? undefined : one.type };
      const data = bytes === 0 ? undefined : one.data;
      assert.equal(sizeOfEntryBytes(one), encodeEntry({ ...given, data }).length);
    }),
  );
});

test("snapshots: newer only, of what is applied, and compaction only up to one", () => {
  const log = logOf([1, 1, 2, 2]);
  log.commitTo(4);
  assert.throws(() => log.createSnapshot(3, confState), InvariantError);
  log.applying = 3;
  assert.throws(() => log.compact(2), InvariantError);
  assert.equal(log.createSnapshot(3, confState), true);
  assert.deepEqual(log.snapshot, { index: 3, term: 2, confState });
  assert.equal(log.createSnapshot(3, confState), false);
  assert.equal(log.createSnapshot(2, confState), false);
  assert.equal(log.compact(2), true);
  assert.equal(log.compact(2), false);
  assert.equal(log.first, 3);
  assert.equal(log.term(2), 1);
  assert.equal(log.term(1), UNKNOWN_TERM);
  assert.throws(() => log.compact(4), InvariantError);
});

test("a snapshot empties the log, and is done when the newest one is", () => {
  const log = logOf([1, 1, 1]);
  const received = (index: number) => {
    const metadata = { index, term: 2, confState };
    log.restore({ data: new Uint8Array(0), metadata }, metadata);
  };
  received(9);
  assert.deepEqual([log.first, log.last, log.commit, log.lastTerm], [10, 9, 9, 2]);
  log.append(entry(2, 10));
  log.commitTo(10);
  assert.equal(log.hasCommittedToApply(), false);
  received(20);
  log.snapshotDone(9);
  assert.equal(log.pendingSnapshot?.metadata?.index, 20);
  log.snapshotDone(20);
  assert.equal(log.pendingSnapshot, undefined);
  assert.equal(log.applied, 20);
  const old = { index: 20, term: 2, confState };
  assert.throws(() => log.restore({ data: new Uint8Array(0), metadata: old }, old), InvariantError);
});

interface Naive {
  offset: number;
  offsetTerm: number;
  terms: number[];
}

const action = fc.oneof(
  fc.record({ kind: fc.constant("append" as const), count: fc.nat(40), newer: fc.nat(1) }),
  fc.record({
    kind: fc.constant("merge" as const),
    back: fc.nat(30),
    same: fc.nat(20),
    count: fc.nat(20),
  }),
  fc.record({ kind: fc.constant("compact" as const), percent: fc.nat(100) }),
);

/** Entries that repeat some of the log and then differ from it, or go on behind it. */
function overlapping(naive: Naive, one: { back: number; same: number; count: number }): Entry[] {
  const last = naive.offset + naive.terms.length;
  const first = Math.max(naive.offset + 1, last + 1 - one.back);
  const known = naive.terms.slice(first - naive.offset - 1).slice(0, one.same);
  const newTerm = (naive.terms.at(-1) ?? naive.offsetTerm) + 1;
  const isWhole = first + known.length > last;
  const fresh = new Array<number>(one.count).fill(newTerm);
  return entries(first, isWhole || one.count > 0 ? [...known, ...fresh] : known);
}

test("append, merge and compact do what they do to an array", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const log = logOf([]);
      const naive: Naive = { offset: 0, offsetTerm: 0, terms: [] };
      for (const one of actions) {
        const last = naive.offset + naive.terms.length;
        if (one.kind === "append") {
          const term = (naive.terms.at(-1) ?? naive.offsetTerm) + one.newer;
          for (let at = 1; at <= one.count; at++) log.append(entry(term, last + at));
          naive.terms.push(...new Array<number>(one.count).fill(term));
        } else if (one.kind === "merge") {
          const incoming = overlapping(naive, one);
          log.merge(incoming);
          const differs = incoming.find(
            (given) => naive.terms[given.index - naive.offset - 1] !== given.term,
          );
          if (differs !== undefined) {
            naive.terms.length = differs.index - naive.offset - 1;
            naive.terms.push(
              ...incoming.filter(({ index }) => index >= differs.index).map(({ term }) => term),
            );
          }
        } else {
          const index = naive.offset + Math.floor((naive.terms.length * one.percent) / 100);
          log.applying = Math.max(log.applying, index);
          log.createSnapshot(index, confState);
          assert.equal(log.compact(index), index > naive.offset);
          naive.offsetTerm =
            index > naive.offset ? naive.terms[index - naive.offset - 1]! : naive.offsetTerm;
          naive.terms = naive.terms.slice(index - naive.offset);
          naive.offset = index;
        }
        assert.equal(log.offset, naive.offset);
        assert.equal(log.term(log.offset), naive.offsetTerm);
        assert.deepEqual(termsOf(log), naive.terms);
      }
    }),
  );
});

/** Never-falling terms, as a log has them. */
const terms = fc
  .array(fc.nat(2), { maxLength: 12 })
  .map((steps) => steps.map((_, at) => 1 + steps.slice(0, at + 1).reduce((a, b) => a + b, 0)));

test("the hint is the last place whose term is not later, by a search of all places", () => {
  fc.assert(
    fc.property(terms, fc.nat(14), fc.nat(14), fc.nat(12), (list, index, term, offset) => {
      const log = logOf(list);
      const compacted = Math.min(offset, list.length);
      log.applying = compacted;
      log.createSnapshot(compacted, confState);
      log.compact(compacted);
      let expected = Math.min(index, list.length);
      while (expected > 0 && expected >= compacted && list[expected - 1]! > term) expected--;
      assert.equal(log.agreementHint(index, term), expected);
    }),
  );
});

test("no place that may agree is skipped by the hints of both sides", () => {
  fc.assert(
    fc.property(terms, terms, fc.nat(4), (leaderTerms, followerTerms, common) => {
      // Two logs that agree up to some place, and by the rules of raft nowhere behind it.
      const shared = leaderTerms.slice(0, common);
      const from = (shared.at(-1) ?? 0) + 1;
      const leader = logOf([...shared, ...leaderTerms.slice(common).map((t) => from + t * 2)]);
      const follower = logOf([...shared, ...followerTerms.map((t) => from + t * 2 + 1)]);
      let next = leader.last;
      for (let probes = 0; !follower.matches(next, leader.term(next)); probes++) {
        const hint = follower.agreementHint(next, leader.term(next));
        const term = follower.term(hint);
        const agreed = leader.agreementHint(hint, term);
        assert.ok(agreed < next || hint < next, "every probe gets nearer");
        assert.ok(Math.min(agreed, next) >= Math.min(shared.length, leader.last));
        next = Math.min(agreed, next - 1);
        assert.ok(probes < 30);
      }
      assert.equal(next, shared.length);
    }),
  );
});
