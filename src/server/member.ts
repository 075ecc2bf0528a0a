// One member: the parts put together, and what the API may ask of it. Work that has a story of its
// own is elsewhere: the turn (loop), the way in (proposals), linearizable reads (reads), keeping
// the log short (log-snapshots), compaction (compactor), names and versions (publisher), when
// watchers are served (watch-feed), when leases end (lease-clock).

import type { Logger } from "../base/log.ts";
import type { Clock, Done, Timer, World } from "../io/io.ts";
import type { Raft, RaftStatus } from "../raft/raft.ts";
import type { Entry, HardState, Ready } from "../raft/ready.ts";
import type { Members } from "../state/members/members.ts";
import type { Mvcc } from "../state/mvcc/mvcc.ts";
import type { State } from "../state/state.ts";
import type { WatchableStore } from "../state/watch/watchable-store.ts";
import type { Backend } from "../storage/backend.ts";
import type { BackendSnapshot } from "../storage/backend-snapshot.ts";
import type { Wal } from "../storage/wal/wal.ts";
import type { WalMetrics } from "../storage/wal/wal-metrics.ts";
import { Errors } from "../wire/errors.ts";
import { HeaderTemplate } from "../wire/kv-responses.ts";
import type { Message, Snapshot } from "../wire/messages/raft.ts";
import { type AlarmMember, AlarmType } from "../wire/messages/rpc-maintenance.ts";
import type { RpcError } from "../wire/status.ts";
import { Applier } from "./applier.ts";
import type { AutoCompactor } from "./auto-compactor.ts";
import { type Booted, boot } from "./boot.ts";
import type { TryRestore } from "./care/backups.ts";
import { Care } from "./care/care.ts";
import type { ClusterDuties } from "./cluster-duties.ts";
import { Compactor } from "./compactor.ts";
import {
  type Kit,
  newAutoCompactor,
  newDuties,
  newLeaseClock,
  newPublisher,
  newWatchableStore,
  newWatchFeed,
} from "./kit.ts";
import { Leadership } from "./leadership.ts";
import type { LeaseClock } from "./lease-clock.ts";
import { LeaseForwarding } from "./lease-forwarding.ts";
import { LogSnapshots } from "./log-snapshots.ts";
import { Loop, type LoopHooks } from "./loop.ts";
import { NO_NETWORK } from "./no-network.ts";
import type { MemberOptions } from "./options.ts";
import { Peers } from "./peers.ts";
import { Proposals, type Waiter } from "./proposals.ts";
import type { Publisher } from "./publisher.ts";
import { Reads, type ReadWaiter } from "./reads.ts";
import { RequestIds } from "./request-id.ts";
import { ServerMetrics } from "./server-metrics.ts";
import { SnapshotInstall } from "./snapshot-install.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import { SpaceAlarm } from "./space-alarm.ts";
import { Timeouts } from "./timeouts.ts";
import type { WatchFeed } from "./watch-feed.ts";

/** Between being removed and stopping, as in etcd. */
const REMOVED_DELAY_MS = 1000;

export interface MemberParts {
  /** Without a network the member is alone. */
  readonly world: Pick<World, "clock" | "disk" | "random"> & Partial<Pick<World, "network">>;
  readonly log: Logger;
  readonly options: MemberOptions;
  /** Nothing can be relied on any more: the process has to end. */
  readonly onFatal: (error: Error) => void;
  /** A batch was answered: what the connections hold can be written. */
  readonly onAnswered: () => void;
  /** Restores a backup on trial; left out, on this thread. */
  readonly tryRestore?: TryRestore;
  /** Once, when the first requests can be served. */
  readonly onReady: () => void;
  /** This member was removed from its cluster and has to stop for good. */
  readonly onRemoved?: () => void;
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
  /** Who fills the store, and what is done about it. */
  readonly care: Care;
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
  readonly #sender: SnapshotSender;
  readonly #install: SnapshotInstall;
  readonly #spaceAlarm: SpaceAlarm;
  readonly #timeouts: Timeouts;
  readonly #leadership: Leadership;
  /** Leases of which only the leader knows how long they live. */
  readonly leaseForwarding: LeaseForwarding;
  readonly #wake: () => void;
  readonly #others: Pick<Booted, "founders" | "remotes">;
  #tick: Timer | undefined;
  #lastLead = 0n;
  #isStopping = false;
  #isRemoved = false;
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
    this.#wake = () => this.#loop.wake();
    const appliedIndex = (): number => this.backend.appliedIndex;
    const { clock, metrics, members } = this;
    const { network = NO_NETWORK } = world;
    const common = { clock, raft: this.#raft, metrics, options, appliedIndex, wake: this.#wake };
    this.#timeouts = new Timeouts({ ...common, network, members, memberId: this.id });
    this.#proposals = new Proposals({ ...common, memberId: this.id, timeouts: this.#timeouts });
    const firstContext = BigInt(Math.floor(this.clock.wallMs())) << 8n;
    this.#reads = new Reads({ ...common, firstContext });
    const kit = this.#newKit(booted);
    this.#loop = new Loop({ ...kit, hooks: this, durableIndex: this.#raft.lastIndex });
    this.compactor = new Compactor({ ...kit, sleepMs: options.compactionSleepMs });
    this.#snapshots = new LogSnapshots(kit);
    this.#publisher = newPublisher(kit, parts.onReady);
    this.#autoCompactor = newAutoCompactor(kit);
    this.watch = newWatchableStore(kit, this.header, () => this.watchFeed.wake());
    this.watchFeed = newWatchFeed(kit, this.watch);
    this.care = new Care({ ...kit, watch: this.watch, tryRestore: parts.tryRestore });
    this.leaseClock = newLeaseClock(kit);
    this.#leaseIds = new RequestIds(this.id, this.clock.wallMs());
    this.#spaceAlarm = new SpaceAlarm(kit);
    this.#leadership = new Leadership({ ...kit, members });
    const isPrimary = (): boolean => this.leaseClock.isPrimary;
    this.leaseForwarding = new LeaseForwarding({ ...kit, members, isPrimary });
    this.duties = newDuties(kit, this.leaseClock, this.#publisher);
    this.#sender = new SnapshotSender({ ...kit, snapshots: this.#snapshots });
    this.#applier = this.#newApplier(kit);
    this.#peers = this.#newPeers(kit);
    const replaced = (index: number): void => this.#replaced(index);
    this.#install = new SnapshotInstall({ ...kit, watch: this.watch, replaced });
    this.#others = booted;
  }

  #newKit(booted: Booted): Kit {
    const { clock, log, options, metrics } = this;
    const { disk, random, network = NO_NETWORK } = this.#parts.world;
    return {
      ...booted,
      ...{ clock, disk, random, network, log, options, metrics },
      proposals: this.#proposals,
      reads: this.#reads,
      propose: (field, bytes, start, end, waiter) =>
        this.#proposals.propose(field, bytes, start, end, waiter),
      confirmRead: (waiter) => this.#reads.confirm(waiter),
      isLeader: () => this.#raft.isLeader,
      appliedIndex: () => this.backend.appliedIndex,
      wake: this.#wake,
      fatal: (error) => this.fatal(error),
    };
  }

  /** Begins to tick; `onReady` follows. */
  start(): void {
    this.backend.keepSpare();
    this.#peers.start(this.#others);
    this.#scheduleTick();
    this.compactor.wake();
    this.#autoCompactor.start();
    this.duties.start();
    this.care.start();
    this.#loop.wake();
    this.#campaignIfAlone();
    this.#leadership.startElection();
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
    this.#spaceAlarm.raise();
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

  /** On the leader: another member is to lead. */
  moveLeader(to: bigint, done: (error: RpcError | null) => void): void {
    this.#leadership.move(to, done);
  }

  /** Hands leadership over, stops taking turns, commits, closes the files. */
  stop(done: () => void): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#leadership.handOver(() => this.#stopNow(done));
  }

  #stopNow(done: () => void): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#leadership.stop();
    this.leaseForwarding.stop();
    this.#tick?.cancel();
    this.compactor.stop();
    this.#autoCompactor.stop();
    this.care.stop();
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

  begin(): void {
    this.#reads.begin();
  }

  send(ready: Pick<Ready, "messages">): void {
    this.#peers.send(ready.messages);
  }

  news(ready: Pick<Ready, "softState" | "readStates">): void {
    if (ready.softState !== undefined) {
      const { lead } = ready.softState;
      this.metrics.hasLeader.set(lead === 0n ? 0 : 1);
      this.metrics.isLeader.set(ready.softState.role === "leader" ? 1 : 0);
      if (ready.softState.role !== "leader") this.leaseClock.demote();
      if (lead !== 0n && lead !== this.#lastLead) {
        this.metrics.leaderChangesSeen.add();
        if (lead === this.id) this.#timeouts.elected();
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

  /** During a downgrade a snapshot may be recorded at any entry, after the commit of it. */
  get canApplyEarly(): boolean {
    return !this.members.downgrade.enabled;
  }

  applied(): void {
    this.#reads.applied();
    this.duties.applied();
    this.watchFeed.applied();
    this.care.applied();
    this.#parts.onAnswered();
  }

  advanced(): void {
    this.#snapshots.applied(Math.min(this.backend.appliedIndex, this.#loop.handedCommit));
    this.duties.advanced();
    if (!this.hasLeader) this.#campaignIfAlone();
  }

  install(snapshot: Snapshot, hardState: HardState, done: Done): void {
    this.#install.install(snapshot, hardState, done);
  }

  /** After a while, in which the others hear of it, too. */
  #removed(): void {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    this.clock.after(REMOVED_DELAY_MS, () => {
      if (this.#isStopping) return;
      const error = "the member has been permanently removed from the cluster";
      this.log.warn("server error", { error });
      this.log.warn("data-dir used by this member must be removed");
      this.#parts.onRemoved?.();
    });
  }

  /** A database from the leader is in place. */
  #replaced(index: number): void {
    this.#snapshots.replaced(index);
    this.#peers.replaced();
    this.compactor.wake();
    this.applied();
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

  #newApplier(kit: Kit): Applier {
    return new Applier({
      ...kit,
      warningApplyMs: this.options.warningApplyMs,
      compactor: this.compactor,
      leaseClock: this.leaseClock,
      publisher: this.#publisher,
      snapshots: this.#snapshots,
      raiseNoSpace: () => this.#spaceAlarm.raise(),
      membershipChanged: (outcome) => {
        this.#sender.configurationChanged(outcome.index);
        this.#peers.changed(outcome);
        this.duties.changed(outcome);
      },
    });
  }

  #newPeers(kit: Kit): Peers {
    const { members, options } = this;
    const step = (message: Message): void => {
      this.#raft.step(message);
      this.#loop.wake();
    };
    const receiver = new SnapshotReceiver({ ...kit, step });
    return new Peers({
      ...kit,
      ...{ members, receiver },
      tickMs: options.tickMs,
      ownUrls: options.initialCluster.get(options.name) ?? [],
      sender: this.#sender,
      answer: (request, answer) => {
        if (!this.care.answer(request, answer)) this.duties.answer(request, answer);
      },
      onRemoved: () => this.#removed(),
    });
  }
}
