// One member: the parts put together, and what the API may ask of it. Work that has a story of its
// own is elsewhere: the turn (loop), the way in (proposals), linearizable reads (reads), keeping
// the log short (log-snapshots), compaction (compactor), names and versions (publisher), when
// watchers are served (watch-feed), when leases end (lease-clock).

import type { Logger } from "../base/log.ts";
import type { Clock, Timer, World } from "../io/io.ts";
import type { Raft, RaftStatus } from "../raft/raft.ts";
import type { Entry, Ready } from "../raft/ready.ts";
import { idText } from "../state/members/member-json.ts";
import type { Members } from "../state/members/members.ts";
import type { Mvcc } from "../state/mvcc/mvcc.ts";
import type { State } from "../state/state.ts";
import { WatchableStore } from "../state/watch/watchable-store.ts";
import type { Backend } from "../storage/backend.ts";
import type { BackendSnapshot } from "../storage/backend-snapshot.ts";
import type { Wal } from "../storage/wal/wal.ts";
import type { WalMetrics } from "../storage/wal/wal-metrics.ts";
import { Errors } from "../wire/errors.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import { HeaderTemplate } from "../wire/kv-responses.ts";
import {
  AlarmAction,
  type AlarmMember,
  AlarmType,
  encodeAlarmRequest,
} from "../wire/messages/rpc-maintenance.ts";
import type { RpcError } from "../wire/status.ts";
import { Applier } from "./applier.ts";
import { AutoCompactor } from "./auto-compactor.ts";
import { type Booted, boot } from "./boot.ts";
import { ClusterDuties } from "./cluster-duties.ts";
import { Compactor } from "./compactor.ts";
import { LeaseClock } from "./lease-clock.ts";
import { LogSnapshots } from "./log-snapshots.ts";
import { Loop, type LoopHooks } from "./loop.ts";
import { NO_NETWORK } from "./no-network.ts";
import { GRPC_OVERHEAD_BYTES, type MemberOptions, requestTimeoutMs } from "./options.ts";
import { Peers } from "./peers.ts";
import { Proposals, type Waiter } from "./proposals.ts";
import { Publisher } from "./publisher.ts";
import { Reads, type ReadWaiter } from "./reads.ts";
import { RequestIds } from "./request-id.ts";
import { ServerMetrics } from "./server-metrics.ts";
import { WatchFeed } from "./watch-feed.ts";

export interface MemberParts {
  /** Without a network the member is alone. */
  readonly world: Pick<World, "clock" | "disk" | "random"> & Partial<Pick<World, "network">>;
  readonly log: Logger;
  readonly options: MemberOptions;
  /** Nothing can be relied on any more: the process has to end. */
  readonly onFatal: (error: Error) => void;
  /** A batch was answered: what the connections hold can be written. */
  readonly onAnswered: () => void;
  /** Once, when the first requests can be served. */
  readonly onReady: () => void;
}

export class Member implements LoopHooks {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly options: MemberOptions;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ServerMetrics = new ServerMetrics();
  readonly header: HeaderTemplate;
  readonly state: State;
  readonly backend: Backend;
  readonly compactor: Compactor;
  readonly watch: WatchableStore;
  readonly watchFeed: WatchFeed;
  readonly leaseClock: LeaseClock;
  /** Changes of the membership, peers' questions, corruption checks. */
  readonly duties: ClusterDuties;
  readonly #parts: MemberParts;
  readonly #wal: Wal;
  readonly #raft: Raft;
  readonly #loop: Loop;
  readonly #proposals: Proposals;
  readonly #reads: Reads;
  readonly #snapshots: LogSnapshots;
  readonly #publisher: Publisher;
  readonly #autoCompactor: AutoCompactor;
  readonly #leaseIds: RequestIds;
  readonly #applier: Applier;
  readonly #peers: Peers;
  readonly #remotes: Booted["remotes"];
  #tick: Timer | undefined;
  #lastLead = 0n;
  #isRaisingAlarm = false;
  #isStopped = false;

  /** @throws Error naming the file and the remedy when the data directory cannot be used. */
  constructor(parts: MemberParts) {
    const { world, options } = parts;
    this.#parts = parts;
    this.options = options;
    this.clock = world.clock;
    this.log = parts.log;
    const booted = boot({
      ...parts,
      isAwaited: (high, low) => this.#proposals.isAwaited(high, low),
      onChanges: (changes) => this.watch.onChanges(changes),
      onFatal: (error) => this.fatal(error),
    });
    this.id = booted.memberId;
    this.clusterId = booted.clusterId;
    this.header = new HeaderTemplate(this.clusterId, this.id);
    this.state = booted.state;
    this.backend = booted.backend;
    this.#wal = booted.wal;
    this.#raft = booted.raft;
    const wake = (): void => this.#loop.wake();
    const appliedIndex = (): number => this.backend.appliedIndex;
    const common = { clock: this.clock, raft: this.#raft, metrics: this.metrics, options };
    const firstContext = BigInt(Math.floor(this.clock.wallMs())) << 8n;
    this.#proposals = new Proposals({ ...common, memberId: this.id, appliedIndex, wake });
    this.#reads = new Reads({ ...common, appliedIndex, wake, firstContext });
    this.#loop = new Loop({
      clock: this.clock,
      raft: this.#raft,
      wal: this.#wal,
      hooks: this,
      durableIndex: this.#raft.lastIndex,
    });
    this.compactor = this.#newCompactor();
    this.#snapshots = this.#newLogSnapshots(booted);
    this.#publisher = this.#newPublisher();
    this.#autoCompactor = this.#newAutoCompactor();
    this.watch = this.#newWatchableStore();
    this.watchFeed = this.#newWatchFeed();
    this.leaseClock = this.#newLeaseClock();
    this.#leaseIds = new RequestIds(this.id, this.clock.wallMs());
    this.#applier = this.#newApplier();
    this.#remotes = booted.remotes;
    this.duties = this.#newDuties();
    this.#peers = this.#newPeers();
  }

  /** Begins to tick; `onReady` follows. */
  start(): void {
    this.#peers.start(this.#remotes);
    this.#scheduleTick();
    this.compactor.wake();
    this.#autoCompactor.start();
    this.duties.start();
    this.#loop.wake();
    this.#campaignIfAlone();
  }

  // --- what the API asks

  /** Proposes an encoded request; see `Proposals.propose`. */
  propose(field: number, bytes: Uint8Array, start: number, end: number, waiter: Waiter): void {
    this.#proposals.propose(field, bytes, start, end, waiter);
  }

  /** A linearizable read may look at the store this very moment. */
  get isReadReady(): boolean {
    return this.#reads.isReady;
  }

  /** True: read now. False: `waiter` is told later. */
  confirmRead(waiter: ReadWaiter): boolean {
    return this.#reads.confirm(waiter);
  }

  awaitRead(waiter: ReadWaiter): void {
    this.#reads.wait(waiter);
  }

  /** Refuses what the quota has no room for, and raises the alarm. */
  refuseOverQuota(costBytes: number): RpcError | null {
    if (this.state.quota.isAvailable(costBytes)) return null;
    this.#raiseNoSpace();
    return Errors.NoSpace;
  }

  get mvcc(): Mvcc {
    return this.state.mvcc;
  }

  get members(): Members {
    return this.state.members;
  }

  get alarms(): AlarmMember[] {
    return this.state.alarms.list(AlarmType.NONE);
  }

  get revision(): number {
    return this.state.mvcc.currentRevision;
  }

  get term(): number {
    return this.#raft.term;
  }

  /** Encoded header with the current revision, or with a given one. */
  headerAt(revision: number = this.revision): Uint8Array {
    return this.header.encode(revision, this.term);
  }

  /** A positive id that no lease has. */
  nextLeaseId(): bigint {
    for (;;) {
      const id = BigInt.asUintN(63, this.#leaseIds.whole(this.#leaseIds.nextLow()));
      if (id !== 0n && !this.state.leases.exists(id)) return id;
    }
  }

  get hasLeader(): boolean {
    return this.#raft.lead !== 0n;
  }

  get isLearner(): boolean {
    return this.#raft.isLearner;
  }

  get commitIndex(): number {
    return this.#raft.commit;
  }

  get appliedIndex(): number {
    return this.backend.appliedIndex;
  }

  /** The monotonic clock as last read: exact to one applied entry while there is work. */
  get nowMs(): number {
    return this.#applier.nowMs;
  }

  set nowMs(nowMs: number) {
    this.#applier.nowMs = nowMs;
  }

  get pendingProposals(): number {
    return this.#proposals.pendingCount;
  }

  get storageVersion(): string | undefined {
    return this.#publisher.storageVersion;
  }

  get walMetrics(): WalMetrics {
    return this.#wal.metrics;
  }

  raftStatus(): RaftStatus {
    return this.#raft.status();
  }

  /** Pins the database as it is now. */
  snapshot(ready: (snapshot: BackendSnapshot) => void): void {
    this.backend.snapshot(ready);
  }

  /** Stops taking turns, commits, closes the files. */
  stop(done: () => void): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#tick?.cancel();
    this.compactor.stop();
    this.#autoCompactor.stop();
    this.#snapshots.stop();
    this.#publisher.stop();
    this.watchFeed.stop();
    this.leaseClock.stop();
    this.#peers.stop();
    this.duties.stop();
    this.#proposals.stop();
    this.#reads.stop();
    this.#loop.stop(() => {
      this.backend.close(() => {
        this.#wal.close();
        done();
      });
    });
  }

  // --- what the loop asks

  send(ready: Ready): void {
    this.#peers.send(ready.messages);
  }

  news(ready: Ready): void {
    if (ready.softState !== undefined) {
      const { lead } = ready.softState;
      this.metrics.hasLeader.set(lead === 0n ? 0 : 1);
      this.metrics.isLeader.set(ready.softState.role === "leader" ? 1 : 0);
      if (ready.softState.role !== "leader") this.leaseClock.demote();
      if (lead !== 0n && lead !== this.#lastLead) {
        this.metrics.leaderChangesSeen.add();
        this.#peers.leaderChanged();
        this.#reads.leaderChanged();
        this.#proposals.leaderKnown();
        this.#publisher.leaderKnown();
      }
      this.#lastLead = lead;
    }
    if (ready.readStates.length > 0) this.#reads.confirmed(ready.readStates);
  }

  apply(entry: Entry): void {
    this.#applier.apply(entry);
  }

  applied(): void {
    this.#reads.applied();
    this.duties.applied();
    this.#snapshots.applied(this.backend.appliedIndex, this.#raft.term);
    this.watchFeed.applied();
    this.#parts.onAnswered();
  }

  advanced(): void {
    this.duties.advanced();
    if (!this.hasLeader) this.#campaignIfAlone();
  }

  fatal(error: Error): void {
    this.#isStopped = true;
    this.#parts.onFatal(error);
  }

  // ---

  /**
   * Nobody else can lead: there is nothing to wait for. Raft refuses while changes of the
   * configuration wait to be applied, so it is tried again after each turn.
   */
  #campaignIfAlone(): void {
    const raft = this.#raft;
    if (raft.role !== "follower" || raft.applied < raft.commit) return;
    const { voters } = this.members.confState();
    if (voters.length === 1 && voters[0] === this.id) raft.campaign();
  }

  #raiseNoSpace(): void {
    if (this.#isRaisingAlarm || this.state.alarms.isActive(AlarmType.NOSPACE)) return;
    this.#isRaisingAlarm = true;
    const body = encodeAlarmRequest({
      action: AlarmAction.ACTIVATE,
      memberID: this.id,
      alarm: AlarmType.NOSPACE,
    });
    const done = (): void => {
      this.#isRaisingAlarm = false;
    };
    const waiter = { proposedAtMs: 0, settle: done, fail: done };
    this.log.warn("alarm raised", { alarm: "NOSPACE", from: idText(this.id) });
    this.propose(RequestField.Alarm, body, 0, body.length, waiter);
  }

  #scheduleTick(): void {
    this.#tick = this.clock.after(this.options.tickMs, () => {
      this.#raft.tick();
      this.#proposals.expire();
      this.#reads.expire();
      this.duties.expire();
      this.#loop.wake();
      this.#scheduleTick();
    });
  }

  #newApplier(): Applier {
    const { clock, log, metrics, options, state, compactor, leaseClock } = this;
    return new Applier({
      ...{ clock, log, metrics, state, compactor, leaseClock },
      warningApplyMs: options.warningApplyMs,
      raft: this.#raft,
      proposals: this.#proposals,
      reads: this.#reads,
      publisher: this.#publisher,
      snapshots: this.#snapshots,
      raiseNoSpace: () => this.#raiseNoSpace(),
      membershipChanged: (outcome) => {
        this.#peers.changed(outcome);
        this.duties.changed(outcome);
      },
      fatal: (error) => this.fatal(error),
    });
  }

  #newDuties(): ClusterDuties {
    const { clock, log, metrics, state, options, clusterId, leaseClock } = this;
    return new ClusterDuties({
      ...{ clock, log, metrics, state, options, clusterId, leaseClock },
      memberId: this.id,
      raft: this.#raft,
      network: this.#parts.world.network ?? NO_NETWORK,
      proposals: this.#proposals,
      confirmRead: (waiter) => this.confirmRead(waiter),
      storageVersion: () => this.storageVersion,
      wake: this.#loop.wake,
    });
  }

  #newPeers(): Peers {
    const { clock, log, metrics, members, options, clusterId } = this;
    return new Peers({
      ...{ clock, log, metrics, members, clusterId },
      network: this.#parts.world.network ?? NO_NETWORK,
      raft: this.#raft,
      memberId: this.id,
      tickMs: options.tickMs,
      ownUrls: options.initialCluster.get(options.name) ?? [],
      wake: this.#loop.wake,
      receiveSnapshot: () => {
        throw new Error("snapshots are not received yet");
      },
      sendSnapshot: ({ to }) => this.#raft.reportSnapshot(to, false),
      snapshotSent: (to, isOk) => this.#raft.reportSnapshot(to, isOk),
      answer: (request, answer) => this.duties.answer(request, answer),
      onRemoved: () => {},
    });
  }

  #newCompactor(): Compactor {
    const { clock, log, state, backend } = this;
    const sleepMs = this.options.compactionSleepMs;
    return new Compactor({ clock, log, state, backend, sleepMs });
  }

  #newAutoCompactor(): AutoCompactor {
    const { clock, log, options } = this;
    return new AutoCompactor({
      ...{ clock, log },
      setting: options.autoCompaction,
      proposals: this.#proposals,
      isLeader: () => this.#raft.isLeader,
      revision: () => this.revision,
    });
  }

  #newLogSnapshots(booted: Booted): LogSnapshots {
    const { clock, log, state, backend, metrics, options } = this;
    const { dataDir, snapshotIndex } = booted;
    return new LogSnapshots({
      ...{ clock, log, state, backend, metrics, options, dataDir, snapshotIndex },
      raft: this.#raft,
      wal: this.#wal,
      fatal: (error) => this.fatal(error),
    });
  }

  #newPublisher(): Publisher {
    const { clock, log, state, backend, options } = this;
    return new Publisher({
      ...{ clock, log, state, backend, options },
      memberId: this.id,
      clusterId: this.clusterId,
      proposals: this.#proposals,
      network: this.#parts.world.network ?? NO_NETWORK,
      isLeader: () => this.#raft.isLeader,
      onPublished: this.#parts.onReady,
    });
  }

  #newWatchableStore(): WatchableStore {
    return new WatchableStore({
      mvcc: this.mvcc,
      header: this.header,
      term: () => this.term,
      fragmentBytes: this.options.maxRequestBytes + GRPC_OVERHEAD_BYTES,
      onLagging: () => this.watchFeed.wake(),
    });
  }

  #newWatchFeed(): WatchFeed {
    return new WatchFeed({
      clock: this.clock,
      random: this.#parts.world.random.fork("watch"),
      store: this.watch,
      appliedIndex: () => this.appliedIndex,
      progressNotifyMs: this.options.watchProgressNotifyMs,
    });
  }

  #newLeaseClock(): LeaseClock {
    const { clock, log, options } = this;
    return new LeaseClock({
      ...{ clock, log },
      leases: this.state.leases,
      electionMs: options.electionMs,
      retryMs: requestTimeoutMs(options),
      checkpoints: options.leaseCheckpoint,
      confirmRead: (waiter) => this.confirmRead(waiter),
      propose: (field, bytes, start, end, waiter) => {
        this.propose(field, bytes, start, end, waiter);
      },
    });
  }
}
