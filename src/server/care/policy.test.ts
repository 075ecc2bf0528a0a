import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { copyBytesOf, type Decision, decide, type Figures } from "./policy.ts";

const MB = 1 << 20;
const quiet: Figures = {
  fileBytes: 11 * MB,
  inUseBytes: 10.7 * MB,
  quotaBytes: 100 * MB,
  liveBytes: 5 * MB,
  historyBytes: 5 * MB,
  recordCount: 10_000,
  copyOverhead: 1.05,
  currentRevision: 10_000,
  compactRevision: -1,
  windowRevision: 9_000,
  neededRevision: Number.POSITIVE_INFINITY,
  neededBy: "",
  fullest: () => "/a/ (9 MB)",
  hasRetention: false,
  isLeader: true,
  isNoSpace: false,
  isNoSpaceMine: false,
  isCompactionBlocked: false,
  isDefragmentationBlocked: false,
  isBusy: false,
  isMyTurn: true,
};
const at55: Partial<Figures> = { fileBytes: 56 * MB, inUseBytes: 55 * MB, historyBytes: 48 * MB };
const at80: Partial<Figures> = { fileBytes: 81 * MB, inUseBytes: 80 * MB, historyBytes: 73 * MB };
const bloated: Partial<Figures> = { fileBytes: 40 * MB, inUseBytes: 11 * MB };
const full = { isNoSpace: true, isNoSpaceMine: true };
const waits = { neededRevision: 300, neededBy: "a watcher of 1.2.3.4" };

const rows: readonly (readonly [string, Partial<Figures>, Partial<Decision>])[] = [
  ["in ordinary life", {}, { action: "none" }],
  ["history below the watermark is kept", { historyBytes: 4 * MB }, { action: "none" }],
  ["first watermark: up to the window", at55, { action: "compact", revision: 9_000 }],
  ["… not on followers", { ...at55, isLeader: false }, { action: "none" }],
  ["… not against a retention flag", { ...at55, hasRetention: true }, { action: "none" }],
  ["… not past a watcher", { ...at55, neededRevision: 8_000 }, { revision: 8_000 }],
  ["… nothing when it wins nothing", { ...at55, ...waits }, { action: "none" }],
  [
    "… not when there is no history",
    { ...at55, historyBytes: 2 * MB, liveBytes: 50 * MB },
    { action: "none" },
  ],
  [
    "… not the same again",
    { ...at55, compactRevision: 9_000, historyBytes: 20 * MB, liveBytes: 30 * MB },
    { action: "none" },
  ],
  ["… while it fails, nothing", { ...at55, isCompactionBlocked: true }, { action: "none" }],
  [
    "… while it fails, a file with air is copied all the same",
    {
      ...at80,
      fileBytes: 90 * MB,
      liveBytes: 20 * MB,
      historyBytes: 10 * MB,
      isCompactionBlocked: true,
    },
    { action: "defragment" },
  ],
  ["second watermark: all", at80, { action: "compact", revision: 10_000 }],
  ["… but what is needed", { ...at80, neededRevision: 9_990 }, { revision: 9_990 }],
  ["… who holds it is told", { ...at80, ...waits }, { action: "warn" }],
  ["… live data is told", { ...at80, liveBytes: 79 * MB, historyBytes: 0 }, { action: "warn" }],
  ["… a retention flag is told", { ...at80, hasRetention: true }, { action: "warn" }],
  ["a file with air", bloated, { action: "defragment" }],
  ["… that a copy cannot get rid of", { ...bloated, copyOverhead: 3 }, { action: "none" }],
  ["… in its turn", { ...bloated, isMyTurn: false }, { action: "none" }],
  ["… one thing at a time", { ...bloated, isBusy: true }, { action: "none" }],
  [
    "… not for a little",
    {
      fileBytes: 0.4 * MB,
      inUseBytes: 0.2 * MB,
      liveBytes: 100,
      historyBytes: 100,
      recordCount: 2,
    },
    { action: "none" },
  ],
  [
    "near the quota air is dearer",
    { ...at80, fileBytes: 90 * MB, hasRetention: true },
    { action: "defragment" },
  ],
  ["a full member compacts", { ...at80, fileBytes: 100 * MB, ...full }, { action: "compact" }],
  [
    "… then defragments, turn or not",
    { ...bloated, fileBytes: 100 * MB, ...full, compactRevision: 10_000, isMyTurn: false },
    { action: "defragment" },
  ],
  ["… then disarms", { fileBytes: 50 * MB, ...full }, { action: "disarm" }],
  [
    "… not just below the quota",
    { fileBytes: 95 * MB, inUseBytes: 94 * MB, liveBytes: 93 * MB, historyBytes: 0, ...full },
    { action: "warn" },
  ],
  ["another's alarm is not mine to disarm", { isNoSpace: true }, { action: "compact" }],
  [
    "without a quota: etcd's default",
    {
      quotaBytes: Number.POSITIVE_INFINITY,
      inUseBytes: 1100 * MB,
      fileBytes: 1101 * MB,
      historyBytes: 1000 * MB,
    },
    { action: "compact" },
  ],
];

for (const [name, figures, expected] of rows) {
  test(name, () => {
    const decision = decide({ ...quiet, ...figures });
    const picked = Object.fromEntries(
      Object.keys(expected).map((field) => [field, decision[field as keyof Decision]]),
    );
    assert.deepEqual(picked, expected);
  });
}

const size = fc.integer({ min: 0, max: 200 * MB });
const revision = fc.integer({ min: 1, max: 10_000 });
const figures: fc.Arbitrary<Figures> = fc.record({
  fileBytes: size,
  inUseBytes: size,
  quotaBytes: fc.constantFrom(16 * MB, 100 * MB, Number.POSITIVE_INFINITY),
  liveBytes: size,
  historyBytes: size,
  recordCount: fc.integer({ min: 0, max: 100_000 }),
  copyOverhead: fc.double({ min: 1.05, max: 2.5, noNaN: true }),
  currentRevision: fc.constant(10_000),
  compactRevision: fc.oneof(fc.constant(-1), revision),
  windowRevision: revision,
  neededRevision: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), revision),
  neededBy: fc.constant("somebody"),
  fullest: fc.constant(() => ""),
  hasRetention: fc.boolean(),
  isLeader: fc.boolean(),
  isNoSpace: fc.boolean(),
  isNoSpaceMine: fc.boolean(),
  isCompactionBlocked: fc.boolean(),
  isDefragmentationBlocked: fc.boolean(),
  isBusy: fc.boolean(),
  isMyTurn: fc.boolean(),
});

test("whatever the figures: what is protected stays, and nothing is done for nothing", () => {
  fc.assert(
    fc.property(figures, (given) => {
      const decision = decide(given);
      if (decision.action === "compact") {
        assert.ok(given.isLeader && !given.hasRetention && !given.isBusy);
        assert.ok(decision.revision <= given.neededRevision);
        assert.ok(decision.revision > given.compactRevision);
        assert.ok(decision.revision <= given.currentRevision);
        const quota = Math.min(given.quotaBytes, 2048 * MB);
        assert.ok(given.isNoSpace || given.inUseBytes >= quota / 2);
      }
      if (decision.action === "defragment") {
        assert.ok(decision.expectedBytes < given.fileBytes && !given.isBusy);
        assert.equal(decision.expectedBytes, copyBytesOf(given));
      }
      if (decision.action === "disarm") assert.ok(given.isNoSpaceMine);
    }),
    { numRuns: 2000 },
  );
});
