// What a member knows about its store and does for it: the account of who fills it, its growth, and
// self-care. The account of space is the state's (state/accounting); here are the parts that need a
// clock.
//
//   every 10 s      the policy looks; what is old enough to compact is noted
//   every minute    sizes are noted for the forecast
//   under pressure  (file above the first watermark) it looks up to ten times a second

import type { Logger } from "../../base/log.ts";
import type { Clock, Disk, Timer } from "../../io/io.ts";
import type { Network, PeerAnswer, PeerRequest } from "../../io/network.ts";
import type { Raft } from "../../raft/raft.ts";
import { COLUMNS, Column, PREFIX_NODES_MAX } from "../../state/accounting/prefix-tree.ts";
import type { State } from "../../state/state.ts";
import type { WatchableStore } from "../../state/watch/watchable-store.ts";
import type { Backend } from "../../storage/backend.ts";
import { AlarmType } from "../../wire/messages/rpc-maintenance.ts";
import type { MemberOptions } from "../options.ts";
import type { Proposals } from "../proposals.ts";
import { Backups, type TryRestore } from "./backups.ts";
import { Growth, NOTE_INTERVAL_MS, type Note } from "./growth.ts";
import { KeySurvey } from "./key-survey.ts";
import { answerNeeds, askNeeds, NEEDED_REVISION_PATH } from "./peer-needs.ts";
import { FIRST_WATERMARK, type Figures, HISTORY_WINDOW_MS } from "./policy.ts";
import { PrefixQuotas } from "./prefix-quotas.ts";
import { RecentReaders } from "./recent-readers.ts";
import { type OwnFigures, SelfCare } from "./self-care.ts";
import { tryRestoreHere } from "./trial-restore.ts";
import { isTurnOf } from "./turns.ts";
import { fullestText } from "./usage.ts";
import { Writers } from "./writers.ts";

const LOOK_INTERVAL_MS = 10_000;
/** Under pressure. */
const LOOK_INTERVAL_MIN_MS = 100;
/** A survey is good for so long: `top` asks every second. */
const SURVEY_MS = 5000;
/** Keys per turn of a survey: about a millisecond. */
const SURVEY_STEP_KEYS = 50_000;

export interface CareParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly state: State;
  readonly backend: Backend;
  readonly raft: Raft;
  readonly watch: WatchableStore;
  readonly network: Pick<Network, "ask">;
  readonly proposals: Pick<Proposals, "propose">;
  readonly memberId: bigint;
  readonly options: MemberOptions;
  readonly disk: Disk;
  readonly clusterId: bigint;
  readonly tryRestore: TryRestore | undefined;
}

export class Care {
  readonly writers: Writers = new Writers();
  readonly readers: RecentReaders = new RecentReaders();
  readonly growth: Growth = new Growth();
  readonly self: SelfCare;
  readonly quotas: PrefixQuotas;
  /** undefined: none are made. */
  readonly backups: Backups | undefined;
  readonly #parts: CareParts;
  readonly #startedMs: number;
  /** Revisions of the last minutes, oldest first. */
  readonly #revisions: { readonly atMs: number; readonly revision: number }[] = [];
  readonly #createsBefore = new Float64Array(PREFIX_NODES_MAX);
  readonly #intervals = new Uint16Array(PREFIX_NODES_MAX);
  readonly #pressureBytes: number;
  #timer: Timer | undefined;
  #lastLookMs = Number.NEGATIVE_INFINITY;
  #lastNoteMs = Number.NEGATIVE_INFINITY;
  #survey: { readonly result: KeySurvey; readonly atMs: number } | undefined;
  #surveyed: ((survey: KeySurvey) => void)[] = [];
  #isStopped = false;

  constructor(parts: CareParts) {
    this.#parts = parts;
    this.#startedMs = parts.clock.monotonicMs();
    this.#pressureBytes = FIRST_WATERMARK * parts.state.quota.quotaBytes;
    this.backups = newBackups(parts);
    this.quotas = new PrefixQuotas(parts.state.mvcc, parts.log);
    this.quotas.applied();
    const mode = parts.options.selfCare ?? "off";
    this.self = new SelfCare({
      ...{ ...parts, mode, figures: (own) => this.#figures(own) },
      askPeers: (done) => askNeeds({ ...parts, members: parts.state.members.all() }, done),
    });
  }

  start(): void {
    this.#look();
    this.backups?.start();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.self.stop();
    this.backups?.stop();
  }

  get uptimeMs(): number {
    return this.#parts.clock.monotonicMs() - this.#startedMs;
  }

  /** After each batch of entries. */
  applied(): void {
    this.quotas.applied();
    const { backend, clock } = this.#parts;
    if (backend.sizeBytes < this.#pressureBytes || this.self.mode === "off") return;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#lastLookMs < LOOK_INTERVAL_MIN_MS) return;
    this.#lastLookMs = nowMs;
    this.self.look();
  }

  /** True when a peer's question is one about the store's care; it is answered then. */
  answer(request: PeerRequest, answer: (answer: PeerAnswer) => void): boolean {
    if (request.path !== NEEDED_REVISION_PATH) return false;
    const { watch, clock } = this.#parts;
    const read = this.readers.oldest(clock.monotonicMs());
    answer(answerNeeds(Math.min(watch.oldestNeeded(), read)));
    return true;
  }

  /** How things stand now, for the forecast. */
  now(): Note {
    const { state, backend, clock } = this.#parts;
    const { space } = state.mvcc;
    return {
      atMs: clock.monotonicMs(),
      fileBytes: backend.sizeBytes,
      inUseBytes: backend.sizeInUseBytes,
      liveBytes: space.total(Column.LiveBytes),
      historyBytes: space.total(Column.HistoryBytes),
      revision: state.mvcc.currentRevision,
    };
  }

  #figures(own: OwnFigures): Figures {
    const { state, backend, clock, watch, raft, memberId, options } = this.#parts;
    const { mvcc, alarms, members } = state;
    const now = this.now();
    const watched = watch.oldestNeeded();
    const read = this.readers.oldest(now.atMs);
    const noSpace = alarms.list(AlarmType.NOSPACE);
    const { voters, learners } = members.confState();
    const ids = [...voters, ...learners];
    return {
      ...now,
      ...own,
      quotaBytes: state.quota.quotaBytes,
      recordCount: mvcc.space.total(Column.Keys) + mvcc.space.total(Column.HistoryRecords),
      currentRevision: mvcc.currentRevision,
      compactRevision: mvcc.compactRevision,
      windowRevision: this.#windowRevision(now.atMs),
      neededRevision: Math.min(watched, read),
      neededBy: watched <= read ? "a watcher" : "a reader",
      fullest: () => fullestText(mvcc.space),
      hasRetention: options.autoCompaction !== undefined,
      isLeader: raft.isLeader,
      isNoSpace: noSpace.length > 0,
      isNoSpaceMine: noSpace.some((alarm) => alarm.memberID === memberId),
      isBusy: state.compaction.current !== undefined || backend.metrics.defragInflight.value === 1,
      isMyTurn: isTurnOf(memberId, ids, raft.lead, clock.wallMs()),
    };
  }

  /** In how many minutes one after the other a key was created directly in the directory. */
  readonly intervalsOf = (node: number): number => this.#intervals[node]!;

  /** Gives a survey that is at most some seconds old. */
  survey(done: (survey: KeySurvey) => void): void {
    const known = this.#survey;
    if (known !== undefined && this.#parts.clock.monotonicMs() - known.atMs < SURVEY_MS) {
      done(known.result);
      return;
    }
    this.#surveyed.push(done);
    if (this.#surveyed.length > 1) return;
    const survey = new KeySurvey(this.#parts.state.mvcc);
    const step = (): void => {
      if (this.#isStopped) return;
      if (!survey.step(SURVEY_STEP_KEYS)) {
        this.#parts.clock.endOfTurn(step);
        return;
      }
      this.#survey = { result: survey, atMs: this.#parts.clock.monotonicMs() };
      for (const task of this.#surveyed.splice(0)) task(survey);
    };
    step();
  }

  #look(): void {
    const { clock, state } = this.#parts;
    const nowMs = clock.monotonicMs();
    this.#revisions.push({ atMs: nowMs, revision: state.mvcc.currentRevision });
    // One that is older than the window stays: it is the window's beginning.
    while (this.#revisions.length > 1 && nowMs - this.#revisions[1]!.atMs >= HISTORY_WINDOW_MS) {
      this.#revisions.shift();
    }
    if (nowMs - this.#lastNoteMs >= NOTE_INTERVAL_MS) {
      this.#lastNoteMs = nowMs;
      this.growth.note(this.now());
      this.#countIntervals();
    }
    this.#lastLookMs = nowMs;
    this.self.look();
    this.#timer = clock.after(LOOK_INTERVAL_MS, () => this.#look());
  }

  /** Of before the start of this process it is not known when they came: they count as new. */
  #windowRevision(nowMs: number): number {
    const first = this.#revisions[0];
    return first === undefined || nowMs - first.atMs < HISTORY_WINDOW_MS ? 0 : first.revision;
  }

  #countIntervals(): void {
    const { counters, idEnd } = this.#parts.state.mvcc.space.tree;
    for (let node = 0; node < idEnd; node++) {
      const creates = counters[node * COLUMNS + Column.Creates]!;
      const grew = creates > this.#createsBefore[node]!;
      this.#intervals[node] = grew ? Math.min(0xffff, this.#intervals[node]! + 1) : 0;
      this.#createsBefore[node] = creates;
    }
  }
}

function newBackups(parts: CareParts): Backups | undefined {
  const { state, disk, options } = parts;
  if (options.backup === undefined) return undefined;
  return new Backups({
    ...parts,
    revision: () => state.mvcc.currentRevision,
    options: options.backup,
    tryRestore: parts.tryRestore ?? ((path, done) => done(tryRestoreHere(disk, path))),
  });
}
