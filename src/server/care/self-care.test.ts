import assert from "node:assert/strict";
import { test } from "node:test";
import { AppliedState } from "../../../test/model/applied-state.ts";
import { type Fields, silentLogger } from "../../base/log.ts";
import type { PeerAnswer } from "../../io/network.ts";
import type { Member } from "../../state/members/member-json.ts";
import type { Backend } from "../../storage/backend.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { answerNeeds, askNeeds, type Needs } from "./peer-needs.ts";
import type { Figures } from "./policy.ts";
import { RecentReaders } from "./recent-readers.ts";
import { SelfCare, type SelfCareMode } from "./self-care.ts";
import { isTurnOf, SLOT_MS } from "./turns.ts";

const MB = 1 << 20;
const full: Omit<Figures, "copyOverhead" | "isCompactionBlocked" | "isDefragmentationBlocked"> = {
  ...{ fileBytes: 81 * MB, inUseBytes: 80 * MB, quotaBytes: 100 * MB },
  ...{ liveBytes: 7 * MB, historyBytes: 73 * MB, recordCount: 100 },
  ...{ currentRevision: 100, compactRevision: -1, windowRevision: 50 },
  ...{ neededRevision: Number.POSITIVE_INFINITY, neededBy: "", fullest: () => "" },
  ...{ hasRetention: false, isLeader: true, isNoSpace: false, isNoSpaceMine: false },
  ...{ isBusy: false, isMyTurn: true },
};

/** Self-care on figures that the test sets; what it proposes is applied to a small state. */
class Bench {
  readonly clock = new ManualClock();
  readonly applied = new AppliedState();
  readonly lines: Fields[] = [];
  readonly self: SelfCare;
  figures: Partial<Figures> = {};
  needs: Needs = { revision: Number.POSITIVE_INFINITY, memberId: 1n };
  defragmentations = 0;
  defragmentationError: Error | null = null;
  proposed = 0;

  constructor(mode: SelfCareMode = "on") {
    for (let i = 0; i < 99; i++) this.applied.put("k", `${i}`);
    const tell = (_message: string, fields: Fields = {}): void => {
      this.lines.push(fields);
    };
    this.self = new SelfCare({
      ...{ clock: this.clock, state: this.applied.state, memberId: 1n, mode },
      log: { ...silentLogger, info: tell, warn: tell },
      backend: this.#backend(),
      proposals: {
        propose: (field, body, _start, _end, waiter) => {
          this.proposed++;
          const outcome = this.applied.apply(field, body);
          waiter.settle(outcome);
          const after = { compactRevision: 100, inUseBytes: 8 * MB, historyBytes: 0 };
          this.figures = { ...this.figures, ...after };
          this.applied.finishCompaction();
        },
      },
      figures: (own) => ({ ...full, ...own, ...this.figures }),
      askPeers: (done) => done(this.needs),
    });
  }

  results(): string[] {
    return this.self.events.map(({ action, result }) => `${action} ${result}`);
  }

  #backend(): Backend {
    const bench = this;
    return {
      get sizeBytes() {
        return bench.figures.fileBytes ?? full.fileBytes;
      },
      get sizeInUseBytes() {
        return bench.figures.inUseBytes ?? full.inUseBytes;
      },
      commit: (done?: () => void) => done?.(),
      defragment: (done: (error: Error | null) => void) => {
        bench.defragmentations++;
        if (bench.defragmentationError === null)
          bench.figures = { ...bench.figures, fileBytes: 9 * MB };
        done(bench.defragmentationError);
      },
    } as unknown as Backend;
  }
}

test("it compacts, then gives the space back, each told once with what was won", () => {
  const bench = new Bench();
  bench.self.look();
  bench.clock.pass(1000);
  assert.deepEqual(bench.results(), ["compact done", "defragment done"]);
  assert.deepEqual(
    bench.lines.map((fields) => fields["bytes-won"]),
    [72 * MB, 72 * MB],
  );
  assert.equal(bench.self.bytesWon.value, 144 * MB);
  assert.equal(bench.self.actions.with("compact", "done").value, 1);
  bench.self.look();
  bench.clock.pass(3600_000);
  assert.equal(bench.self.events.length, 2, "then there is nothing to do");
});

test("a member that cannot tell what its watchers need: nothing is compacted, tried ever later", () => {
  const bench = new Bench();
  bench.needs = { unknownTo: 0xfn };
  for (let second = 0; second < 3600; second++) {
    bench.self.look();
    bench.clock.pass(1000);
  }
  assert.equal(bench.proposed, 0);
  assert.ok(bench.self.events.length >= 5 && bench.self.events.length <= 9);
  for (const { result } of bench.self.events) {
    assert.equal(result, "failed: member f cannot tell which history its watchers need");
  }
});

test("… a file with air is given back meanwhile", () => {
  const bench = new Bench();
  bench.needs = { unknownTo: 0xfn };
  bench.figures = { fileBytes: 300 * MB };
  bench.self.look();
  bench.clock.pass(1000);
  bench.self.look();
  assert.deepEqual(bench.results().slice(0, 2), [
    "compact failed: member f cannot tell which history its watchers need",
    "defragment done",
  ]);
});

test("no further than another member's watcher", () => {
  const bench = new Bench();
  bench.needs = { revision: 60, memberId: 2n };
  bench.self.look();
  assert.equal(bench.applied.state.mvcc.compactRevision, 60);
  const held = new Bench();
  held.applied.compact(60);
  held.needs = { revision: 60, memberId: 2n };
  held.self.look();
  assert.match(held.results()[0] ?? "", /watchers or readers of member 2 need history from/);
});

test("a full disk under the copy: told, and later again", () => {
  const bench = new Bench();
  bench.figures = { fileBytes: 300 * MB, inUseBytes: 8 * MB, historyBytes: 0 };
  bench.defragmentationError = new Error("ENOSPC");
  bench.self.look();
  bench.clock.pass(1000);
  bench.self.look();
  assert.deepEqual(bench.results(), ["defragment failed: ENOSPC"]);
  bench.clock.pass(30_000);
  bench.defragmentationError = null;
  bench.self.look();
  assert.equal(bench.results().at(-1), "defragment done");
});

test("observe tells once an hour and does nothing, off does not even look", () => {
  const bench = new Bench("observe");
  for (let minute = 0; minute < 90; minute++) {
    bench.self.look();
    bench.clock.pass(60_000);
  }
  assert.deepEqual(bench.results(), ["compact observed", "compact observed"]);
  assert.equal(bench.proposed + bench.defragmentations, 0);
  const off = new Bench("off");
  off.self.look();
  assert.deepEqual(off.results(), []);
});

test("turns: each member in its slot, the leader last, nobody late in a slot", () => {
  const ids = [5n, 3n, 9n];
  const turn = (slot: number, part = 0): bigint[] =>
    ids.filter((id) => isTurnOf(id, ids, 3n, SLOT_MS * (300 + slot) + part * SLOT_MS));
  assert.deepEqual([turn(0), turn(1), turn(2), turn(3)], [[5n], [9n], [3n], [5n]]);
  assert.deepEqual(turn(0, 0.6), []);
  assert.ok(isTurnOf(1n, [1n], 1n, 12345));
});

test("what was read of late is remembered for one to two minutes", () => {
  const readers = new RecentReaders();
  readers.note(50, 60_000);
  readers.note(70, 61_000);
  assert.equal(readers.oldest(119_000), 50);
  readers.note(60, 121_000);
  assert.equal(readers.oldest(130_000), 50);
  assert.equal(readers.oldest(185_000), 60);
  assert.equal(readers.oldest(500_000), Number.POSITIVE_INFINITY);
});

test("needs of others: the oldest; those that are away need nothing, Go's cannot tell", () => {
  const members = [1n, 2n, 3n].map(
    (id) => ({ id, peerUrls: [`http://${id}`] }) as unknown as Member,
  );
  const ask = (answers: Record<string, PeerAnswer | Error>): Needs => {
    let needs: Needs | undefined;
    const network = {
      ask: (url: string, _request: object, done: (answer: PeerAnswer | Error) => void) =>
        done(answers[url]!),
    };
    askNeeds({ network, members, memberId: 1n }, (result) => {
      needs = result;
    });
    return needs!;
  };
  const away = new Error("connection refused");
  assert.deepEqual(ask({ "http://2": answerNeeds(40), "http://3": answerNeeds(30) }), {
    revision: 30,
    memberId: 3n,
  });
  const nothing = ask({ "http://2": answerNeeds(Number.POSITIVE_INFINITY), "http://3": away });
  assert.equal("revision" in nothing && nothing.revision, Number.POSITIVE_INFINITY);
  const go = { status: 404, headers: {}, body: Buffer.from("404 page not found\n") };
  assert.deepEqual(ask({ "http://2": answerNeeds(40), "http://3": go }), { unknownTo: 3n });
});
