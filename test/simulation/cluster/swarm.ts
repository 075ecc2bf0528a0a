// What the seed decides before anything happens: the size of the cluster, its options, which
// faults exist at all and what clients do ("swarm testing": a run with fewer kinds of things goes
// deeper into those it has). Limits are drawn small, so that what is rare in production happens.

import type { MemberOptions } from "../../../src/server/options.ts";
import { CALM, type NetworkFaults } from "../sim-network.ts";
import { SimRandom } from "../sim-random.ts";
import type { Fate } from "../sim-tree.ts";

export const FAULTS = [
  "crash",
  "crashAll",
  "kill",
  "stop",
  "pause",
  "skew",
  "slowDisk",
  "diskFull",
  "diskError",
  "bitRot",
  "isolate",
  "halves",
  "bridge",
  "oneWay",
  "loss",
  "double",
  "reorder",
  "clog",
  "snapshotCut",
] as const;
export type FaultKind = (typeof FAULTS)[number];

export const OPERATIONS = [
  "put",
  "range",
  "serializable",
  "past",
  "txn",
  "delete",
  "compact",
  "grant",
  "revoke",
  "keepAlive",
  "watch",
  "defragment",
  "hash",
  "moveLeader",
  "members",
] as const;
export type OperationKind = (typeof OPERATIONS)[number];

/** How often an operation is chosen where it exists. */
const WEIGHTS: Readonly<Record<OperationKind, number>> = {
  put: 30,
  range: 16,
  serializable: 6,
  past: 4,
  txn: 10,
  delete: 6,
  compact: 3,
  grant: 3,
  revoke: 2,
  keepAlive: 3,
  watch: 5,
  defragment: 1,
  hash: 1,
  moveLeader: 1,
  members: 1,
};

/**
 * Long enough for what takes longest: requests end after seven seconds, members stay away for up
 * to fifteen. Another seed shows more in the same time than a longer run.
 */
const DURATIONS_MS: readonly number[] = [4000, 8000, 20_000];

export interface Plan {
  readonly seed: number;
  readonly memberCount: number;
  /** Virtual time with clients and faults; the checks at the end come after it. */
  readonly durationMs: number;
  readonly clientCount: number;
  readonly keyCount: number;
  /** Between an answer and the next question of a client, at most. */
  readonly thinkMs: number;
  readonly faults: ReadonlySet<FaultKind>;
  /** Mean time between two faults. */
  readonly faultEveryMs: number;
  readonly operations: readonly OperationKind[];
  /** One entry per chance. */
  readonly lots: readonly OperationKind[];
  readonly options: Partial<MemberOptions>;
  readonly walSegmentBytes: number;
  readonly network: NetworkFaults;
  readonly fates: readonly Fate[];
  readonly writeMs: readonly [number, number];
  readonly syncMs: readonly [number, number];
}

/** What a run may be told to do differently: `--without crash,compact`, `--members 3`. */
export interface Changes {
  readonly without?: readonly string[];
  readonly members?: number;
  readonly durationMs?: number;
  /** Instead of those drawn. */
  readonly faults?: readonly FaultKind[];
  readonly faultEveryMs?: number;
  readonly options?: Partial<MemberOptions>;
}

export function drawPlan(seed: number, changes: Changes = {}): Plan {
  const root = new SimRandom(seed).fork("swarm");
  const without = new Set(changes.without ?? []);
  const faults = new Set(changes.faults ?? drawFaults(root.fork("faults"), without));
  const operations = drawOperations(root.fork("operations"), without);
  const random = root.fork("shape");
  const memberCount = random.pick([1, 3, 3, 3, 3, 5]);
  const durationMs = random.pick(DURATIONS_MS);
  const clientCount = 1 + random.below(6);
  const keyCount = random.pick([1, 3, 8, 20]);
  const thinkMs = random.pick([1, 20, 100, 500]);
  const faultEveryMs = changes.faultEveryMs ?? random.pick([500, 1500, 4000]);
  return {
    seed,
    memberCount: changes.members ?? memberCount,
    durationMs: changes.durationMs ?? durationMs,
    ...{ clientCount, keyCount, thinkMs, faults, faultEveryMs, operations },
    lots: operations.flatMap((kind) => Array<OperationKind>(WEIGHTS[kind]).fill(kind)),
    options: { ...drawOptions(root.fork("options")), ...changes.options },
    walSegmentBytes: root.fork("segments").pick([4096, 16_384, 65_536, 1_048_576]),
    network: drawNetwork(root.fork("network"), faults),
    // Garbage in the middle of a write is damage, which stops a start on purpose.
    fates: root.fork("fates").pick([["kept", "lost", "torn"], ["lost"], ["torn", "kept"]]),
    writeMs: root.fork("write").pick([
      [0.01, 0.1],
      [0.1, 2],
    ]),
    syncMs: root.fork("sync").pick([
      [0.05, 0.5],
      [0.5, 5],
      [1, 30],
    ]),
  };
}

function drawFaults(random: SimRandom, without: ReadonlySet<string>): Set<FaultKind> {
  const oneIn = random.pick([2, 3, 5]);
  const none = random.oneIn(20);
  const drawn = FAULTS.filter(() => random.oneIn(oneIn));
  return new Set(none ? [] : drawn.filter((kind) => !without.has(kind)));
}

function drawOperations(random: SimRandom, without: ReadonlySet<string>): OperationKind[] {
  const most = random.oneIn(2);
  const drawn = OPERATIONS.filter(() => (most ? !random.oneIn(5) : random.oneIn(2)));
  const all = new Set<OperationKind>(["put", "range", ...drawn]);
  return [...all].filter((kind) => !without.has(kind));
}

function drawOptions(random: SimRandom): Partial<MemberOptions> {
  const tickMs = random.pick([10, 100, 100]);
  return {
    tickMs,
    electionMs: tickMs * random.pick([5, 10, 10, 20]),
    preVote: !random.oneIn(4),
    snapshotCount: random.pick([5, 20, 100, 10_000]),
    snapshotCatchupEntries: random.pick([1, 5, 50, 5000]),
    maxSnapshots: random.pick([1, 2, 5]),
    maxWals: random.pick([1, 2, 5]),
    backendBatchIntervalMs: random.pick([5, 30, 100]),
    backendBatchLimit: random.pick([1, 10, 1000]),
    backendFreelistType: random.pick(["map", "array"]),
    compactionBatchLimit: random.pick([1, 5, 1000]),
    compactionSleepMs: random.pick([1, 10]),
    watchProgressNotifyMs: random.pick([150, 1000, 600_000]),
    leaseCheckpoint: random.oneIn(3),
  };
}

function drawNetwork(random: SimRandom, faults: ReadonlySet<FaultKind>): NetworkFaults {
  return {
    ...CALM,
    lossOneIn: faults.has("loss") ? random.pick([5, 20, 100]) : Infinity,
    doubleOneIn: faults.has("double") ? random.pick([5, 20, 100]) : Infinity,
    snapshotCutOneIn: faults.has("snapshotCut") ? random.pick([2, 4]) : Infinity,
    delayMs: random.pick([
      [0.1, 0.3],
      [0.5, 5],
      [1, 40],
    ]),
    reorders: faults.has("reorder"),
    snapshotPieceBytes: random.pick([1000, 8192, 65_536]),
  };
}
